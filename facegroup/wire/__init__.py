"""What the HTTP API takes and answers: one pydantic model each, for the server, the client and the command line."""
