"""How good is it? Measurements on labelled photos."""
