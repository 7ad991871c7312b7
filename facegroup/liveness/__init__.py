"""Is this a live face, or a picture of one? Presentation-attack detection, beside the detector."""
