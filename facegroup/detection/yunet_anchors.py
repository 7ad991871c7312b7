"""Decode YuNet's outputs: which anchors are faces, and their boxes and landmarks.

Wu et al. 2023, YuNet: A Tiny Millisecond-level Face Detector (Machine Intelligence Research 20). There is one anchor at each
corner of a grid of 8, 16 and 32 pixels. Coordinates are as in `facegroup.types`: the centre of a pixel is a whole number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegroup.detection.boxes import overlap, suppress
from facegroup.types import Floats

STRIDES = (8, 16, 32)

OUTPUTS = tuple(f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in STRIDES)
"""The twelve outputs of a network of YuNet's form, each (n, anchors, width)."""

WIDTHS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""The numbers of an anchor in each output."""

SAME = 0.5
"""Overlap above which two boxes are the same face. 0.4 and 0.6 give less on WIDER FACE (docs/decisions/0023-yunet.md)."""

NESTED = 0.7
"""Share of the smaller box above which two boxes are the same face, as after MTCNN's O-Net: a face that is too large for a
copy may have a small box inside it there."""

VOTING = 0.3
"""Least score of a box that has a part in the mean of the boxes of one face."""

_SHARPNESS = 4
_MOST_LOG = np.float32(8)  # a box of 3000 strides; without a bound a bad network overflows
_FARTHEST = 1e6
_BLOCK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Anchors that may be faces.

    Attributes:
        image: (n,) int: the image of the batch, rising within each stride.
        boxes: (n, 4) float32: x1, y1, x2, y2 in pixels.
        landmarks: (n, 5, 2) float32: x and y in pixels, in the order of `facegroup.types.Faces`.
        scores: (n,) float32 in 0..1.
    """

    image: NDArray[np.intp]
    boxes: Floats
    landmarks: Floats
    scores: Floats

    def __getitem__(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "Candidates":
        return Candidates(self.image[index], self.boxes[index], self.landmarks[index], self.scores[index])


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Return several sets as one."""
    none = Candidates(
        np.empty(0, np.intp), np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32)
    )
    every = [none, *parts]
    return Candidates(
        np.concatenate([each.image for each in every]),
        np.concatenate([each.boxes for each in every]),
        np.concatenate([each.landmarks for each in every]),
        np.concatenate([each.scores for each in every]),
    )


def decoded(outputs: Sequence[Floats], width: int, least: float) -> Candidates:
    """Return the anchors with at least a score, the root of class and objectness.

    Args:
        outputs: the arrays of `OUTPUTS`.
        width: width of the network's input in pixels.
        least: least score.
    """
    parts = []
    for level, stride in enumerate(STRIDES):
        kinds, objects, boxes, points = (outputs[level + len(STRIDES) * part] for part in range(4))
        with np.errstate(over="ignore", invalid="ignore"):
            scores = kinds[..., 0] * objects[..., 0]
        image, anchor = np.nonzero(scores >= least * least)
        row, column = np.divmod(anchor, width // stride)
        grid = np.stack([column, row], axis=1).astype(np.float32)
        place, side = boxes[image, anchor, :2], boxes[image, anchor, 2:]
        centre = (grid + place) * stride - np.float32(0.5)
        half = np.exp(np.minimum(side, _MOST_LOG)) * (stride / np.float32(2))
        marks = (points[image, anchor].reshape(-1, 5, 2) + grid[:, None]) * stride - np.float32(0.5)
        corners = np.concatenate([centre - half, centre + half], axis=1)
        # False for NaN, too. A network that gives such numbers must not stop the others of the batch.
        sane = (np.abs(np.concatenate([corners, marks.reshape(-1, 10)], axis=1)) < _FARTHEST).all(axis=1)
        parts.append(Candidates(image, corners, marks, np.sqrt(np.minimum(scores[image, anchor], 1)))[sane])
    return joined(parts)


def merged(found: Candidates) -> Candidates:
    """Return one box for each face of one image, best first.

    A face's box and landmarks are the mean of its candidates', weighted by a power of their scores: that is nearer to the
    true box than the best candidate alone (box voting, Gidaris and Komodakis 2015, arXiv:1505.01749, section 4).
    """
    kept = suppress(found.boxes, found.scores, SAME)
    voters = found[found.scores >= VOTING]
    boxes, landmarks = found.boxes[kept], found.landmarks[kept]
    if len(voters.scores):
        values = np.concatenate([voters.boxes, voters.landmarks.reshape(-1, 10)], axis=1)
        votes = voters.scores**_SHARPNESS
        for start in range(0, len(kept), _BLOCK):
            some = slice(start, start + _BLOCK)
            weights = np.where(overlap(boxes[some], voters.boxes) > SAME, votes, np.float32(0))
            total = weights.sum(axis=1, keepdims=True)
            means = np.divide(weights @ values, total, out=np.zeros((len(total), 14), np.float32), where=total > 0)
            voted = total[:, 0] > 0
            boxes[some][voted] = means[voted, :4]
            landmarks[some][voted] = means[voted, 4:].reshape(-1, 5, 2)
    scores = found.scores[kept]
    whole = suppress(boxes, scores, NESTED, "min")
    return Candidates(found.image[kept], boxes, landmarks, scores)[whole]
