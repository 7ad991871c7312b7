"""Read the size of an encoded image from its header, to estimate what decoding will cost before it is queued.

Reading takes microseconds and never raises, hostile files included: no more is read than a photo's header is long. This
is only an estimate: `facegroup.images.decode` decides by the decoder's own reading of the file whether it is accepted.
"""

import io
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from PIL import PpmImagePlugin

from facegroup.images import jpeg

_ISPE = re.compile(rb"ispe\x00{4}(.{8})", re.DOTALL)
_ISPES = 10_000
_PNM_BYTES = 4096
_TIFF_TAGS = 500
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_KINDS = {1: "B", 3: "H", 4: "L", 16: "Q"}
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


@dataclass(frozen=True, slots=True)
class Header:
    """The size of an image as its header states it.

    Attributes:
        width: stored width in pixels, before an EXIF orientation is applied.
        height: stored height in pixels.
        scalable: whether it is a JPEG that can be decoded row by row at a reduced scale, so that its pixels are never all
            in memory. A JPEG of several scans keeps all its coefficients in memory and is not scalable.
    """

    width: int
    height: int
    scalable: bool = False

    def decoded_pixels(self, side_pixels: int) -> int:
        """Return how many pixels are decoded to get an image whose longer side is `side_pixels`."""
        if not self.scalable:
            return self.width * self.height
        width, height = jpeg.reduced(self.width, self.height, fitted(self.width, self.height, side_pixels))
        return width * height


def fitted(width: int, height: int, side_pixels: int) -> tuple[int, int]:
    """Return width and height scaled down, if needed, so that the longer side is `side_pixels`."""
    scale = min(1.0, side_pixels / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def read(data: bytes) -> Header | None:
    """Return the header of `data`, or None if the format is unknown or the header damaged."""
    try:
        header = next((reader(data) for signature, reader in _READERS if signature.match(data)), None)
    except Exception:
        # Pillow raises OSError, SyntaxError, ValueError, struct.error and more at damaged headers, by design.
        return None
    return header if header and header.width > 0 and header.height > 0 else None


def _iso(data: bytes) -> Header | None:
    """Read AVIF or HEIF. The largest size is that of the whole image; tiles and thumbnails are smaller."""
    sizes = [struct.unpack(">II", found[1]) for found in islice(_ISPE.finditer(data), _ISPES + 1)]
    if len(sizes) > _ISPES:
        return None
    return max((Header(*size) for size in sizes), key=lambda header: header.width * header.height, default=None)


def _bmp(data: bytes) -> Header:
    old = data[14:18] == b"\x0c\x00\x00\x00"
    width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
    return Header(width, abs(height))


def _jpeg(data: bytes) -> Header | None:
    size, kind, components = (0, 0), 0, 0
    for marker, begin, _ in jpeg.segments(data):
        if marker in jpeg.FRAMES:
            kind = marker
            height, width, components = struct.unpack_from(">3xHHB", data, begin)
            size = (width, height)
        if marker == jpeg.SCAN:
            return Header(*size, scalable=kind in jpeg.SEQUENTIAL and data[begin + 2] == components)
    return None


def _webp(data: bytes) -> Header | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return Header(width, height)
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header(width & 0x3FFF, height & 0x3FFF)
    return None


def _tiff(data: bytes) -> Header | None:
    """Read the first directory. A photo has a few dozen tags, whose values all lie within the file."""
    order, big = "<" if data.startswith(b"II") else ">", b"+" in data[2:4]
    (start,) = struct.unpack_from(order + ("Q" if big else "L"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    head, entry = (8, order + "HHQ8s") if big else (2, order + "HHL4s")
    if count > _TIFF_TAGS:
        return None
    sides, length = {}, 0
    for n in range(count):
        tag, kind, values, value = struct.unpack_from(entry, data, start + head + n * struct.calcsize(entry))
        length += values * _TIFF_SIZES.get(kind, 0)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT) and kind in _TIFF_KINDS:
            (sides[tag],) = struct.unpack_from(order + _TIFF_KINDS[kind], value)
    return Header(sides[_TIFF_WIDTH], sides[_TIFF_HEIGHT]) if length <= len(data) else None


_READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Header | None]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), _jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), lambda data: Header(*struct.unpack_from(">II", data, 16))),
    (re.compile(rb"GIF8"), lambda data: Header(*struct.unpack_from("<HH", data, 6))),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _webp),
    (re.compile(rb"....ftyp", re.DOTALL), _iso),
    (re.compile(rb"BM"), _bmp),
    (re.compile(rb"II|MM"), _tiff),
    (re.compile(rb"P[1-6]\s"), lambda data: Header(*PpmImagePlugin.PpmImageFile(io.BytesIO(data[:_PNM_BYTES])).size)),
)
