"""One file is one thing that is measured, ours or a peer's, in a process and an environment of its own."""
