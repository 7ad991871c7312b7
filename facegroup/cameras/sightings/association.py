"""Assigns the faces of a frame to tracks (Kuhn, 1955).

A pair is scored by overlap and similarity. A dissimilar pair is never assigned, however much it overlaps. A similar one may
have moved anywhere. Why not overlap alone: docs/decisions/0016-tracking.md. Boxes are (n, 4) float32 in pixels.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegroup.detection.boxes import overlap
from facegroup.types import Floats

_OVERLAP = 0.3
_NEAR = 1.0  # widths of a face between two centres
_NESTED = 0.6  # of the smaller box
_RATIO = 1.6  # of two sizes
_SLACK = 0.3  # of the range above the threshold: measured on the views of one face in a second, also poor ones


class Association:
    """Class that assigns faces to tracks. Making one loads scipy."""

    def __init__(self) -> None:
        from scipy.optimize import linear_sum_assignment

        self._assign: Callable[..., Any] = linear_sum_assignment

    def by_place(self, boxes: Floats, before: Floats) -> list[int | None]:
        """Return the track of each face by its box only; None for a new one.

        Args:
            boxes: (n, 4) of the faces.
            before: (m, 4) last box of each track.
        """
        close = _close(boxes, before)
        shared = overlap(boxes, before)
        return self._pairs(shared + 0.1 * close, (shared >= _OVERLAP) | close)

    def by_descriptor(
        self, boxes: Floats, before: Floats, alike: Floats, threshold: float, away: NDArray[np.bool_]
    ) -> list[int | None]:
        """Return the track of each face by box and similarity; None for a new one.

        Args:
            boxes: (n, 4) of the faces.
            before: (m, 4) last box of each track.
            alike: (n, m) cosine similarity of face and track; NaN if the track has no descriptor.
            threshold: of the gallery: above it two views are of one person.
            away: (m,) tracks that were seen so long ago that another person may be there: only similarity counts.
        """
        shared, known = overlap(boxes, before), ~np.isnan(alike)
        # Two views of one person may be this far below the threshold, on the scale of the network.
        least = threshold - _SLACK * (1 - threshold)
        near = shared >= _OVERLAP
        near |= _close(boxes, before) & (alike >= least)  # NaN is not similar
        allowed = (near | (alike >= threshold)) & ~(alike < least)
        allowed &= ~away | (alike >= threshold)
        return self._pairs(shared + np.where(known, np.clip((alike - least) / (1 - least), 0, 1), 0), allowed)

    def _pairs(self, score: NDArray[Any], allowed: NDArray[np.bool_]) -> list[int | None]:
        found: list[int | None] = [None] * len(score)
        rows, columns = self._assign(np.where(allowed, score, -1.0), maximize=True)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if allowed[row, column]:
                found[row] = column
        return found


def nested(boxes: Floats) -> NDArray[np.bool_]:
    """Return which boxes, (n,) bool, lie in a larger one: an eye or a forehead that was detected as a face."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return np.asarray(((overlap(boxes, boxes, "min") > _NESTED) & (areas[:, None] < areas[None])).any(axis=1))


def _close(boxes: Floats, others: Floats) -> NDArray[np.bool_]:
    """Return which boxes are so near to which others, and so alike in size, that they may be one face a moment later."""
    widths, before = (np.maximum(each[:, 2] - each[:, 0], 1) for each in (boxes, others))
    centres, were = ((each[:, :2] + each[:, 2:]) / 2 for each in (boxes, others))
    away = np.linalg.norm(centres[:, None] - were[None], axis=2)
    ratio = widths[:, None] / before[None]
    return np.asarray(
        (away <= _NEAR * np.minimum(widths[:, None], before[None])) & (abs(np.log(ratio)) <= np.log(_RATIO))
    )
