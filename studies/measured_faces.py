"""Detect the faces of photos, and return their quality, confidence and descriptors, for studies of poor photos."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.evaluation.lfw import central
from facegroup.networks.embedder import Embedder
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import DetectedFaces, Photo, Quality
from facegroup.types import Descriptors, Floats, Image

_BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredFaces:
    """Measured faces, one per row.

    Attributes:
        photos: (n,) number of the photo of each face.
        parts: (n, parts of `Quality`) float32.
        confidence: (n,) float32.
        descriptors: (n, d) float32.
    """

    photos: NDArray[np.intp]
    parts: Floats
    confidence: Floats
    descriptors: Descriptors

    @property
    def quality(self) -> Quality:
        """The quality by part."""
        return Quality(*self.parts.T)


def measured(
    photos: Iterable[bytes],
    finder: Finder,
    embedder: Embedder,
    *,
    every: bool = False,
    told: Callable[[int], None] = lambda _: None,
) -> MeasuredFaces:
    """Return the central face of each photo with a face, or every face."""
    rows = [_measured([], 0, finder, embedder, every)]
    for number, part in enumerate(_parts(photos)):
        rows.append(_measured(part, number * _BATCH, finder, embedder, every))
        told(number * _BATCH + len(part))
    return MeasuredFaces(
        np.concatenate([row.photos for row in rows]),
        np.concatenate([row.parts for row in rows]),
        np.concatenate([row.confidence for row in rows]),
        np.concatenate([row.descriptors for row in rows]),
    )


def encoded(image: Image) -> bytes:
    """Return an image as the bytes of a lossless file."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])


def _parts(photos: Iterable[bytes]) -> Iterator[list[bytes]]:
    left = iter(photos)
    while part := list(islice(left, _BATCH)):
        yield part


def _measured(photos: list[bytes], first: int, finder: Finder, embedder: Embedder, every: bool) -> MeasuredFaces:
    numbers, parts, confidence, crops = [], [], [], []
    for number, found in enumerate(finder.find([Photo(data) for data in photos]), first):
        if not isinstance(found, DetectedFaces) or not len(found.faces):
            continue
        faces = range(len(found.faces)) if every else [central(found.faces, found.width, found.height)]
        for face in faces:
            numbers.append(number)
            parts.append([getattr(found.quality, part)[face] for part in Quality.__slots__])
            confidence.append(found.faces.confidence[face])
            crops.append(found.crops[face])
    size, width = embedder.spec.size, len(Quality.__slots__)
    cut = np.array(crops, np.uint8).reshape(-1, size, size, 3)
    return MeasuredFaces(
        np.array(numbers, np.intp),
        np.array(parts, np.float32).reshape(-1, width),
        np.array(confidence, np.float32),
        embedder.embed(cut),
    )
