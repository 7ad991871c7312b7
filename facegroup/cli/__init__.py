"""How is it reached from a shell? One file for each group of commands."""
