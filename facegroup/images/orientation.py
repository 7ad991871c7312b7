"""Read a photo's EXIF orientation (1 to 8) from its metadata, and turn it upright.

Pillow's ``getexif`` is not used: it parses every tag and warns about each damaged one, and a damaged tag beside a valid
orientation must not cost the photo.
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
    """Return the picture turned upright from the EXIF orientation in which it is stored."""
    method = _UPRIGHT.get(orientation)
    return picture if method is None else picture.transpose(method)


def swaps_sides(orientation: int) -> bool:
    """Return whether turning the picture upright swaps its width and height."""
    return orientation >= 5


def find(info: dict[Any, Any]) -> int:
    """Return the EXIF orientation 1–8 that `info` states, or 1 if it states none or an invalid one.

    Args:
        info: ``Image.info`` of a loaded picture, with exif, xmp or their PNG spellings. The first that states one wins.
    """
    exif = info.get("exif") or _hexadecimal(info.get("Raw profile type exif", ""))
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    return _from_exif(exif) or _from_xmp(xmp.encode() if isinstance(xmp, str) else xmp) or 1


def _hexadecimal(profile: str) -> bytes:
    """Return the EXIF block that ImageMagick writes into a PNG: two lines of heading, then hexadecimal digits."""
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:]))
    except ValueError:
        return b""


def _from_exif(exif: bytes) -> int:
    """Return the orientation in the first directory of an EXIF block, or 0 if there is none."""
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
        pass  # the block ends before it states an orientation
    return 0


def _from_xmp(xmp: bytes) -> int:
    match = _XMP.search(xmp)
    return int(match[1]) if match else 0
