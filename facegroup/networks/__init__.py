"""How does a crop become a descriptor? Networks, their weights and engines."""
