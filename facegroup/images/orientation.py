"""Which way up a photo is: metadata of an opened picture → one of the EXIF orientations 1 to 8.

Read here rather than by Pillow's ``getexif``: that one parses every tag and warns about each one that is damaged, and
one damaged tag beside a good orientation must not cost the photo.
"""

import re
import struct
from typing import Any

from PIL import Image

_TAG = 274
_SHORT = 3
_XMP = re.compile(rb'tiff:Orientation(?:="|>)\s*([1-8])')

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turn(picture: Image.Image, orientation: int) -> Image.Image:
    """Return the picture upright, given how it is stored."""
    method = _UPRIGHT.get(orientation)
    return picture if method is None else picture.transpose(method)


def swaps_sides(orientation: int) -> bool:
    """Whether width and height change places when the picture is turned upright."""
    return orientation >= 5


def find(info: dict[Any, Any]) -> int:
    """Return the EXIF orientation 1–8 that `info` states, 1 where it states none or nonsense.

    Args:
        info: ``Image.info`` of a loaded picture: exif, xmp or their PNG spellings; the first that states one wins.
    """
    exif = info.get("exif") or _hexadecimal(info.get("Raw profile type exif", ""))
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    return _from_exif(exif) or _from_xmp(xmp.encode() if isinstance(xmp, str) else xmp) or 1


def _hexadecimal(profile: str) -> bytes:
    """ImageMagick's way of putting EXIF into a PNG: two lines of heading, then hexadecimal digits."""
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:]))
    except ValueError:
        return b""


def _from_exif(exif: bytes) -> int:
    """The orientation in the first directory of an EXIF block, 0 where there is none."""
    exif = re.sub(rb"^(?:Exif\x00\x00)+", b"", exif)
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 0
    try:
        (start,) = struct.unpack_from(order + "4xL", exif)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHLH", exif, entry)
            if tag == _TAG:
                return value if kind == _SHORT and 1 <= value <= 8 else 0
    except struct.error:
        pass  # the block ends early: what was read of it said nothing
    return 0


def _from_xmp(xmp: bytes) -> int:
    match = _XMP.search(xmp)
    return int(match[1]) if match else 0
