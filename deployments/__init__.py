"""The Ray processes of the server, one kind per file. They wire the library together and contain no logic."""
