"""How good it is: measurements on labelled photos."""
