"""Tests which points lie in a camera's regions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facegroup.cameras.types import Region
from facegroup.types import Floats


def inside(points: Floats, regions: Sequence[Region]) -> NDArray[np.bool_]:
    """Return which points lie in a region (even-odd rule), (n,) bool; without regions all do.

    Args:
        points: (n, 2) x and y in 0..1 of the picture's width and height.
        regions: polygons in the same coordinates.
    """
    if not regions:
        return np.ones(len(points), bool)
    x, y = points.T
    found = np.zeros(len(points), bool)
    for region in regions:
        odd = np.zeros(len(points), bool)
        for (x1, y1), (x2, y2) in zip(region, (*region[1:], region[0]), strict=True):
            crosses = (y1 > y) != (y2 > y)
            slope = (x2 - x1) / (y2 - y1) if y1 != y2 else 0.0
            odd ^= crosses & (x < x1 + slope * (y - y1))
        found |= odd
    return found
