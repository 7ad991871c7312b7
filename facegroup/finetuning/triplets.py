"""Choose triplets for learning: an anchor, another photo of the same person, and a photo of another person.

The method is that of Parkhi, Vedaldi, Zisserman 2015 ("Deep Face Recognition"), section 4.4: each pair of photos of one
person is extended by a photo of another person, drawn only from those that violate the margin. This hard-negative mining is
less aggressive than taking the worst, which in a real gallery is often a photo under a wrong name.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facegroup.types import Floats

Indices = NDArray[np.intp]

PAIRS = 20_000
"""Most pairs in an epoch, drawn again for each epoch. A group of 200 people with 10 photos each has 18,000."""

_CHUNK = 1 << 22  # distances in memory at once


def pairs(people: Sequence[Sequence[int]]) -> Indices:
    """Return every ordered pair of two photos of one person: (m, 2) rows."""
    made = [(one, other) for rows in people for one in rows for other in rows if one != other]
    return np.array(made, np.intp).reshape(-1, 2)


def violating(projected: Floats, owners: Indices, chosen: Indices, margin: float, draw: np.random.Generator) -> Indices:
    """Extend pairs by a negative drawn from those nearer than the positive plus the margin, in squared distance.

    Args:
        projected: (n, k) descriptors of the photos that are learned from.
        owners: (n,) number of the person in each; every stranger has another number.
        chosen: (m, 2) pairs.
        margin: the margin α.
        draw: random generator for the choice.

    Returns:
        (t, 3) rows: anchor, positive, negative. Pairs without a violating negative are left out, so t ≤ m.
    """
    lengths = np.square(projected).sum(axis=1)
    made = []
    size = max(1, _CHUNK // len(projected))
    for start in range(0, len(chosen), size):
        anchors, positives = chosen[start : start + size].T
        far = lengths[anchors, None] + lengths[None] - 2 * projected[anchors] @ projected.T
        limit = np.square(projected[anchors] - projected[positives]).sum(axis=1) + margin
        violates = (far < limit[:, None]) & (owners[anchors, None] != owners[None])
        negatives = np.where(violates, draw.random(violates.shape, np.float32), np.float32(-1)).argmax(axis=1)
        there = violates.any(axis=1)
        made.append(np.stack([anchors[there], positives[there], negatives[there]], axis=1))
    return np.concatenate(made) if made else np.empty((0, 3), np.intp)


def strangers_apart(rows: Floats, owners: Indices, draw: np.random.Generator, count: int = 20_000) -> float:
    """Return the mean squared distance of two photos of different people, over `count` random pairs."""
    one, other = draw.integers(0, len(rows), (2, count))
    differ = owners[one] != owners[other]
    return float(np.square(rows[one[differ]] - rows[other[differ]]).sum(axis=1).mean())
