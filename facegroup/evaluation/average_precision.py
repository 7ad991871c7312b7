"""Boxes found in photos, and the true ones, in; how good a detector is out: average precision, as PASCAL VOC has it.

Found boxes are taken by confidence, over all photos; one is right if it overlaps a true box that no better one has taken
(Everingham et al. 2010, "The PASCAL Visual Object Classes Challenge", section 4.2; the area under the curve whose precision
is, at each recall, the best of that recall or a higher one, as from VOC2010 on).
"""

from collections.abc import Sequence

import numpy as np

from facegroup.boxes import overlap
from facegroup.types import Faces, Floats


def average_precision(
    found: Sequence[Faces], truth: Sequence[Floats], ignored: Sequence[Floats], least: float = 0.5
) -> float:
    """Return the average precision of a detector over some photos, in 0..1.

    Args:
        found: the faces of each photo.
        truth: (n, 4) float32 true boxes of each photo: x1, y1, x2, y2.
        ignored: (m, 4) boxes of each photo that count neither way, such as WIDER FACE's `invalid`.
        least: what a found and a true box must share of their union.

    Raises:
        ValueError: there is no true box at all, so that there is no recall.
    """
    total = sum(map(len, truth))
    if not total:
        raise ValueError("there is no true box")
    right, confidence = [], []
    for faces, boxes, neither in zip(found, truth, ignored, strict=True):
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
    ranked = np.asarray(right, bool)[np.argsort(-np.asarray(confidence, np.float32), kind="stable")]
    hits = np.cumsum(ranked)
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(precision[ranked].sum() / total)
