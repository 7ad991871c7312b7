"""Which format a file is of: its first bytes → what opens it, or the reason why it is refused.

An allow-list, by signature: Pillow's other forty formats are never handed a stranger's bytes. The plugin's class is
called itself, because `PIL.Image.open` would try every format, warn, and judge sizes by a limit that is global.
"""

import io
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from pi_heif.as_plugin import HeifImageFile
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ImageFile import ImageFile

from facegroup.errors import NotAnImage, TruncatedImage, UnsupportedFormat
from facegroup.images import headers, heif_items, jpeg

Opener: TypeAlias = Callable[[io.BytesIO], ImageFile]

ACCEPTED = "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP, TIFF or PNM"


class Jpeg(JpegImagePlugin.JpegImageFile):
    """A JPEG, or the first image of an MPO, opened for its mode and Exif; its pixels are decoded by `facegroup.images.jpeg`.

    Attributes:
        layout: what there is to decode.
    """

    layout: jpeg.Jpeg

    def _read_dpi_from_exif(self) -> None:
        """Not read: it would parse, and warn about, all of the EXIF."""


def _jpeg(stream: io.BytesIO) -> ImageFile:
    layout = jpeg.read(stream.getvalue())
    picture = Jpeg(io.BytesIO(layout.header))
    picture.layout = layout
    return picture


class Heif(HeifImageFile):  # type: ignore[misc]  # pi_heif is untyped
    """The primary image of a HEIC or HEIF file. It is turned while it is decoded, and its EXIF says upright then.

    Attributes:
        coded_pixels: so many pixels are decoded for it; what is shown may be cut out of them.
    """

    coded_pixels: int

    def _open(self) -> None:
        items = heif_items.Items(self.fp.getvalue())
        items.refuse_holes()
        self.coded_pixels = items.pixels()
        try:
            super()._open()
        except SyntaxError as error:
            if "primary" in str(error):
                raise UnsupportedFormat(
                    "the HEIF file is a video or a sequence without a photo; send a photo"
                ) from error
            raise
        if not self.info.get("primary"):
            raise TruncatedImage("the photo in the HEIF file is damaged; send the whole file")

    def load(self) -> Any:
        """Decode, and refuse what turns out to be of another size than was judged."""
        promised = self.size
        loaded = super().load()
        if self.size != promised:
            raise TruncatedImage("the photo in the HEIF file is of another size than its header says")
        return loaded


def _avif(stream: io.BytesIO) -> ImageFile:
    """Open an AVIF file no piece of which is missing; its decoder would show grey there."""
    heif_items.Items(stream.getvalue()).refuse_holes()
    return AvifImagePlugin.AvifImageFile(stream)


def _with_header(plugin: Opener) -> Opener:
    """Return what opens a file whose header is one that a photo has: Pillow reads whatever there is, byte by byte."""

    def opened(stream: io.BytesIO) -> ImageFile:
        if headers.read(stream.getvalue()) is None:
            raise TruncatedImage("the image's header ends early, is damaged or is longer than a photo's; save it again")
        return plugin(stream)

    return opened


def _table(*rows: tuple[bytes, Opener | str]) -> tuple[tuple[re.Pattern[bytes], Opener | str], ...]:
    return tuple((re.compile(signature, re.DOTALL), meaning) for signature, meaning in rows)


_SIGNATURES = _table(
    (rb"\xff\xd8\xff", _jpeg),
    (rb"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (rb"RIFF....WEBP", WebPImagePlugin.WebPImageFile),
    (rb"....ftyp(avif|avis|mif1....(....)*avif)", _avif),
    (rb"GIF8[79]a", GifImagePlugin.GifImageFile),
    (rb"BM.{12}[\x0c-\x7c]\x00\x00\x00", BmpImagePlugin.BmpImageFile),
    (rb"II[*+]\x00|MM\x00[*+]", _with_header(TiffImagePlugin.TiffImageFile)),
    (rb"P[1-6]\s+[#\d]", _with_header(PpmImagePlugin.PpmImageFile)),
    (rb"....ftyp(hei|hev|mif[12]|msf1|miaf|1pic|.{8}(....)*hei[cxms])", Heif),
    (rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI |\x00\x00\x01\xba", "a video"),
    (rb"....jP  \r\n\x87\n|\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"\xff\x0a|....JXL \r\n\x87\n", "JPEG XL"),
    (rb"%PDF", "PDF"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript"),
    (rb"8BPS", "Photoshop"),
    (rb"\x00\x00[\x01\x02]\x00[^\x00]|icns", "an icon"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--(?:(?!-->).)*-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg", "SVG"),
    (
        rb"DDS |BLP[12]|FTEX|qoif|\x01\xda[\x00\x01]|\x59\xa6\x6a\x95|DanM|LinS|\xb1\x68\xde\x3a|P[7Ffy]\s",
        "a rare format",
    ),
    (rb"SIMPLE  =|\x89HDF\r\n|GRIB|BUFR|Image type:|/\* XPM \*/|#define \S+_width|\xd7\xcd\xc6\x9a", "a rare format"),
    (rb"\x0a[\x00\x02\x03\x05][\x00\x01][\x01\x02\x04\x08]", "PCX"),
)


def opener(data: bytes) -> Opener:
    """Return what opens `data`.

    Raises:
        NotAnImage: the first bytes are those of no image format known here.
        UnsupportedFormat: they are of an image or a video that is not accepted.
    """
    head = data[:256]
    for signature, meaning in _SIGNATURES:
        if signature.match(head):
            if isinstance(meaning, str):
                raise UnsupportedFormat(f"the file is {meaning}, which is not accepted; send {ACCEPTED}")
            return meaning
    raise NotAnImage(f"the file is no image that is known here; send {ACCEPTED}")
