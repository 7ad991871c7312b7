"""Arithmetic on boxes: (n, 4) float32 x1, y1, x2, y2 in pixels, and nothing that knows what is in them."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facegroup.types import Floats

Indices = NDArray[np.intp]


def overlap(boxes: Floats, others: Floats, over: Literal["union", "min"] = "union") -> Floats:
    """Return the (n, m) overlap of every box with every other: intersection over union, or over the smaller area."""
    left_top = np.maximum(boxes[:, None, :2], others[None, :, :2])
    right_bottom = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = np.maximum(right_bottom - left_top, 0)
    shared = sides[..., 0] * sides[..., 1]
    area = _area(boxes)[:, None]
    other = _area(others)[None, :]
    whole = np.minimum(area, other) if over == "min" else area + other - shared
    part: Floats = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return part


def suppress(boxes: Floats, scores: Floats, threshold: float, over: Literal["union", "min"] = "union") -> Indices:
    """Return the indices, best first, of the boxes that no better one overlaps by more than `threshold`.

    As in the mtcnn package, a box that is itself suppressed still suppresses: one comparison of all pairs, no loop.
    """
    order = np.argsort(-scores, kind="stable")
    if len(order) < 2:
        return order
    better = np.triu(overlap(boxes[order], boxes[order], over) > threshold, k=1)
    return order[~better.any(axis=0)]


def square(boxes: Floats) -> Floats:
    """Return the boxes grown to squares around their centres."""
    sides = boxes[:, 2:] - boxes[:, :2]
    side = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + (sides - side) / 2
    return np.concatenate([corner, corner + side], axis=1)


def clip(boxes: Floats, width: int, height: int) -> Floats:
    """Return the boxes cut at the border of an image."""
    limits = np.array([width - 1, height - 1, width - 1, height - 1], np.float32)
    return np.clip(boxes, 0, limits)


def _area(boxes: Floats) -> Floats:
    sides = boxes[:, 2:] - boxes[:, :2]
    return sides[:, 0] * sides[:, 1]
