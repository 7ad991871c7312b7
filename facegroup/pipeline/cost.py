"""What a photo will cost, from its header: the unit is the work of finding faces of 20 pixels and more in one pixel.

In: an encoded photo. Out: that number, in microseconds, and nothing is decoded. Measured on one core, detection takes 180 ns
a pixel; decoding takes 15 to 30 of each pixel, of a JPEG 5 and 15 more of each that is left after its reduced scale.
"""

from collections.abc import Sequence

from facegroup.images import headers
from facegroup.pipeline.messages import Photo
from facegroup.settings import Settings

MIN_FACE_SIZE = 20
_DECODED = 1 / 8
_READ = 1 / 40
_SCALED = 3 / 40
_SCAN = 1 / 80
_LOOKS = 3
"""That a photo may take: second looks cost twice the first at most (`facegroup.detection.second_look`).

Frames of cameras get one."""

_LEAST = 50_000
"""Of any photo, however small: what is done once for each."""

TOGETHER = 4 * _LOOKS
"""Batches of detection, of `detector.batch_pixels` each, that one batch of photos may cost."""

_SMALL = TOGETHER * 2 / 3
"""Of those, what a small request costs at most: a phone's photo of 12 to 50 megapixels costs 7 of the 8."""


def _decoding(data: bytes) -> float:
    """Return what one pixel costs to decode: a JPEG that says so may have its pixels gone through a thousand times."""
    return _DECODED + (_SCAN * data.count(b"\xff\xda") if data.startswith(b"\xff\xd8") else 0)


def is_small(photos: Sequence[Photo], settings: Settings) -> bool:
    """Say whether photos that have their price cost so little together that they need not take turns."""
    return sum(photo.cost for photo in photos) <= _SMALL * settings.detector.batch_pixels


def price(photo: Photo, settings: Settings) -> float:
    """Return what a photo will cost; what is no image that is known costs next to nothing, as it is refused."""
    header = headers.read(photo.data)
    if header is None:
        return _LEAST
    full = header.width * header.height
    side = settings.limits.side_pixels
    read = full * _READ + header.decoded_pixels(side) * _SCALED if header.scalable else full * _decoding(photo.data)
    if photo.faces is not None:
        return _LEAST + read
    smallest = photo.min_face_size or settings.detector.min_face_size
    scale = min(1.0, side / max(header.width, header.height))
    seen = max(12.0, smallest * scale)
    looks = 1 if photo.background else _LOOKS
    return _LEAST + read + looks * full * scale**2 * (MIN_FACE_SIZE / seen) ** 2
