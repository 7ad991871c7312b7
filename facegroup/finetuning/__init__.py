"""Does a learned projection help this group? Learning a projection of a network's descriptors, and judging it."""
