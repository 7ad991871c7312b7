"""A group's own people in, a linear projection of a network's descriptors out, and a report on whether it helps."""
