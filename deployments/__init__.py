"""Where it runs: a file is one kind of Ray process, wiring and no logic."""
