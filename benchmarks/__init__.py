"""What it costs, measured: `make bench`, or one part at a time with `python -m benchmarks.pipeline --help`."""
