"""Compute a detector's average precision from its boxes and the true boxes, as defined by PASCAL VOC.

Detected boxes are ranked by confidence over all photos. A box is correct if it overlaps a true box that no better box has
taken (Everingham et al. 2010, "The PASCAL Visual Object Classes Challenge", section 4.2). As since VOC2010, the precision at
each recall is the best at that recall or a higher one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegroup.detection.boxes import overlap
from facegroup.types import Faces, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """The detected boxes of all photos, the most confident first, and whether each is correct.

    Attributes:
        right: (n,) whether the box is correct.
        confidence: (n,) float32.
        photo: (n,) number of its photo.
        size: (n,) float32: its height in pixels.
        total: number of true boxes in each photo.
    """

    right: NDArray[np.bool_]
    confidence: Floats
    photo: NDArray[np.intp]
    size: Floats
    total: NDArray[np.intp]

    def between(self, low: float, high: float) -> "Outcomes":
        """Return the outcomes without false boxes outside the heights low ≤ h < high, as in COCO."""
        kept = self.right | ((self.size >= low) & (self.size < high))
        return Outcomes(self.right[kept], self.confidence[kept], self.photo[kept], self.size[kept], self.total)

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return recall and raw precision after each box."""
        hits = np.cumsum(self.right)
        return hits / max(1, int(self.total.sum())), hits / np.arange(1, len(hits) + 1)


def recall_at(done: Outcomes, precision: float, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the greatest recall (drawings,) at which at least this share of the boxes is correct, NaN without a true box.

    Args:
        done: the detected boxes.
        precision: least share of correct boxes, in 0..1.
        weights: (drawings, photos) of the photos.
    """
    hits, taken = _sums(done, weights)
    last = _apart(done.confidence)
    held = np.where(last & (hits >= precision * taken - 1e-9), hits, 0).max(axis=1, initial=0)
    total = weights @ done.total
    return np.asarray(np.divide(held, total, out=np.full(len(weights), np.nan), where=total > 0))


def confidence_at(done: Outcomes, precision: float) -> float:
    """Return the least confidence from which on at least this share of the boxes is correct, infinite if there is none."""
    hits, taken = _sums(done, np.ones((1, len(done.total))))
    good = np.flatnonzero(_apart(done.confidence) & (hits[0] >= precision * taken[0] - 1e-9))
    return float(done.confidence[good[hits[0][good].argmax()]]) if len(good) else np.inf


def outcomes(
    found: Sequence[Faces], truth: Sequence[Floats], ignored: Sequence[Floats], least: float = 0.5
) -> Outcomes:
    """Return whether each detected box is correct; see `average_precision`. Boxes on an ignored box only are left out."""
    right, confidence, photos, sizes = [], [], [], []
    for photo, (faces, boxes, neither) in enumerate(zip(found, truth, ignored, strict=True)):
        order = np.argsort(-faces.confidence, kind="stable")
        shared, beside = overlap(faces.boxes, boxes), overlap(faces.boxes, neither)
        taken = np.zeros(len(boxes), bool)
        for face in order.tolist():
            best = int(shared[face].argmax()) if len(boxes) else -1
            hit = best >= 0 and shared[face, best] >= least and not taken[best]
            if not hit and beside[face].max(initial=0) >= least:
                continue
            if hit:
                taken[best] = True
            right.append(hit)
            confidence.append(faces.confidence[face])
            photos.append(photo)
            sizes.append(faces.boxes[face, 3] - faces.boxes[face, 1])
    ranks = np.argsort(-np.asarray(confidence, np.float32), kind="stable")
    return Outcomes(
        np.asarray(right, bool)[ranks],
        np.asarray(confidence, np.float32)[ranks],
        np.asarray(photos, np.intp)[ranks],
        np.asarray(sizes, np.float32)[ranks],
        np.array([len(boxes) for boxes in truth], np.intp),
    )


def average_precision(
    found: Sequence[Faces], truth: Sequence[Floats], ignored: Sequence[Floats], least: float = 0.5
) -> float:
    """Return the average precision of a detector over some photos, in 0..1.

    Args:
        found: the detected faces of each photo.
        truth: (n, 4) float32 true boxes of each photo: x1, y1, x2, y2.
        ignored: (m, 4) boxes of each photo that do not count, such as WIDER FACE's `invalid`.
        least: least intersection over union of a detected and a true box.

    Raises:
        ValueError: there is no true box, so recall is undefined.
    """
    if not sum(map(len, truth)):
        raise ValueError("There is no true box.")
    return float(area(outcomes(found, truth, ignored, least), np.ones((1, len(truth))))[0])


def area(done: Outcomes, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the average precision (drawings,) for (drawings, photos) weights of the photos, NaN without a true box."""
    counted = weights[:, done.photo]
    hits, taken = _sums(done, weights)
    precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    total = weights @ done.total
    found = (precision * counted * done.right).sum(axis=1)
    return np.asarray(np.divide(found, total, out=np.full(len(weights), np.nan), where=total > 0))


def _sums(done: Outcomes, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many of the boxes up to each one are correct, and how many there are, both (drawings, n)."""
    counted = weights[:, done.photo]
    return np.cumsum(counted * done.right, axis=1), np.cumsum(counted, axis=1)


def _apart(confidence: Floats) -> NDArray[np.bool_]:
    """Return whether a threshold can lie after each box: whether the next one is less confident."""
    return np.append(confidence[1:] < confidence[:-1], True) if len(confidence) else np.empty(0, np.bool_)
