"""Which image is in this file? Formats, decoding, orientation, drawing, and the photos of a folder."""
