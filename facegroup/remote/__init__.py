"""How is another machine reached? Addresses, proxies, and which IP addresses are public."""
