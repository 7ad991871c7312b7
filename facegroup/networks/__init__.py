"""What a network is and how it runs: specs, weights and engines."""
