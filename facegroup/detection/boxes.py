"""Arithmetic on boxes: overlap, non-maximum suppression and clipping of (n, 4) float32 x1, y1, x2, y2 in pixels."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facegroup.types import Floats

Indices = NDArray[np.intp]

BLOCK = 128
"""Boxes that are compared with their neighbours at once, few enough that the tables of pairs fit a core's cache."""


def overlap(boxes: Floats, others: Floats, over: Literal["union", "min"] = "union") -> Floats:
    """Return the (n, m) overlap of each box with each of the others: intersection over union, or over the smaller area."""
    shared, whole = _shared(boxes.T, others.T, over)
    part: Floats = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return part


def suppress(boxes: Floats, scores: Floats, threshold: float, over: Literal["union", "min"] = "union") -> Indices:
    """Return the indices, best first, of the boxes that no better box overlaps by more than `threshold`.

    As in the mtcnn package, a suppressed box still suppresses others. Boxes are only compared with those near them, a block
    at a time, because in a crowd of thousands nearly all pairs are far apart.
    """
    order = np.argsort(-scores, kind="stable")
    if len(order) < 2:
        return order
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    across = np.argsort(boxes[:, 0], kind="stable")
    columns, ranks = np.ascontiguousarray(boxes[across].T), ranks[across]
    left, _, right, _ = columns
    reach = (right - left).max()
    if over == "union" and threshold > 0.5:
        # Two boxes with an overlap above t start less than (1 - t) / t of a width apart.
        reach *= (1 - threshold) / threshold
    kept = np.empty(len(order), bool)
    for start in range(0, len(across), BLOCK):
        end = min(start + BLOCK, len(across))
        first, last = np.searchsorted(left, [left[start] - reach, left[end - 1] + reach])
        near = slice(first, max(last, end))
        shared, whole = _shared(columns[:, start:end], columns[:, near], over)
        beaten = (shared > threshold * whole) & (ranks[near] < ranks[start:end, None])
        kept[across[start:end]] = ~beaten.any(axis=1)
    return order[kept[order]]


def square(boxes: Floats) -> Floats:
    """Return the boxes extended to squares around their centres."""
    sides = boxes[:, 2:] - boxes[:, :2]
    side = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + (sides - side) / 2
    return np.concatenate([corner, corner + side], axis=1)


def clip(boxes: Floats, width: int, height: int) -> Floats:
    """Return the boxes clipped to an image."""
    limits = np.array([width - 1, height - 1, width - 1, height - 1], np.float32)
    return np.clip(boxes, 0, limits)


def _shared(boxes: Floats, others: Floats, over: Literal["union", "min"]) -> tuple[Floats, Floats]:
    """Return the (n, m) areas that boxes (4, n) share with others (4, m), and the areas to divide them by."""
    left, top, right, bottom = boxes[:, :, None]
    other_left, other_top, other_right, other_bottom = others
    wide = np.minimum(right, other_right) - np.maximum(left, other_left)
    high = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    shared: Floats = np.maximum(wide, 0, out=wide) * np.maximum(high, 0, out=high)
    area, other = (right - left) * (bottom - top), (other_right - other_left) * (other_bottom - other_top)
    return shared, np.minimum(area, other) if over == "min" else area + other - shared
