"""Photos that come with installed packages, and variants of them: what tests show where ../shared is not there."""

import io
import struct
import zlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image as pillow

from facegroup.types import Image


@cache
def astronaut() -> Image:
    """Eileen Collins, 512×512: one face."""
    import skimage

    return _read(Path(skimage.__file__).parent / "data" / "astronaut.png")


@cache
def hopper() -> Image:
    """Grace Hopper, 512×600: one face."""
    import matplotlib as mpl

    return _read(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg")


def both() -> Image:
    """Two faces: Grace Hopper on the left, Eileen Collins on the right."""
    return beside([hopper(), astronaut()])


def nobody() -> Image:
    """A photo without a face."""
    return np.full((200, 300, 3), 180, np.uint8)


def beside(images: Iterable[Image]) -> Image:
    """Several photos side by side, on grey."""
    images = list(images)
    sheet = np.full((max(map(len, images)), sum(each.shape[1] for each in images), 3), 127, np.uint8)
    left = 0
    for image in images:
        sheet[: len(image), left : left + image.shape[1]] = image
        left += image.shape[1]
    return sheet


def resized(image: Image, side: int) -> Image:
    """The photo, its longer side of this many pixels."""
    picture = pillow.fromarray(image)
    scale = side / max(picture.size)
    return np.asarray(picture.resize((round(picture.width * scale), round(picture.height * scale))))


def encode(image: Image, kind: str = "JPEG", **options: object) -> bytes:
    """The photo as a file."""
    file = io.BytesIO()
    pillow.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of a few bytes that says it has 900 megapixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def _read(path: Path) -> Image:
    return np.array(pillow.open(path).convert("RGB"))
