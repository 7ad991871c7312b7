"""Who may do what: keys, their scopes, and who a request comes from."""
