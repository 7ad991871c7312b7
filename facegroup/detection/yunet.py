"""Detect the faces in a batch of images with YuNet, or another network of its form."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import pairwise
from typing import Protocol, TypeVar

import cv2
import numpy as np

from facegroup.detection.boxes import clip, overlap
from facegroup.detection.yunet_anchors import VOTING, Candidates, decoded, joined, merged
from facegroup.detection.yunet_copies import SECOND, SMALLEST, Copy, batch, copies, grouped
from facegroup.detection.yunet_spec import YunetSpec
from facegroup.types import Faces, Floats, Image

Job = TypeVar("Job")
Done = TypeVar("Done")

_DISTRUST = np.float32(0.2)
_SIDE = 128
_AROUND = 2.0
"""Side of the crop in which a face's orientation is measured, in pixels and in sides of its box."""


class YunetNet(Protocol):
    """Protocol of the network on a runtime. As many threads as `lanes` may use it at once."""

    name: str
    device: str
    lanes: int
    step: int
    """Sides of its input are rounded up to multiples of this."""
    pixels: int
    """Most pixels in one inference, unless a single image has more."""

    def inferred(self, pixels: Image) -> AbstractContextManager[Sequence[Floats]]:
        """Provide the arrays of `OUTPUTS` of (n, h, w, 3) uint8 RGB, valid until the context ends."""


class Yunet:
    """YuNet, a `FaceDetector` for batches of images.

    Args:
        net: the network on its engine.
        spec: the network.
        least: least confidence of a face that it returns; None takes the network's own.
    """

    def __init__(self, net: YunetNet, spec: YunetSpec, least: float | None = None) -> None:
        self.name = spec.name
        self.engine = net.name
        self.device = net.device
        self.scale = spec.scale
        self._net = net
        self._spec = spec
        self._least = spec.scale.least if least is None else least
        self._lanes = ThreadPoolExecutor(net.lanes, "detect") if net.lanes > 1 else None

    def detect(self, images: Sequence[Image], min_face_size: int | Sequence[int] = 20) -> list[Faces]:
        """See `FaceDetector`. Faces down to half of `min_face_size` are found, the smaller the less reliably."""
        sizes = [min_face_size] * len(images) if isinstance(min_face_size, int) else list(min_face_size)
        planned = [
            each
            for index, (image, size) in enumerate(zip(images, sizes, strict=True))
            for each in copies(index, image.shape, size)
        ]
        found = self._search(images, planned, min(self._least, VOTING))
        numbers = np.arange(len(images))
        order = np.argsort(found.image, kind="stable")
        edges = np.searchsorted(found.image[order], [*numbers, len(images)]).tolist()
        own = [found[order[edges[number] : edges[number + 1]]] for number in numbers]
        return self._each(self._faces, list(zip(images, own, strict=True)))

    def turns(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[Floats]:
        """See `FaceDetector`. The numbers are log-odds of the best score in the face's place."""
        crops = [_around(image, box) for image, each in zip(images, faces, strict=True) for box in each.boxes]
        turned = [np.ascontiguousarray(np.rot90(crop, turns)) for crop in crops for turns in range(4)]
        planned = [Copy(index, _SIDE, _SIDE, (1, 1)) for index in range(len(turned))]
        found = self._search(turned, planned, 0.02)
        middle = np.array([[1, 1, 3, 3]], np.float32) * np.float32(_SIDE / 4)
        scores = np.full(len(turned), 0.02, np.float32)
        there = overlap(found.boxes, middle)[:, 0] > 0.25
        np.maximum.at(scores, found.image[there], found.scores[there])
        odds = np.log(scores / (np.float32(1.0001) - scores)).reshape(-1, 4)
        edges = np.cumsum([0, *map(len, faces)]).tolist()
        return [odds[start:end] for start, end in pairwise(edges)]

    def beside(self) -> "Yunet | None":
        """See `FaceDetector`."""
        return Yunet(self._net, self._spec, self._least) if self.device == "cpu" else None

    def warm(self) -> None:
        """See `FaceDetector`."""
        black = np.zeros((1, SECOND, SECOND, 3), np.uint8)
        self._each(self._read, [black] * self._net.lanes)

    def close(self) -> None:
        """Stop the threads."""
        if self._lanes is not None:
            self._lanes.shutdown()

    def _search(self, images: Sequence[Image], planned: Sequence[Copy], least: float) -> Candidates:
        """Return the candidates of all copies, with the number of the image and in its pixels."""
        step, lanes = self._net.step, self._net.lanes
        total = sum(height * width for height, width in (each.bucket(step) for each in planned))

        def search(members: list[Copy]) -> Candidates:
            pixels = batch(images, members, step)
            with self._net.inferred(pixels) as outputs:
                found = decoded(outputs, pixels.shape[2], least)
            return _in_images(found, members)

        return joined(self._each(search, grouped(planned, step, min(self._net.pixels, total / lanes))))

    def _faces(self, given: tuple[Image, Candidates]) -> Faces:
        image, found = given
        best = merged(found)
        best = best[best.scores >= self._least]
        boxes = clip(best.boxes, *image.shape[1::-1])
        order = np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")
        return Faces(boxes[order], best.landmarks[order], best.scores[order])

    def _read(self, pixels: Image) -> None:
        with self._net.inferred(pixels):
            pass

    def _each(self, do: Callable[[Job], Done], jobs: Sequence[Job]) -> list[Done]:
        return list(map(do, jobs) if self._lanes is None or len(jobs) < 2 else self._lanes.map(do, jobs))


def _in_images(found: Candidates, members: Sequence[Copy]) -> Candidates:
    """Return the candidates of a batch of copies in pixels of their images, without those too small for their copy."""
    least = np.array([each.least for each in members], np.float32)[found.image]
    sides = np.sqrt(np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1))
    found = found[sides >= least]
    found = replace(found, scores=found.scores * _trust(sides[sides >= least]))
    ratio = np.array([each.ratio for each in members], np.float32)[found.image]
    boxes = (found.boxes + np.float32(0.5)) * np.tile(ratio, 2) - np.float32(0.5)
    landmarks = (found.landmarks + np.float32(0.5)) * ratio[:, None] - np.float32(0.5)
    return Candidates(np.array([each.image for each in members], np.intp)[found.image], boxes, landmarks, found.scores)


def _trust(sides: Floats) -> Floats:
    """Return the factors for the scores of boxes with these sides in their copy.

    Of the boxes under 20 pixels, fewer overlap a face by half than of larger ones with the same score: with these factors
    one threshold has the same precision for both (docs/decisions/0023-yunet.md).
    """
    trust: Floats = 1 - _DISTRUST * np.clip(1 - sides / np.float32(SMALLEST), 0, 1)
    return trust


def _around(image: Image, box: Floats) -> Image:
    """Return the square around a face as (128, 128, 3) uint8. Its box is the middle half; outside the image it is grey."""
    side = max(1.0, float((box[2:] - box[:2]).max())) * _AROUND
    corner = (box[:2] + box[2:]) / 2 - side / 2
    scale = _SIDE / side
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]], np.float64)
    grey = (127, 127, 127)
    return np.asarray(cv2.warpAffine(image, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR, borderValue=grey))
