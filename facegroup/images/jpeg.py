"""The bytes of a JPEG → all of its pixels, or why they cannot be had.

Pillow shows whatever it can of a damaged JPEG and does not say that it is damaged; libjpeg-turbo does, by warnings, and
`simplejpeg` raises them. Only what decoding needs is handed to it, so nothing in metadata can cost the photo, and an end
marker is put behind, so a photo that lacks only that is whole.
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
"""So many bytes between two segments before the first scan are passed over; a photo has none."""
_JFIF_BYTES, _ADOBE_BYTES, _SCAN_BYTES = 16, 14, 6
"""The least that libjpeg takes for such a segment, its length included."""
_TRANSFORMS = {3: b"\x01", 4: b"\x02"}
"""Adobe's words for YCbCr and YCCK; 0 is RGB or CMYK."""
_SCANS = 100
"""A progressive JPEG has about ten; one made of thousands of empty ones keeps a decoder busy for hours."""
_BITS = 8
_COEFFICIENTS = 64
_CHROMA = (1, 2)
_UNSENT = np.int8(127)
"""Of a coefficient, instead of how many of its bits are missing."""
_END_OF_IMAGE = b"\xff\xd9"
_PADDED = "extraneous bytes before marker 0xd9"
_ARITHMETIC_ZEROS = 4
"""An arithmetic encoder leaves out zeros at the end, and ends with as many as it can: the two last bytes of its state."""
_NOISE = bytes(range(1, 255)) * 40
_ODD_SAMPLING = "Could not determine subsampling"
_COLOURS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each segment's marker, where its content begins and where it ends, up to the end of the first picture."""
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
    """A JPEG's layout.

    Attributes:
        width: in pixels, as stored.
        height: in pixels, as stored.
        scalable: whether its rows are decoded one after the other, at a reduced scale. Otherwise all coefficients of all
            components are kept until the last scan, whatever scale is wanted.
        arithmetic: whether it is coded arithmetically; a decoder of that does not notice where its bytes end.
        plain: the file as decoding needs it: without metadata, with an end marker.
        header: the file up to its first scan, with the metadata that tells which way up it is, Exif and XMP, and no other.
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
        UnsupportedFormat: it has more scans than a photo has, more bits than 8, or is of a rare kind.
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
                raise UnsupportedFormat(f"the JPEG has more than {_SCANS} scans; save it again")
            if scans == 1 and frame in SEQUENTIAL and not any(left.any() for left in missing.values()):
                break
    if not scans or not frame:
        raise TruncatedImage("the JPEG ends before its pixels begin")
    if data[frame_at + 2] != _BITS or frame not in SEQUENTIAL | _PROGRESSIVE:
        raise UnsupportedFormat("JPEGs of 8 bits are accepted, baseline or progressive; save it again as one of these")
    if any(left.any() for left in _promised(missing, ended=data.find(_END_OF_IMAGE, behind) >= 0)):
        raise TruncatedImage("the JPEG ends before the last of its scans; send the whole file")
    kept += (view[behind:], _END_OF_IMAGE)
    height, width = (int.from_bytes(data[at : at + 2], "big") for at in (frame_at + 3, frame_at + 5))
    scalable = scans == 1 and frame in SEQUENTIAL
    return Jpeg(width, height, scalable, frame in _ARITHMETIC, bytearray().join(kept), header)


def _needed(marker: int, content: bytes) -> tuple[bytes, ...]:
    """Return what decoding needs of a segment, empty where it needs nothing.

    Of metadata that is only what tells the colours, in the way libjpeg reads it without a warning.
    """
    if marker == _JFIF and content[2:7] == b"JFIF\0" and len(content) >= _JFIF_BYTES:
        return (b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00",)
    return () if marker in _NEEDLESS else (bytes((0xFF, marker)), content)


def _orientation(data: bytes) -> Iterator[bytes]:
    """Yield the metadata before the first scan that tells which way up the photo is."""
    for marker, begin, end in takewhile(lambda segment: segment[0] != SCAN, segments(data)):
        if marker == _EXIF and data.startswith(_TELLS_ORIENTATION, begin + 2):
            yield data[begin - 2 : end]


def _colours(adobe: bytes, components: int) -> tuple[bytes, ...]:
    """Return Adobe's marker, of the length it has by its definition, with a transform that fits the components.

    libjpeg takes any other transform for this one, and warns.
    """
    if not adobe:
        return ()
    known = _TRANSFORMS.get(components, b"\0")
    transform = adobe[13:14] if adobe[13:14] in (b"\0", known) else known
    return (b"\xff\xee\x00\x0e", adobe[2:13], transform)


def _all_coefficients(scan: bytes) -> bytes:
    """Return the header of a sequential scan as it must be: cameras write other numbers, which mean nothing there."""
    return scan[:-3] + b"\x00\x3f\x00" if len(scan) > _SCAN_BYTES else scan


def _received(scan: bytes, progressive: bool, missing: dict[int, NDArray[np.int8]]) -> None:
    """Note what a scan brings: of each component, which coefficients are no longer missing a bit."""
    count = scan[2] if len(scan) > 2 else 0
    if len(scan) < 6 + 2 * count:
        return
    low, high, shift = scan[3 + 2 * count], scan[4 + 2 * count], scan[5 + 2 * count] & 15
    for component in scan[3 : 3 + 2 * count : 2]:
        if component in missing:
            missing[component][slice(low, high + 1) if progressive else slice(None)] = shift if progressive else 0


def _promised(missing: dict[int, NDArray[np.int8]], ended: bool) -> list[NDArray[np.int8]]:
    """Return what must not be missing: all of each component, but an encoder may send no detail of chroma at all.

    Args:
        missing: of each component: luma, two of chroma, and perhaps black.
        ended: whether the file has an end marker; one that is cut has none.
    """
    return [
        left[:1] if ended and component in _CHROMA and (left[1:] == _UNSENT).all() else left
        for component, left in enumerate(missing.values())
    ]


def reduced(width: int, height: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return the sides at the least of libjpeg's scales, 1/8, 2/8 … 8/8, that leaves both at least `size`."""
    scales = ((-(-width * eighths // 8), -(-height * eighths // 8)) for eighths in range(1, 8))
    return next(((w, h) for w, h in scales if w >= size[0] and h >= size[1]), (width, height))


def decode(jpeg: Jpeg, mode: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return all pixels, at the scale that `reduced` tells or the next larger one.

    Args:
        jpeg: as `read` made it.
        mode: Pillow's word for its colours: L, RGB or CMYK.
        size: least width and height.

    Returns:
        (h, w, 1) gray, (h, w, 3) RGB or (h, w, 4) CMYK as stored, uint8.

    Raises:
        TruncatedImage: the file ends early or is damaged, anywhere.
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
                return _same_whatever_follows(lambda data: _by_pillow(data, size), jpeg.plain, image, 0)
            bare, end = _without_padding(jpeg.plain)
            if _PADDED not in str(error) or len(bare) == end:
                raise
            image = strict(bare + _END_OF_IMAGE)
        if jpeg.arithmetic:
            _same_whatever_follows(lambda data: strict(data, False), jpeg.plain, image, _ARITHMETIC_ZEROS)
        return image
    except ValueError as error:
        raise TruncatedImage(f"the image ends early or is damaged ({error})") from error


def _without_padding(data: bytearray) -> tuple[bytearray, int]:
    """Return a JPEG up to its end marker without the zeros that some cameras put there, and where the marker is."""
    end = data.find(_END_OF_IMAGE, data.find(b"\xff\xda"))
    padded = data[:end].rstrip(b"\xff")  # which may be repeated before any marker
    bare = padded.rstrip(b"\x00")
    stuffed = bare.endswith(b"\xff") and len(bare) < len(padded)
    return (bare + b"\x00" if stuffed else bare), end


def _same_whatever_follows(
    decoded: Callable[[bytearray], NDArray[np.uint8]], data: bytearray, image: NDArray[np.uint8], zeros: int
) -> NDArray[np.uint8]:
    """Return the pixels of a JPEG whose decoder does not tell where its bytes end, if all of them are in the file.

    Then they stay the same when noise is put behind.

    Args:
        decoded: the decoder.
        data: the file.
        image: its pixels.
        zeros: so many bytes an encoder may have left out because they are zeros.
    """
    bare, _ = _without_padding(data)
    if not np.array_equal(image, decoded(bare + bytes(zeros) + _NOISE + _END_OF_IMAGE)):
        raise ValueError("the last bytes of the picture are missing")
    return image


def _by_pillow(data: bytearray, size: tuple[int, int]) -> NDArray[np.uint8]:
    picture = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    picture.draft(None, size)
    pixels = np.array(picture)
    if picture.mode == "CMYK":  # Pillow has turned it over
        return ~pixels
    return pixels[..., None] if pixels.ndim == 2 else pixels
