"""decode(): every format, mode and orientation as it should look; everything else refused by name."""

import contextlib
import io
import json
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow
from PIL import ImageFile

from facegroup import errors
from facegroup.images.decode import Decoded, decode
from facegroup.settings import Limits
from facegroup.types import Image

LIMITS = Limits()
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(width: int = 64, height: int = 48) -> pillow.Image:
    """A picture whose four quarters tell which way up it is."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, GREEN
    pixels[height // 2 :, : width // 2], pixels[height // 2 :, width // 2 :] = BLUE, WHITE
    return pillow.fromarray(pixels)


def corners(image: Image) -> list[tuple[int, ...]]:
    """The colours in the middle of the four quarters, rounded to what lossy formats keep."""
    h, w = image.shape[:2]
    spots = ((h // 4, w // 4), (h // 4, 3 * w // 4), (3 * h // 4, w // 4), (3 * h // 4, 3 * w // 4))
    return [tuple(int(round(value / 255) * 255) for value in image[y, x]) for y, x in spots]


def encoded(picture: pillow.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def checked(decoded: Decoded) -> Image:
    image = decoded.image
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.flags.c_contiguous
    assert image.flags.writeable
    return image


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("PPM", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "jpeg"}),
        ("TIFF", {"big_tiff": True}),
        ("MPO", {"save_all": True, "append_images": [pillow.new("RGB", (64, 48))]}),
        ("GIF", {"save_all": True, "append_images": [pillow.new("RGB", (64, 48))]}),
        ("WEBP", {"save_all": True, "append_images": [pillow.new("RGB", (64, 48))]}),
        ("PNG", {"save_all": True, "append_images": [pillow.new("RGB", (64, 48))]}),
        ("TIFF", {"save_all": True, "append_images": [pillow.new("RGB", (64, 48))]}),
    ],
)
def test_formats(form: str, options: dict[str, object]) -> None:
    decoded = decode(encoded(quarters(), form, **options), LIMITS)
    assert corners(checked(decoded)) == [RED, GREEN, BLUE, WHITE]
    assert (decoded.scale, decoded.width, decoded.height) == (1.0, 64, 48)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(form: str, orientation: int) -> None:
    turn = pillow.Transpose
    undo = (
        None,
        turn.FLIP_LEFT_RIGHT,
        turn.ROTATE_180,
        turn.FLIP_TOP_BOTTOM,
        turn.TRANSPOSE,
        turn.ROTATE_90,
        turn.TRANSVERSE,
        turn.ROTATE_270,
    )[orientation - 1]
    exif = pillow.Exif()
    exif[0x0112] = orientation
    stored = quarters() if undo is None else quarters().transpose(undo)
    decoded = decode(encoded(stored, form, exif=exif), LIMITS)
    assert corners(checked(decoded)) == [RED, GREEN, BLUE, WHITE]
    assert decoded.image.shape == (48, 64, 3)
    assert (decoded.width, decoded.height) == (64, 48)


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12"]
)
def test_damaged_exif_does_not_cost_the_photo(exif: bytes) -> None:
    assert corners(decode(encoded(quarters(), "JPEG", exif=exif), LIMITS).image) == [RED, GREEN, BLUE, WHITE]


def test_orientation_from_xmp() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
    stored = quarters().transpose(pillow.Transpose.ROTATE_180)
    assert corners(decode(encoded(stored, "JPEG", xmp=xmp), LIMITS).image) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("I;16", "PNG"),
        ("L", "JPEG"), ("RGB", "JPEG"), ("CMYK", "JPEG"),
        ("L", "WEBP"), ("RGBA", "WEBP"), ("RGBA", "AVIF"),
        ("1", "TIFF"), ("L", "TIFF"), ("LA", "TIFF"), ("P", "TIFF"), ("RGBA", "TIFF"), ("CMYK", "TIFF"),
        ("I;16", "TIFF"), ("YCbCr", "TIFF"), ("LAB", "TIFF"),
        ("1", "BMP"), ("L", "BMP"), ("P", "BMP"), ("RGBA", "BMP"), ("L", "GIF"), ("P", "GIF"), ("1", "PPM"),
        ("L", "PPM"), ("I;16", "PPM"),
    ],
)  # fmt: skip
def test_modes(mode: str, form: str) -> None:
    gray = pillow.fromarray(np.repeat(np.array([[0, 64, 128, 255]], np.uint8), 16, 0).repeat(16, 1))
    if mode == "1":
        gray = gray.point(lambda value: 255 * (value > 100))
    if mode == "I;16":
        picture = pillow.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    elif mode == "LAB":
        picture = pillow.merge("LAB", (gray, pillow.new("L", gray.size, 128), pillow.new("L", gray.size, 128)))
    else:
        picture = gray.convert(mode) if mode in {"1", "L", "LA", "P"} else gray.convert("RGB").convert(mode)
    image = checked(decode(encoded(picture, form), LIMITS)).astype(int)
    assert image.shape == (16, 64, 3)
    tolerance = 10 if mode == "LAB" or form in {"JPEG", "WEBP", "AVIF"} else 1
    if mode == "LAB":  # lightness is no linear gray: black, white and their order are what can be said
        assert image[8, 8].max() < 5
        assert image[8, 56].min() > 250
        assert (np.diff(image[8, 8::16, 0]) > 0).all()
        return
    assert np.abs(image - np.asarray(gray.convert("RGB"), int)).max() <= tolerance


def test_16_bit_tiff_whose_white_is_zero() -> None:
    deep = np.array([[0, 30000, 65535]], np.uint16)
    data = encoded(pillow.fromarray(deep), "TIFF", tiffinfo={262: 0})
    assert decode(data, LIMITS).image[0, :, 0].tolist() == [255, 138, 0]


def test_transparent_is_shown_on_white() -> None:
    half = pillow.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert abs(int(decode(encoded(half), LIMITS).image[4, 4, 0]) - 127) <= 1
    keyed = encoded(pillow.new("RGB", (8, 8), (9, 9, 9)), transparency=(9, 9, 9))
    assert decode(keyed, LIMITS).image.min() == 255
    palette = encoded(quarters().quantize(4), transparency=bytes(4))
    assert decode(palette, LIMITS).image.min() == 255


@pytest.mark.parametrize(
    "kind", ["RGB JPEG", "L JPEG", "CMYK JPEG", "P PNG", "RGBA PNG", "1 TIFF", "RGB WEBP", "I;16 PNG"]
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_long_photos_are_scaled_down(kind: str, orientation: int) -> None:
    mode, form = kind.split()
    exif = pillow.Exif()
    exif[0x0112] = orientation
    wide = quarters(1003, 401)
    picture = (
        pillow.fromarray(np.asarray(wide.convert("L")).astype(np.uint16) * 257)
        if mode == "I;16"
        else wide.convert(mode)
    )
    options = {} if form == "TIFF" else {"exif": exif}
    decoded = decode(encoded(picture, form, **options), Limits(side_pixels=100))
    upright = (1003, 401) if orientation == 1 or form == "TIFF" else (401, 1003)
    assert max(checked(decoded).shape) == 100
    assert (decoded.width, decoded.height) == upright
    h, w = decoded.image.shape[:2]
    assert abs(w / decoded.scale - upright[0]) <= 5
    assert abs(h / decoded.scale - upright[1]) <= 5


def test_scaling_keeps_places() -> None:
    """A dot at a known place of the photo is found at that place times scale."""
    pixels = np.zeros((1200, 1600), np.uint8)
    pixels[790:811, 390:411] = 255
    decoded = decode(encoded(pillow.fromarray(pixels), "JPEG"), Limits(side_pixels=300))
    ys, xs = np.nonzero(decoded.image[..., 0] > 100)
    assert abs((xs.mean() + 0.5) / decoded.scale - 400.5) < 2
    assert abs((ys.mean() + 0.5) / decoded.scale - 800.5) < 2


def test_thin_photos_keep_a_pixel() -> None:
    assert decode(encoded(pillow.new("RGB", (1, 3000))), LIMITS).image.shape == (2048, 1, 3)


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more than it is."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


def rle_bmp(side: int) -> bytes:
    runs = bytes([255, 7]) * (side * side // 255 + 1) + b"\0\1"
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(runs), 0, 0, 1078) + info + bytes(1024) + runs


def many_scans() -> bytes:
    data = encoded(pillow.new("L", (64, 64), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * 200 + b"\xff\xd9"


JPEG = encoded(quarters(), "JPEG")


@pytest.mark.parametrize(
    ("data", "error", "word"),
    [
        (b"", errors.EmptyBody, "empty"),
        (b"Hello, world", errors.NotAnImage, "Unrecognised image format"),
        (b"BMW is a car, and no picture of one", errors.NotAnImage, "Unrecognised image format"),
        (bytes(1000), errors.NotAnImage, "Unrecognised image format"),
        (np.random.default_rng(0).bytes(5000), errors.NotAnImage, "Unrecognised image format"),
        (bytes(60_000_001), errors.ImageTooLarge, "image_bytes"),
        (bomb(30000, 30000), errors.TooManyPixels, "image_pixels"),
        (bomb(10001, 10000), errors.TooManyPixels, "image_pixels"),
        (b"GIF89a" + struct.pack("<HHBBB", 60000, 60000, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, 60000, 60000, 0)
         + b"\x08\x01\x00\x00;", errors.TooManyPixels, "image_pixels"),
        (bomb(9, 9), errors.TruncatedImage, "damaged"),
        (JPEG[:20], errors.TruncatedImage, "before its pixels"),
        (b"\xff\xd8" + b"\xff" * 100000, errors.TruncatedImage, "before its pixels"),
        (many_scans(), errors.UnsupportedFormat, "scans"),
        (rle_bmp(1200), errors.UnsupportedFormat, "one megapixel"),
        (b"P3 2000 2000 255\n", errors.UnsupportedFormat, "one megapixel"),
        (encoded(pillow.new("F", (8, 8)), "TIFF"), errors.UnsupportedFormat, "floating-point"),
        (encoded(pillow.new("I", (8, 8)), "TIFF"), errors.UnsupportedFormat, "floating-point"),
        (b"%PDF-1.7\n", errors.UnsupportedFormat, "PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", errors.TruncatedImage, "incomplete"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", errors.UnsupportedFormat, "video"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', errors.UnsupportedFormat, "SVG"),
        (b"<!-- a > b -- c -->\n<!----><!DOCTYPE svg>\n<!--->--><svg>", errors.UnsupportedFormat, "SVG"),
        (b"<!---->" * 36 + b"<svg", errors.UnsupportedFormat, "SVG"),
        (b"<!---->" * 40, errors.NotAnImage, "Unrecognised image format"),
        (b"<!-- -->\n" * 40, errors.NotAnImage, "Unrecognised image format"),
        (b"<!DOCTYPE svg>" * 40, errors.NotAnImage, "Unrecognised image format"),
        (b"<!---->" * 20 + b"<!--" * 30, errors.NotAnImage, "Unrecognised image format"),
    ],
)  # fmt: skip
def test_refusals(data: bytes, error: type[errors.ImageError], word: str) -> None:
    with pytest.raises(error, match=word):
        decode(data, LIMITS)


@pytest.mark.parametrize("form", ["DDS", "EPS", "ICNS", "ICO", "JPEG2000", "PCX", "PDF", "QOI", "SGI", "XBM"])
def test_formats_that_are_not_accepted(form: str) -> None:
    picture = quarters(64, 64)
    with pytest.raises(errors.UnsupportedFormat):
        decode(encoded(picture.convert("1") if form == "XBM" else picture, form), LIMITS)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM"])
def test_every_beginning_of_a_file_is_refused(form: str) -> None:
    """Cut anywhere, a file is refused, unless all that is missing is after the last pixel."""
    noise = pillow.fromarray(np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    whole = encoded(noise, form)
    for end in range(1, len(whole) * 9 // 10, max(1, len(whole) // 97)):
        with pytest.raises(errors.ImageError):
            decode(whole[:end], LIMITS)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM"])
def test_damage_anywhere_is_an_image_error_or_an_image(form: str) -> None:
    rng = np.random.default_rng(2)
    whole = bytearray(encoded(quarters(), form))
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] = rng.integers(0, 256)
        with contextlib.suppress(errors.ImageError):
            checked(decode(bytes(damaged), Limits(image_pixels=1_000_000)))


def test_nothing_global_is_changed() -> None:
    before = (list(warnings.filters), pillow.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    decode(JPEG, LIMITS)
    with pytest.raises(errors.TooManyPixels):
        decode(bomb(30000, 30000), LIMITS)
    assert (list(warnings.filters), pillow.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == before


def test_many_threads_at_once() -> None:
    seen: list[object] = []

    def work() -> None:
        for _ in range(20):
            seen.append(corners(decode(JPEG, LIMITS).image) == [RED, GREEN, BLUE, WHITE])
            with pytest.raises(errors.TruncatedImage):
                decode(JPEG[:-30], LIMITS)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 160


def test_derived_edge(shared: Path) -> None:
    folder = shared / "faces" / "derived_edge"
    for name, expected in json.loads((folder / "expected.json").read_text()).items():
        data = (folder / name).read_bytes()
        if "error" in expected or expected["faces"] == "error or partial":
            with pytest.raises(errors.ImageError):
                decode(data, LIMITS)
        else:
            decoded = decode(data, LIMITS)
            assert max(checked(decoded).shape) <= LIMITS.side_pixels, name
            if name.startswith("exif_orient"):
                upright = decode((folder / "baseline.jpg").read_bytes(), LIMITS).image
                assert decoded.image.shape == upright.shape, name
                assert np.abs(decoded.image.astype(int) - upright).mean() < 4, name


SURVIVE = """
import pathlib, resource, sys, time
from facegroup.errors import ImageError
from facegroup.images.decode import decode
from facegroup.settings import Limits
for file in sys.stdin.read().split("\\n"):
    start = time.monotonic()
    try:
        decode(pathlib.Path(file).read_bytes(), Limits())
    except ImageError as error:
        print(type(error).__name__, file)
    assert time.monotonic() - start < 10, file
status = pathlib.Path("/proc/self/status")
if status.exists():  # ru_maxrss begins with what the process that started this one had
    peak = 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert peak < 1e9, peak
"""


def test_odd_and_broken_files_of_others(shared: Path) -> None:
    """No file makes decode hang, take a gigabyte or raise anything but an ImageError: in a process of its own."""
    folders = [shared / "faces" / name for name in ("pillow_edge", "compreface/imgtools", "derived_edge")]
    files = [str(file) for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    assert len(files) > 200
    done = subprocess.run(
        [sys.executable, "-c", SURVIVE],
        input="\n".join(files),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) < 40, done.stdout
