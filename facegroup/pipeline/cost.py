"""Estimate the cost of a photo from its header, without decoding it.

The unit is the work of finding faces of at least 20 pixels in one pixel, about 180 ns on one core. Decoding takes 15 to 30
ns per pixel; a JPEG takes 5 ns per pixel, and 15 ns more per pixel at its reduced scale.
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
"""Cost of detection in a photo, relative to one pass: further passes cost at most twice the first
(`facegroup.detection.second_look`). Camera frames get one pass."""

_LEAST = 50_000
"""Least cost of any photo, for the work that does not depend on its size."""

TOGETHER = 4 * _LOOKS
"""Most cost of one batch of photos, in detection batches of `detector.batch_pixels` each."""

_SMALL = TOGETHER * 2 / 3
"""Most cost of a small request, in the same unit: a phone's photo of 12 to 50 megapixels costs 7 of these 8."""


def _decoding(data: bytes) -> float:
    """Return the cost of decoding one pixel. It grows with the scans of a JPEG, each of which visits every pixel."""
    return _DECODED + (_SCAN * data.count(b"\xff\xda") if data.startswith(b"\xff\xd8") else 0)


def is_small(photos: Sequence[Photo], settings: Settings) -> bool:
    """Return whether photos with a price cost so little in total that their request takes no turns."""
    return sum(photo.cost for photo in photos) <= _SMALL * settings.detector.batch_pixels


def price(photo: Photo, settings: Settings) -> float:
    """Return the estimated cost of a photo. A file without a readable header has the least cost, because it is refused."""
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
