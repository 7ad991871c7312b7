"""Choose the copies of each image that YuNet searches, and lay copies of the same size out as batches.

YuNet finds faces of about 10 to 300 pixels. The first copy of an image is scaled by the smallest face that is searched for,
and a second, small one is searched for the faces that are too large in the first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from facegroup.types import Image

CELL = 32
"""Sides of the network's input are multiples of this."""

SMALLEST = 20
"""Side that the smallest face has in the first copy, in pixels."""

SECOND = 320
"""Longest side of the second copy in pixels: a face may fill it. The image is averaged over whole pixels, since OpenCV
takes several times as long for fractions."""

ALONE = 400
"""Longer side of a first copy up to which there is no second one."""

LARGE = 32
"""Least side of a face in the second copy. Smaller ones are found better in the first."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One scaled copy of an image.

    Attributes:
        image: number of the image.
        width: width in pixels.
        height: height in pixels.
        ratio: pixels of the image for each pixel of the copy, across and down.
        least: smallest side of a face that counts in it, in its pixels.
        averages: side of the square of pixels of the image that becomes one pixel; 0 if it is scaled by a fraction.
    """

    image: int
    width: int
    height: int
    ratio: tuple[float, float]
    least: float = 0.0
    averages: int = 0

    def bucket(self, step: int) -> tuple[int, int]:
        """Return its height and width, rounded up to multiples of `step`."""
        return -(-self.height // step) * step, -(-self.width // step) * step


def copies(image: int, shape: tuple[int, ...], min_face_size: int) -> list[Copy]:
    """Return the copies of an image of some height and width that are searched."""
    height, width = shape[:2]
    scale = SMALLEST / min_face_size
    first = _copy(image, width, height, scale)
    longest = max(first.width, first.height)
    if longest <= ALONE:
        return [first]
    whole = -(-max(width, height) // SECOND)
    size = max(1, width // whole), max(1, height // whole)
    return [first, Copy(image, *size, (whole, whole), LARGE, averages=whole)]


def grouped(planned: Sequence[Copy], step: int, pixels: float) -> list[list[Copy]]:
    """Group copies with the same bucket, at most so many pixels in a group unless it is a single copy; the largest first."""
    buckets: dict[tuple[int, int], list[Copy]] = {}
    for each in planned:
        buckets.setdefault(each.bucket(step), []).append(each)
    groups: list[tuple[int, list[Copy]]] = []
    for (height, width), members in buckets.items():
        most = max(1, int(pixels / (height * width)))
        parts = -(-len(members) // most)
        groups += [(height * width * len(part), part) for part in _split(members, parts)]
    return [part for _, part in sorted(groups, key=lambda group: -group[0])]


def batch(images: Sequence[Image], members: Sequence[Copy], step: int) -> Image:
    """Return the copies of one bucket as (n, h, w, 3) uint8 RGB, black to the right and below."""
    height, width = members[0].bucket(step)
    pixels = np.zeros((len(members), height, width, 3), np.uint8)
    for place, each in zip(pixels, members, strict=True):
        place[: each.height, : each.width] = _scaled(images[each.image], each)
    return pixels


def _copy(image: int, width: int, height: int, scale: float) -> Copy:
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Copy(image, *size, (width / size[0], height / size[1]))


def _split(members: Sequence[Copy], parts: int) -> Iterator[list[Copy]]:
    edges = np.linspace(0, len(members), parts + 1).astype(int).tolist()
    return (list(members[start:end]) for start, end in pairwise(edges))


def _scaled(image: Image, copy: Copy) -> Image:
    size = copy.width, copy.height
    if copy.averages:
        image = image[: copy.height * copy.averages, : copy.width * copy.averages]
    if size == image.shape[1::-1]:
        return image
    smaller = copy.width < image.shape[1]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))
