"""Who is this face? Matching, verification and calibration against the people of a gallery."""
