"""Recognise the format of an image file by its first bytes, and open it with the one decoder for that format.

Only the formats of this list are ever decoded; Pillow has forty more. The plugin's class is called directly, because
`PIL.Image.open` would try every format, warn, and apply a size limit that is global to the process.
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

ACCEPTED = "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP, TIFF and PNM"


class Jpeg(JpegImagePlugin.JpegImageFile):
    """A JPEG, or the first image of an MPO, opened for its mode and EXIF. `facegroup.images.jpeg` decodes its pixels.

    Attributes:
        layout: the parts of the file that decoding needs.
    """

    layout: jpeg.Jpeg

    def _read_dpi_from_exif(self) -> None:
        """Skip this step of Pillow's: it would parse all of the EXIF and warn about it."""


def _jpeg(stream: io.BytesIO) -> ImageFile:
    layout = jpeg.read(stream.getvalue())
    picture = Jpeg(io.BytesIO(layout.header))
    picture.layout = layout
    return picture


class Heif(HeifImageFile):  # type: ignore[misc]  # pi_heif is untyped
    """The primary image of a HEIC or HEIF file. Decoding turns it upright and resets its EXIF orientation.

    Attributes:
        coded_pixels: how many pixels are decoded; the shown image may be a crop of them.
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
                    "The HEIF file contains a video or a sequence but no photo. Send a photo."
                ) from error
            raise
        if not self.info.get("primary"):
            raise TruncatedImage("The photo in the HEIF file is damaged. Send the whole file.")

    def load(self) -> Any:
        """Decode the image, and refuse it if its size is not the one in the header, which was checked."""
        declared = self.size
        loaded = super().load()
        if self.size != declared:
            raise TruncatedImage("The photo in the HEIF file has a different size from the one in its header.")
        return loaded


def _avif(stream: io.BytesIO) -> ImageFile:
    """Open an AVIF file, and refuse one with missing parts, which its decoder would show as grey."""
    heif_items.Items(stream.getvalue()).refuse_holes()
    return AvifImagePlugin.AvifImageFile(stream)


def _with_header(plugin: Opener) -> Opener:
    """Return an opener that first checks the header, because Pillow reads a header of any length, byte by byte."""

    def opened(stream: io.BytesIO) -> ImageFile:
        if headers.read(stream.getvalue()) is None:
            raise TruncatedImage("The image's header is incomplete, damaged or too long. Save the image again.")
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
        "an image in a rare format",
    ),
    (
        rb"SIMPLE  =|\x89HDF\r\n|GRIB|BUFR|Image type:|/\* XPM \*/|#define \S+_width|\xd7\xcd\xc6\x9a",
        "an image in a rare format",
    ),
    (rb"\x0a[\x00\x02\x03\x05][\x00\x01][\x01\x02\x04\x08]", "PCX"),
)


def opener(data: bytes) -> Opener:
    """Return the function that opens `data`.

    Raises:
        NotAnImage: the image format is not recognised.
        UnsupportedFormat: it is an image or a video of a format that is not supported.
    """
    head = data[:256]
    for signature, meaning in _SIGNATURES:
        if signature.match(head):
            if isinstance(meaning, str):
                raise UnsupportedFormat(
                    f"The file is {meaning}, which is not supported. Supported formats: {ACCEPTED}."
                )
            return meaning
    raise NotAnImage(f"Unrecognised image format. Supported formats: {ACCEPTED}.")
