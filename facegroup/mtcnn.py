"""Images → faces, for a batch at once: P-Net proposes, R-Net refuses, O-Net decides and gives five landmarks.

The method and its numbers are those of Zhang et al. 2016 (arXiv:1604.02878) as the mtcnn package 1.0.0 has them; what is
new is that every stage sees all images of the batch together, and that no step loops over boxes.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.boxes import clip, square, suppress
from facegroup.networks.mtcnn_nets import Nets
from facegroup.pyramid import CELL, STRIDE, Canvases, centred, spread
from facegroup.types import Faces, Floats, Image

THRESHOLDS = (0.6, 0.7, 0.8)
"""Least probability after P-Net, R-Net and O-Net."""

MIN_FACE_SIZE = 20


class Mtcnn:
    """The detector.

    Args:
        nets: the three networks on their engine.
    """

    def __init__(self, nets: Nets) -> None:
        self.nets = nets
        self._lanes = ThreadPoolExecutor(nets.lanes, "detect") if nets.lanes > 1 else None

    def detect(self, images: Sequence[Image], min_face_size: int | Sequence[int] = MIN_FACE_SIZE) -> list[Faces]:
        """Return the faces of each image.

        Args:
            images: (h, w, 3) uint8 RGB each, of any sizes.
            min_face_size: smallest face looked for, in pixels of its image; one for all, or one for each.
        """
        sizes = [min_face_size] * len(images) if isinstance(min_face_size, int) else list(min_face_size)
        work = [image.shape[0] * image.shape[1] / size**2 for image, size in zip(images, sizes, strict=True)]
        shares = _shares(work, self.nets.lanes)
        if self._lanes is None or len(shares) < 2:
            return self._detect(self.nets, images, sizes)

        def detect(share: list[int]) -> list[Faces]:
            return self._detect(self.nets.lane, [images[each] for each in share], [sizes[each] for each in share])

        parts = self._lanes.map(detect, shares)
        found = {
            each: faces
            for share, part in zip(shares, parts, strict=True)
            for each, faces in zip(share, part, strict=True)
        }
        return [found[index] for index in range(len(images))]

    def close(self) -> None:
        """Let the threads go."""
        if self._lanes is not None:
            self._lanes.shutdown()

    @staticmethod
    def _detect(nets: Nets, images: Sequence[Image], sizes: Sequence[int]) -> list[Faces]:
        pixels = [centred(image) for image in images]
        owners, boxes = _propose(nets, spread(pixels, sizes, nets.canvas))
        owners, boxes = _refine(nets, pixels, owners, boxes)
        owners, boxes, landmarks, scores = _decide(nets, pixels, owners, boxes)
        return [
            _ordered(clip(boxes[mine], *image.shape[1::-1]), landmarks[mine], scores[mine])
            for image, mine in zip(images, _slices(owners, len(images)), strict=True)
        ]


def _propose(nets: Nets, canvases: Canvases) -> tuple[NDArray[np.intp], Floats]:
    """Run P-Net: return which image each proposal is of (sorted), and its square box."""
    if not len(canvases.pixels):
        return np.empty(0, np.intp), np.empty((0, 4), np.float32)
    scores, regressions = nets.pnet(canvases.pixels, canvases.rows)
    page, row, column = np.nonzero((scores > THRESHOLDS[0]) & (canvases.owner >= 0))
    tile = canvases.owner[page, row, column]
    score = scores[page, row, column]
    # The package's windows reach from 2x + 1 to 2x + 12 (its first authors counted from 1), and so were 11 wide.
    corner = np.stack([column, row], axis=1).astype(np.float32) * STRIDE + 1
    cells = np.concatenate([corner, corner + (CELL - 1)], axis=1) + regressions[page, row, column] * (CELL - 1)
    boxes = (cells + np.tile(canvases.origin[tile], 2)) * canvases.ratio[tile][:, None]
    image, level = canvases.image[tile], canvases.level[tile]
    per_level = _suppress_each(image * 64 + level, boxes, score, 0.5)
    image, boxes, score = image[per_level], boxes[per_level], score[per_level]
    kept = _suppress_each(image, boxes, score, 0.7)
    return image[kept].astype(np.intp), square(boxes[kept])


def _refine(
    nets: Nets, images: Sequence[Floats], owners: NDArray[np.intp], boxes: Floats
) -> tuple[NDArray[np.intp], Floats]:
    if not len(boxes):
        return owners, boxes
    scores, regressions = nets.rnet(_cut(images, owners, boxes, 24))
    passed = scores > THRESHOLDS[1]
    owners, scores, boxes = owners[passed], scores[passed], _adjust(boxes, regressions)[passed]
    kept = _suppress_each(owners, boxes, scores, 0.7)
    return owners[kept], square(boxes[kept])


def _decide(
    nets: Nets, images: Sequence[Floats], owners: NDArray[np.intp], boxes: Floats
) -> tuple[NDArray[np.intp], Floats, Floats, Floats]:
    if not len(boxes):
        return owners, boxes, np.empty((0, 5, 2), np.float32), np.empty(0, np.float32)
    scores, regressions, points = nets.onet(_cut(images, owners, boxes, 48))
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    landmarks = points.reshape(-1, 2, 5).transpose(0, 2, 1) * sides[:, None] + boxes[:, None, :2] - 1
    passed = np.flatnonzero(scores > THRESHOLDS[2])
    adjusted = _adjust(boxes, regressions)
    kept = passed[_suppress_each(owners[passed], adjusted[passed], scores[passed], 0.7, smaller=True)]
    return owners[kept], adjusted[kept], landmarks[kept], scores[kept]


def _shares(work: Sequence[float], lanes: int) -> list[list[int]]:
    """Deal indices out among lanes so that each has about the same work: the largest first, to whoever has least."""
    shares: list[list[int]] = [[] for _ in range(min(lanes, len(work)) or 1)]
    loads = [0.0] * len(shares)
    for index in sorted(range(len(work)), key=work.__getitem__, reverse=True):
        least = loads.index(min(loads))
        shares[least].append(index)
        loads[least] += work[index]
    return shares


def _suppress_each(
    groups: NDArray[np.integer], boxes: Floats, scores: Floats, threshold: float, *, smaller: bool = False
) -> NDArray[np.intp]:
    """Suppress within each group; return indices sorted by group."""
    order = np.argsort(groups, kind="stable")
    edges = np.flatnonzero(np.diff(groups[order], prepend=-1, append=-1))
    kept = [
        mine[suppress(boxes[mine], scores[mine], threshold, "min" if smaller else "union")]
        for mine in (order[start:end] for start, end in pairwise(edges))
    ]
    return np.concatenate(kept) if kept else order


def _slices(owners: NDArray[np.intp], count: int) -> list[slice]:
    edges = np.searchsorted(owners, np.arange(count + 1))
    return [slice(start, end) for start, end in pairwise(edges)]


def _adjust(boxes: Floats, regressions: Floats) -> Floats:
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + regressions * np.tile(sides, 2)


def _cut(images: Sequence[Floats], owners: NDArray[np.intp], boxes: Floats, side: int) -> Floats:
    """Cut boxes out of their images, sampled bilinearly at side×side points, as the package's crop_and_resize does.

    One remap call an image, on a picture whose rows are the crops. What lies outside an image is grey, which is 0.
    """
    crops = np.empty((len(boxes), side * side, 3), np.float32)
    steps = np.linspace(0, 1, side, dtype=np.float32)
    for image, mine in zip(images, _slices(owners, len(images)), strict=True):
        if mine.start == mine.stop:
            continue
        box = boxes[mine]
        x, y = (_samples(box[:, axis::2], image.shape[1 - axis], steps) for axis in (0, 1))
        shape = len(box), side, side
        columns = np.broadcast_to(x[:, None, :], shape).reshape(len(box), -1)
        rows = np.broadcast_to(y[:, :, None], shape).reshape(len(box), -1)
        cv2.remap(image, columns, rows, cv2.INTER_LINEAR, crops[mine], cv2.BORDER_CONSTANT, (0, 0, 0))
    return crops.reshape(-1, side, side, 3)


def _samples(spans: Floats, length: int, steps: Floats) -> Floats:
    """Return where spans (n, 2) of an axis of so many pixels are sampled, (n, side); -2 for places outside it.

    crop_and_resize scales by (length - 1) / length: its boxes are fractions of the length, its samples of the last pixel.
    Between the last pixel and what lies outside it does not interpolate.
    """
    start, end = (spans * np.float32(1 - 1 / length)).T[..., None]
    places: Floats = start + (end - start) * steps
    places[(places < 0) | (places > length - 1)] = -2
    return places


def _ordered(boxes: Floats, landmarks: Floats, confidence: Floats) -> Faces:
    order = np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")
    return Faces(boxes[order], landmarks[order].astype(np.float32), confidence[order])
