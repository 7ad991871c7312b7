"""Decode a JPEG strictly: return all of its pixels, or refuse it if any are missing.

Pillow decodes as much as it can of a damaged JPEG without reporting the damage. libjpeg-turbo reports it by warnings, which
`simplejpeg` raises as errors. Only the segments that decoding needs are passed on, so damaged metadata does not matter, and
an end marker is appended, so a photo that lacks only that is accepted.
"""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from facegroup.errors import TruncatedImage, UnsupportedFormat

_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])", re.DOTALL)
_HUFFMAN_TABLES, _START, _END, SCAN, _JFIF, _EXIF, _ADOBE = 0xC4, 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xEE
_COMMENT = 0xFE
_RESERVED = range(0x02, 0xC0)
_NEEDLESS = {_START, *_RESERVED, *range(0xE0, 0xF0), _COMMENT}
FRAMES = frozenset(range(0xC0, 0xD0)) - {_HUFFMAN_TABLES, 0xC8, 0xCC}
SEQUENTIAL, _PROGRESSIVE, _ARITHMETIC = {0xC0, 0xC1, 0xC9}, {0xC2, 0xCA}, {0xC9, 0xCA}
_TELLS_ORIENTATION = (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0")
_SEGMENTS = 10_000
_STRAY = 65_536
"""Most bytes skipped between two segments before the first scan. A photo has none there."""
_JFIF_BYTES, _ADOBE_BYTES, _SCAN_BYTES = 16, 14, 6
"""Shortest segment that libjpeg accepts as one, its length field included."""
_TRANSFORMS = {3: b"\x01", 4: b"\x02"}
"""Adobe's transform bytes for YCbCr and YCCK; 0 is RGB or CMYK."""
_SCANS = 100
"""A progressive JPEG has about ten scans. Thousands of empty ones would keep a decoder busy for hours."""
_BITS = 8
_COEFFICIENTS = 64
_CHROMA = (1, 2)
_UNSENT = np.int8(127)
"""Marks a coefficient that no scan contains, instead of the number of its missing bits."""
_END_OF_IMAGE = b"\xff\xd9"
_PADDED = "extraneous bytes before marker 0xd9"
_ARITHMETIC_ZEROS = 4
"""Most zeros that an arithmetic encoder omits at the end."""
_NOISE = bytes(range(1, 255)) * 40
_ODD_SAMPLING = "Could not determine subsampling"
_COLOURS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, start and end of each segment's content, up to the end of the first picture."""
    found, scans = _MARKER.search(data, 2, 2 + _STRAY), False
    for _ in range(_SEGMENTS):
        if found is None or found[1][0] == _END:
            return
        begin = found.end()
        end = begin + int.from_bytes(data[begin : begin + 2], "big")
        yield found[1][0], begin, end
        scans = scans or found[1][0] == SCAN
        found = _MARKER.search(data, end, len(data) if scans else end + _STRAY)


@dataclass(slots=True, eq=False)
class Jpeg:
    """The layout of a JPEG.

    Attributes:
        width: stored width in pixels.
        height: stored height in pixels.
        scalable: whether it can be decoded row by row at a reduced scale. Otherwise all coefficients of all components stay
            in memory until the last scan, at any scale.
        arithmetic: whether it uses arithmetic coding, whose decoder does not notice that bytes are missing at the end.
        plain: the file without metadata and with an end marker.
        header: the file up to its first scan, with only the metadata that states the orientation (EXIF and XMP).
    """

    width: int
    height: int
    scalable: bool
    arithmetic: bool
    plain: bytearray
    header: bytes


def read(data: bytes) -> Jpeg:
    """Return the layout of the first picture in `data`.

    Raises:
        TruncatedImage: the file ends before its last scan.
        UnsupportedFormat: it has too many scans, more than 8 bits, or a rare coding process.
    """
    kept: list[bytes | memoryview] = [b"\xff\xd8"]
    view, frame, frame_at, scans, behind = memoryview(data), 0, 0, 0, 0
    adobe = header = b""
    missing: dict[int, NDArray[np.int8]] = {}
    for marker, begin, end in segments(data):
        content = data[begin:end]
        if scans:
            kept.append(view[behind : begin - 2])
        behind = end
        if marker in FRAMES and not scans:
            frame, frame_at = marker, begin
            missing = {data[begin + 8 + 3 * n]: np.full(_COEFFICIENTS, _UNSENT) for n in range(data[begin + 7])}
        if marker == _ADOBE:
            adobe = content if content[2:7] == b"Adobe" and len(content) >= _ADOBE_BYTES else adobe
        elif marker != SCAN:
            kept += _needed(marker, content)
        else:
            if not scans and frame:
                kept += _colours(adobe, data[frame_at + 7])
                header = b"".join((*kept, *_orientation(data), b"\xff\xda", content))
            scans += 1
            _received(content, frame in _PROGRESSIVE, missing)
            kept += (b"\xff\xda", _all_coefficients(content) if frame in SEQUENTIAL else content)
            if scans > _SCANS:
                raise UnsupportedFormat(f"The JPEG has more than {_SCANS} scans. Save it again.")
            if scans == 1 and frame in SEQUENTIAL and not any(left.any() for left in missing.values()):
                break
    if not scans or not frame:
        raise TruncatedImage("The JPEG ends before its pixels begin. Send the whole file.")
    if data[frame_at + 2] != _BITS or frame not in SEQUENTIAL | _PROGRESSIVE:
        raise UnsupportedFormat(
            "This kind of JPEG is not supported. Save it with 8 bits per channel, baseline or progressive."
        )
    if any(left.any() for left in _promised(missing, ended=data.find(_END_OF_IMAGE, behind) >= 0)):
        raise TruncatedImage("The JPEG ends before its last scan. Send the whole file.")
    kept += (view[behind:], _END_OF_IMAGE)
    height, width = (int.from_bytes(data[at : at + 2], "big") for at in (frame_at + 3, frame_at + 5))
    scalable = scans == 1 and frame in SEQUENTIAL
    return Jpeg(width, height, scalable, frame in _ARITHMETIC, bytearray().join(kept), header)


def _needed(marker: int, content: bytes) -> tuple[bytes, ...]:
    """Return the part of a segment that decoding needs, empty if it needs nothing.

    Metadata is kept only where it states the colour space, and in a form that libjpeg reads without a warning.
    """
    if marker == _JFIF and content[2:7] == b"JFIF\0" and len(content) >= _JFIF_BYTES:
        return (b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00",)
    return () if marker in _NEEDLESS else (bytes((0xFF, marker)), content)


def _orientation(data: bytes) -> Iterator[bytes]:
    """Yield the metadata before the first scan that states the photo's orientation."""
    for marker, begin, end in takewhile(lambda segment: segment[0] != SCAN, segments(data)):
        if marker == _EXIF and data.startswith(_TELLS_ORIENTATION, begin + 2):
            yield data[begin - 2 : end]


def _colours(adobe: bytes, components: int) -> tuple[bytes, ...]:
    """Return Adobe's marker in its defined length, with a transform that fits the components.

    libjpeg reads any other transform as this one, with a warning.
    """
    if not adobe:
        return ()
    known = _TRANSFORMS.get(components, b"\0")
    transform = adobe[13:14] if adobe[13:14] in (b"\0", known) else known
    return (b"\xff\xee\x00\x0e", adobe[2:13], transform)


def _all_coefficients(scan: bytes) -> bytes:
    """Return the header of a sequential scan with the coefficient range it must have. Some cameras write another one."""
    return scan[:-3] + b"\x00\x3f\x00" if len(scan) > _SCAN_BYTES else scan


def _received(scan: bytes, progressive: bool, missing: dict[int, NDArray[np.int8]]) -> None:
    """Note which coefficients of each component a scan contains, and how many of their bits are still missing."""
    count = scan[2] if len(scan) > 2 else 0
    if len(scan) < 6 + 2 * count:
        return
    low, high, shift = scan[3 + 2 * count], scan[4 + 2 * count], scan[5 + 2 * count] & 15
    for component in scan[3 : 3 + 2 * count : 2]:
        if component in missing:
            missing[component][slice(low, high + 1) if progressive else slice(None)] = shift if progressive else 0


def _promised(missing: dict[int, NDArray[np.int8]], ended: bool) -> list[NDArray[np.int8]]:
    """Return the missing bits that matter: an encoder may omit all detail of a chroma component, but nothing else.

    Args:
        missing: missing bits per coefficient of each component: luma, two of chroma, and possibly black.
        ended: whether the file has an end marker; a truncated file has none.
    """
    return [
        left[:1] if ended and component in _CHROMA and (left[1:] == _UNSENT).all() else left
        for component, left in enumerate(missing.values())
    ]


def reduced(width: int, height: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height at the smallest of libjpeg's scales (1/8, 2/8 … 8/8) at which both are at least `size`."""
    scales = ((-(-width * eighths // 8), -(-height * eighths // 8)) for eighths in range(1, 8))
    return next(((w, h) for w, h in scales if w >= size[0] and h >= size[1]), (width, height))


def decode(jpeg: Jpeg, mode: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return all pixels, at the scale of `reduced` or the next larger one.

    Args:
        jpeg: the layout from `read`.
        mode: Pillow's name for its colours: L, RGB or CMYK.
        size: minimum width and height.

    Returns:
        (h, w, 1) gray, (h, w, 3) RGB or (h, w, 4) CMYK as stored, uint8.

    Raises:
        TruncatedImage: the file is incomplete or damaged anywhere.
    """
    colour, (width, height) = _COLOURS[mode], size

    def strict(data: bytearray, wanted: bool = True) -> NDArray[np.uint8]:
        image: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, colour, min_width=width, min_height=height, strict=wanted
        )
        return image

    try:
        try:
            image = strict(jpeg.plain)
        except ValueError as error:
            if _ODD_SAMPLING in str(error):
                image = _by_pillow(jpeg.plain, size)
                return _require_complete(lambda data: _by_pillow(data, size), jpeg.plain, image, 0)
            bare, end = _without_padding(jpeg.plain)
            if _PADDED not in str(error) or len(bare) == end:
                raise
            image = strict(bare + _END_OF_IMAGE)
        if jpeg.arithmetic:
            _require_complete(lambda data: strict(data, False), jpeg.plain, image, _ARITHMETIC_ZEROS)
        return image
    except ValueError as error:
        raise TruncatedImage(f"The image is incomplete or damaged ({error}).") from error


def _without_padding(data: bytearray) -> tuple[bytearray, int]:
    """Return a JPEG up to its end marker, without the zeros that some cameras put before it, and the marker's offset."""
    end = data.find(_END_OF_IMAGE, data.find(b"\xff\xda"))
    padded = data[:end].rstrip(b"\xff")  # 0xff may be repeated before any marker
    bare = padded.rstrip(b"\x00")
    stuffed = bare.endswith(b"\xff") and len(bare) < len(padded)
    return (bare + b"\x00" if stuffed else bare), end


def _require_complete(
    decoded: Callable[[bytearray], NDArray[np.uint8]], data: bytearray, image: NDArray[np.uint8], zeros: int
) -> NDArray[np.uint8]:
    """Return the pixels of a JPEG whose decoder does not notice missing bytes, if none are missing.

    If the file is complete, noise appended to it does not change its pixels.

    Args:
        decoded: the decoder.
        data: the file.
        image: its pixels.
        zeros: how many zero bytes at the end an encoder may have omitted.

    Raises:
        ValueError: bytes are missing at the end.
    """
    bare, _ = _without_padding(data)
    if not np.array_equal(image, decoded(bare + bytes(zeros) + _NOISE + _END_OF_IMAGE)):
        raise ValueError("the last bytes of the picture are missing")
    return image


def _by_pillow(data: bytearray, size: tuple[int, int]) -> NDArray[np.uint8]:
    picture = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    picture.draft(None, size)
    pixels = np.array(picture)
    if picture.mode == "CMYK":  # Pillow has inverted it
        return ~pixels
    return pixels[..., None] if pixels.ndim == 2 else pixels
