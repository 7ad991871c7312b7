"""Benchmarks: `make bench` runs all, `python -m benchmarks.pipeline --help` one of them."""
