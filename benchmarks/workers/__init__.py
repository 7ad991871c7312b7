"""The workers of the benchmarks: each measures facegroup or a peer in a process and an environment of its own."""
