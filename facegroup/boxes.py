"""Arithmetic on boxes: (n, 4) float32 x1, y1, x2, y2 in pixels, and nothing that knows what is in them."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facegroup.types import Floats

Indices = NDArray[np.intp]

BLOCK = 128
"""Boxes compared with their neighbours at once: the tables of pairs stay in a core's cache."""


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

    As in the mtcnn package, a box that is itself suppressed still suppresses. Boxes are compared with those near them
    only, a block of neighbours at a time: in a crowd of thousands nearly all pairs are far apart.
    """
    order = np.argsort(-scores, kind="stable")
    if len(order) < 2:
        return order
    ranks = np.empty(len(order), np.intp)
    ranks[order] = np.arange(len(order))
    across = np.argsort(boxes[:, 0], kind="stable")
    sorted_boxes, sorted_ranks = boxes[across], ranks[across]
    widest = (boxes[:, 2] - boxes[:, 0]).max()
    kept = np.empty(len(order), bool)
    for start in range(0, len(across), BLOCK):
        block = sorted_boxes[start : start + BLOCK]
        first, last = np.searchsorted(sorted_boxes[:, 0], [block[0, 0] - widest, block[:, 2].max()])
        near = slice(first, max(last, start + len(block)))
        better = sorted_ranks[None, near] < sorted_ranks[start : start + BLOCK, None]
        beaten = (overlap(block, sorted_boxes[near], over) > threshold) & better
        kept[across[start : start + BLOCK]] = ~beaten.any(axis=1)
    return order[kept[order]]


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
