"""What a release is checked with: its list of parts and licences, and known faults of what it depends on. Not installed."""
