"""How does a graph run on this machine? Precision, batch sizes and the process that converts."""
