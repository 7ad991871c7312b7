"""How it is reached: the HTTP interface and the command line."""
