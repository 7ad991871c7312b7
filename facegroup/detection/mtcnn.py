"""Detect the faces in a batch of images: P-Net proposes boxes, R-Net rejects most, O-Net decides and finds landmarks.

The method and its numbers are those of Zhang et al. 2016 (arXiv:1604.02878) as in the mtcnn package 1.0.0. Here each stage
processes all images of the batch together, and no step loops over boxes.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from queue import SimpleQueue

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.detection.boxes import clip, square, suppress
from facegroup.detection.buffers import Buffer, DetectorBuffers
from facegroup.detection.detector import MTCNN, MTCNN_SCALE
from facegroup.detection.nets import Nets
from facegroup.detection.pyramid import CELL, STRIDE, Canvases, centred, scales, spread
from facegroup.types import Faces, Floats, Image

THRESHOLDS = (0.6, 0.7, 0.8)
"""Lowest accepted probability after P-Net, R-Net and O-Net."""

MIN_FACE_SIZE = 20

CANVASES = 8
"""Canvases that P-Net processes at once, before its outputs are read."""

PHOTO_PIXELS = 2_000_000
"""Largest photo for which a thread keeps a buffer."""

CROPS = {24: 512, 48: 128}
"""Boxes that are cropped at once, by the side of the crops."""


class Mtcnn:
    """MTCNN, a `FaceDetector` for batches of images.

    Args:
        nets: the three networks on their engine.
        least: least probability that O-Net gives a face. The package's is 0.8.
    """

    name = MTCNN
    scale = MTCNN_SCALE

    def __init__(self, nets: Nets, least: float = THRESHOLDS[2]) -> None:
        self.nets = nets
        self.engine = nets.name
        self.device = nets.device
        self._least = least
        self._lanes = ThreadPoolExecutor(nets.lanes, "detect") if nets.lanes > 1 else None
        self._canvases = CANVASES * nets.canvas[0] * nets.canvas[1]
        self._buffers: SimpleQueue[DetectorBuffers] = SimpleQueue()
        for _ in range(nets.lanes):
            self._buffers.put(DetectorBuffers(CANVASES, Buffer(self._canvases * 3), Buffer(PHOTO_PIXELS * 3)))

    def detect(self, images: Sequence[Image], min_face_size: int | Sequence[int] = MIN_FACE_SIZE) -> list[Faces]:
        """Return the faces of each image.

        Args:
            images: (h, w, 3) uint8 RGB each, of any sizes.
            min_face_size: smallest face to detect, in pixels of the image; one number for all images, or one for each.
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

    def turns(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[Floats]:
        """Return O-Net's score of each box as it is, and turned by 90, 180 and 270 degrees counter-clockwise.

        On LFW, 99 % of upright faces score best unturned, and 97 % of upside-down faces score best turned by 180 degrees.

        Args:
            images: (h, w, 3) uint8 RGB each.
            faces: the faces of each image, in its pixels.

        Returns:
            (n, 4) float32 for each image: log-odds.
        """
        owners = np.repeat(np.arange(len(images)), [len(each) for each in faces])
        if not len(owners):
            return [np.empty((0, 4), np.float32) for _ in images]
        boxes, onet = square(np.concatenate([each.boxes for each in faces])), self.nets.lane.onet
        buffers = self._buffers.get()
        try:
            odds = [
                np.stack([onet(np.ascontiguousarray(np.rot90(crops, turns, axes=(1, 2))))[0] for turns in range(4)], 1)
                for crops in _crops(images, buffers, owners, boxes, 48)
            ]
        finally:
            self._buffers.put(buffers)
        every = np.concatenate(odds)
        return [every[mine] for mine in _slices(owners, len(images))]

    def beside(self) -> "Mtcnn | None":
        """See `FaceDetector`."""
        return Mtcnn(self.nets, self._least) if self.device == "cpu" else None

    def warm(self) -> None:
        """See `FaceDetector`."""
        self.nets.warm()

    def close(self) -> None:
        """Stop the threads."""
        if self._lanes is not None:
            self._lanes.shutdown()

    def _detect(self, nets: Nets, images: Sequence[Image], sizes: Sequence[int]) -> list[Faces]:
        buffers = self._buffers.get()
        try:
            proposed = [
                _propose(nets, spread(images[part], sizes[part], nets.canvas, buffers), part.start)
                for part in _parts(images, sizes, self._canvases)
            ]
            owners, boxes = (np.concatenate(each) for each in zip(_NONE, *proposed, strict=True))
            owners, boxes = _refine(nets, images, buffers, owners, boxes)
            owners, boxes, landmarks, scores = _decide(nets, images, buffers, owners, boxes, self._least)
        finally:
            self._buffers.put(buffers)
        return [
            _ordered(clip(boxes[mine], *image.shape[1::-1]), landmarks[mine], scores[mine])
            for image, mine in zip(images, _slices(owners, len(images)), strict=True)
        ]


def _odds(probability: float) -> np.float32:
    with np.errstate(divide="ignore"):
        return np.float32(np.log(np.float64(probability) / (1 - probability)))


_LEAST_ODDS = [_odds(each) for each in THRESHOLDS]
_NONE = np.empty(0, np.intp), np.empty((0, 4), np.float32)


def _parts(images: Sequence[Image], sizes: Sequence[int], limit: int) -> Iterator[slice]:
    """Split a batch into runs of images whose scales have at most `limit` pixels, or of a single larger image."""
    start, pixels = 0, 0.0
    for index, (image, size) in enumerate(zip(images, sizes, strict=True)):
        rows, columns = image.shape[:2]
        more = rows * columns * sum(scale**2 for scale in scales(columns, rows, size))
        if index > start and pixels + more > limit:
            yield slice(start, index)
            start, pixels = index, 0.0
        pixels += more
    yield slice(start, len(images))


def _propose(nets: Nets, spread_out: Iterator[Canvases], first: int) -> tuple[NDArray[np.intp], Floats]:
    """Run P-Net on the images from `first` on. Return the image of each proposal (sorted), and its square box."""
    found = [_windows(nets, canvases) for canvases in spread_out]
    if not found:
        return _NONE
    image, level, boxes, score = (np.concatenate(each) for each in zip(*found, strict=True))
    per_level = _suppress_each(image * 64 + level, boxes, score, 0.5)
    image, boxes, score = image[per_level], boxes[per_level], score[per_level]
    kept = _suppress_each(image, boxes, score, 0.7)
    return image[kept].astype(np.intp) + first, square(boxes[kept])


def _windows(nets: Nets, canvases: Canvases) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats, Floats]:
    """Return image, level, box and probability of each window that P-Net classifies as a face."""
    odds, regressions = nets.pnet(canvases.pixels, canvases.mask, canvases.rows)
    page, row, column = np.nonzero((odds > _LEAST_ODDS[0]) & (canvases.owner >= 0))
    tile = canvases.owner[page, row, column]
    score = _probability(odds[page, row, column])
    # The package's windows reach from 2x + 1 to 2x + 12 (its first authors counted from 1), and so were 11 wide.
    corner = np.stack([column, row], axis=1).astype(np.float32) * STRIDE + 1
    cells = np.concatenate([corner, corner + (CELL - 1)], axis=1) + regressions[page, row, column] * (CELL - 1)
    boxes = (cells + np.tile(canvases.origin[tile], 2)) * canvases.ratio[tile][:, None]
    return canvases.image[tile], canvases.level[tile], boxes, score


def _refine(
    nets: Nets, images: Sequence[Image], buffers: DetectorBuffers, owners: NDArray[np.intp], boxes: Floats
) -> tuple[NDArray[np.intp], Floats]:
    if not len(boxes):
        return owners, boxes
    odds, regressions = _outputs(nets.rnet, images, buffers, owners, boxes, 24)
    passed = odds > _LEAST_ODDS[1]
    owners, scores, boxes = owners[passed], _probability(odds[passed]), _adjust(boxes, regressions)[passed]
    kept = _suppress_each(owners, boxes, scores, 0.7)
    return owners[kept], square(boxes[kept])


def _decide(
    nets: Nets,
    images: Sequence[Image],
    buffers: DetectorBuffers,
    owners: NDArray[np.intp],
    boxes: Floats,
    least: float,
) -> tuple[NDArray[np.intp], Floats, Floats, Floats]:
    if not len(boxes):
        return owners, boxes, np.empty((0, 5, 2), np.float32), np.empty(0, np.float32)
    odds, regressions, points = _outputs(nets.onet, images, buffers, owners, boxes, 48)
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    landmarks = points.reshape(-1, 2, 5).transpose(0, 2, 1) * sides[:, None] + boxes[:, None, :2] - 1
    passed = odds > _odds(least)
    owners, scores, boxes = owners[passed], _probability(odds[passed]), _adjust(boxes, regressions)[passed]
    kept = _suppress_each(owners, boxes, scores, 0.7, smaller=True)
    return owners[kept], boxes[kept], landmarks[passed][kept], scores[kept]


def _outputs(
    net: Callable[[Floats], tuple[Floats, ...]],
    images: Sequence[Image],
    buffers: DetectorBuffers,
    owners: NDArray[np.intp],
    boxes: Floats,
    side: int,
) -> Iterator[Floats]:
    """Return a network's outputs for the crops of boxes, whose owners must be sorted."""
    parts = [net(crops) for crops in _crops(images, buffers, owners, boxes, side)]
    return (np.concatenate(outputs) for outputs in zip(*parts, strict=True))


def _crops(
    images: Sequence[Image], buffers: DetectorBuffers, owners: NDArray[np.intp], boxes: Floats, side: int
) -> Iterator[Floats]:
    """Crop boxes in chunks, so that the crops of a crowd do not fill the memory."""
    for start in range(0, len(boxes), CROPS[side]):
        some = slice(start, start + CROPS[side])
        yield _crop(images, buffers, owners[some], boxes[some], side)


def _shares(work: Sequence[float], lanes: int) -> list[list[int]]:
    """Distribute indices among lanes so that each has about the same work: the largest first, to the least loaded lane."""
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
    """Return the indices of the boxes that non-maximum suppression within each group keeps, sorted by group."""
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


def _probability(odds: Floats) -> Floats:
    """Return the probability p of log-odds ln(p / (1 - p))."""
    return np.float32(1) / (np.float32(1) + np.exp(-odds))


def _adjust(boxes: Floats, regressions: Floats) -> Floats:
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + regressions * np.tile(sides, 2)


def _crop(
    images: Sequence[Image], buffers: DetectorBuffers, owners: NDArray[np.intp], boxes: Floats, side: int
) -> Floats:
    """Crop boxes from their images, sampled bilinearly at side×side points, as the package's crop_and_resize does.

    One remap call per image makes a picture whose rows are the crops. Pixels outside an image are grey, which is 0.
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
        cv2.remap(
            centred(image, buffers.photo), columns, rows, cv2.INTER_LINEAR, crops[mine], cv2.BORDER_CONSTANT, (0, 0, 0)
        )
    return crops.reshape(-1, side, side, 3)


def _samples(spans: Floats, length: int, steps: Floats) -> Floats:
    """Return the (n, side) sampling points of (n, 2) spans on an axis of `length` pixels, -2 for points outside it.

    crop_and_resize scales by (length - 1) / length: its boxes are fractions of the length, its samples of the last pixel.
    It does not interpolate between the last pixel and the outside.
    """
    start, end = (spans * np.float32(1 - 1 / length)).T[..., None]
    places: Floats = start + (end - start) * steps
    places[(places < 0) | (places > length - 1)] = -2
    return places


def _ordered(boxes: Floats, landmarks: Floats, confidence: Floats) -> Faces:
    order = np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")
    return Faces(boxes[order], landmarks[order].astype(np.float32), confidence[order])
