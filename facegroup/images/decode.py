"""Decode an untrusted image file to an upright RGB array that is scaled down for detection.

The size in pixels is read from the header and checked before memory is allocated. No process-wide state changes, so any
number of threads may decode at the same time.
"""

import io
import math
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image as pillow
from PIL import TiffImagePlugin
from PIL.ImageFile import ImageFile

from facegroup.errors import EmptyBody, ImageError, ImageTooLarge, TooManyPixels, TruncatedImage, UnsupportedFormat
from facegroup.images import formats, headers, jpeg, orientation
from facegroup.settings import Limits
from facegroup.types import Image

_INTERPRETED = {"bmp_rle", "ppm", "ppm_plain"}
"""Codecs that Pillow runs in Python, at about one second per megapixel."""
_INTERPRETED_PIXELS = 1_000_000
_TILES = 2
"""How many times the pixels of the shown image its tiles may have."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded image, ready for detection.

    Attributes:
        image: (h, w, 3) uint8 RGB, upright, C-contiguous, writable; its longer side is at most `Limits.side_pixels`.
        scale: side of `image` / side of the photo, at most 1. Divide a box by it to get pixels of the upright photo.
        width: width of the upright photo, in pixels.
        height: height of the upright photo, in pixels.
    """

    image: Image
    scale: float
    width: int
    height: int


def decode(data: bytes, limits: Limits) -> Decoded:
    """Return the photo in `data`, upright, RGB, scaled down to `limits.side_pixels`.

    Only the first frame of an animation is decoded. Transparent pixels become white, and 16-bit samples are scaled to 8
    bits. A damaged file is refused even if a part of it could be shown: half a face would be enrolled as a face. A
    truncated file is refused in every format. Bytes that were changed inside AVIF, HEIC, WebP, BMP, PNM or TIFF, and some
    inside JPEG, can't be detected: they may only change pixels (`docs/decisions/0001`).

    Raises:
        EmptyBody: `data` is empty.
        ImageTooLarge: the file has more than `limits.image_bytes`.
        NotAnImage: the image format is not recognised.
        UnsupportedFormat: it is an image or a video of a format or variant that is not supported.
        TooManyPixels: the image has more than `limits.image_pixels`, `jpeg_pixels` or `progressive_pixels`.
        TruncatedImage: the file is incomplete or damaged.
    """
    if not data:
        raise EmptyBody("The image is empty (0 bytes).")
    if len(data) > limits.image_bytes:
        limit = f"{limits.image_bytes:,} (image_bytes)"
        raise ImageTooLarge(f"The image has {len(data):,} bytes. The limit is {limit}. Send a smaller photo.")
    try:
        return _decode(formats.opener(data)(io.BytesIO(data)), limits)
    except ImageError:
        raise
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning, MemoryError) as error:
        raise TooManyPixels(f"The image is too large to decode. The limit is {_limit(limits)}.") from error
    except Exception as error:
        # Damaged files make Pillow raise OSError, SyntaxError, ValueError, struct.error and more, by design.
        if re.search(r"unsupported|unknown|not supported|unrecogni[sz]ed (?!data)", str(error), re.IGNORECASE):
            raise UnsupportedFormat(f"This variant of the image format is not supported: {error}") from error
        raise TruncatedImage(f"The image is incomplete or damaged ({error}).") from error


def _decode(picture: ImageFile, limits: Limits) -> Decoded:
    layout = picture.layout if isinstance(picture, formats.Jpeg) else None
    width, height = (layout.width, layout.height) if layout else picture.size
    scale = min(1.0, limits.side_pixels / max(width, height))
    size = headers.fitted(width, height, limits.side_pixels)
    _check_pixels(width, height, size, picture, limits)
    if layout:
        flat = _from_jpeg(layout, picture.mode, size)
    else:
        _refuse_slow(picture)
        picture.load()
        flat = _rgb(picture, size)
    # These are turned upright by their libraries while they load.
    stored = 1 if isinstance(picture, TiffImagePlugin.TiffImageFile | formats.Heif) else orientation.find(picture.info)
    if orientation.swaps_sides(stored):
        width, height = height, width
    return Decoded(_array(flat, stored), scale, width, height)


def _check_pixels(width: int, height: int, size: tuple[int, int], picture: ImageFile, limits: Limits) -> None:
    """Refuse an image that would take too long or too much memory to decode, before any is allocated."""
    if isinstance(picture, formats.Jpeg):
        if picture.layout.scalable and width * height > limits.jpeg_pixels:
            raise TooManyPixels(_over("JPEG", width, height, f"{limits.jpeg_pixels:,} pixels (jpeg_pixels)"))
        if not picture.layout.scalable and width * height > limits.progressive_pixels:
            limit = f"{limits.progressive_pixels:,} pixels for a progressive JPEG (progressive_pixels)"
            raise TooManyPixels(_over("JPEG", width, height, limit, "Send a smaller photo or a baseline JPEG."))
        decoded = math.prod(jpeg.reduced(width, height, size))
    elif isinstance(picture, formats.Heif):
        decoded = max(width * height, picture.coded_pixels // _TILES)
    else:
        decoded = width * height
    if decoded > limits.image_pixels:
        raise TooManyPixels(_over("image", width, height, _limit(limits)))


def _over(kind: str, width: int, height: int, limit: str, advice: str = "Send a smaller photo.") -> str:
    return f"The {kind} has {width} × {height} pixels. The limit is {limit}. {advice}"


def _limit(limits: Limits) -> str:
    return f"{limits.image_pixels:,} pixels (image_pixels)"


def _from_jpeg(layout: jpeg.Jpeg, mode: str, size: tuple[int, int]) -> Image | pillow.Image:
    """Return a JPEG's pixels as RGB, at `size`."""
    pixels = jpeg.decode(layout, mode, size)
    if mode == "RGB":
        stored = (pixels.shape[1], pixels.shape[0])
        return pixels if stored == size else _resized(pillow.fromarray(pixels), size)
    if mode == "CMYK":  # every encoder stores it inverted
        return _resized(pillow.fromarray(~pixels, "CMYK"), size).convert("RGB")
    return _resized(pillow.fromarray(pixels[..., 0]), size).convert("RGB")


def _array(flat: Image | pillow.Image, stored: int) -> Image:
    """Return the picture upright, as an array of its own."""
    if isinstance(flat, np.ndarray):
        if stored == 1:
            return flat
        flat = pillow.fromarray(flat)
    return np.array(orientation.turn(flat, stored))


def _refuse_slow(picture: ImageFile) -> None:
    codecs = {tile[0] for tile in picture.tile}
    if codecs & _INTERPRETED and picture.width * picture.height > _INTERPRETED_PIXELS:
        raise UnsupportedFormat("Run-length BMP and plain PNM are limited to one megapixel. Send JPEG or PNG instead.")


def _rgb(picture: ImageFile, size: tuple[int, int]) -> pillow.Image:
    """Return the pixels as RGB, at `size`."""
    if picture.mode in {"I", "F"} or picture.mode.startswith("I;16"):
        return _resized(_eight_bits(picture), size).convert("RGB")
    if picture.has_transparency_data:
        seen = _resized(picture if picture.mode == "RGBA" else picture.convert("RGBA"), size)
        paper = pillow.new("RGB", size, "white")
        paper.paste(seen, mask=seen.getchannel("A"))
        return paper
    if picture.mode in {"L", "RGB", "CMYK", "YCbCr"}:
        return _resized(picture, size).convert("RGB")
    return _resized(picture.convert("RGB"), size)


def _resized(picture: pillow.Image, size: tuple[int, int]) -> pillow.Image:
    if picture.size == size:
        return picture
    return picture.resize(size, pillow.Resampling.LANCZOS, reducing_gap=3.0)


def _eight_bits(picture: ImageFile) -> pillow.Image:
    """Return a gray picture of more than 8 bits with its whole range scaled to 8 bits."""
    tags = getattr(picture, "tag_v2", {})
    bits = int((tags.get(TiffImagePlugin.BITSPERSAMPLE) or (16,))[0])
    if picture.mode == "F" or bits > 16 or 2 in (tags.get(TiffImagePlugin.SAMPLEFORMAT) or ()):
        raise UnsupportedFormat(
            "Signed, 32-bit and floating-point images are not supported. Save the image with 8 or 16 bits per channel."
        )
    gray = (np.asarray(picture) >> (bits - 8)).astype(np.uint8)
    white_is_zero = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    return pillow.fromarray(255 - gray if white_is_zero else gray)
