"""headers.read(): the size that decoding would find, for every format, and never an exception."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from facegroup import headers
from facegroup.errors import ImageError
from facegroup.headers import Header
from facegroup.image import decode
from facegroup.settings import Limits


def encoded(form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    pillow.new("RGB", (70, 50), "red").save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("form", "options", "scalable"),
    [
        ("JPEG", {}, True),
        ("JPEG", {"restart_marker_blocks": 2}, True),
        ("JPEG", {"comment": b"x" * 60_000, "exif": b"Exif\0\0" + bytes(60_000)}, True),
        ("JPEG", {"progressive": True}, False),
        ("MPO", {"save_all": True, "append_images": [pillow.new("RGB", (200, 100))]}, True),
        ("PNG", {}, False),
        ("WEBP", {}, False),
        ("WEBP", {"lossless": True}, False),
        ("WEBP", {"exif": b"Exif\0\0"}, False),
        ("AVIF", {}, False),
        ("GIF", {}, False),
        ("BMP", {}, False),
        ("TIFF", {}, False),
        ("TIFF", {"big_tiff": True}, False),
        ("PPM", {}, False),
    ],
)
def test_sizes(form: str, options: dict[str, object], scalable: bool) -> None:
    assert headers.read(encoded(form, **options)) == Header(70, 50, scalable)


def test_baseline_of_several_scans_keeps_its_coefficients() -> None:
    data = encoded("JPEG")
    one = data.index(b"\xff\xda")
    assert headers.read(data[: one + 4] + b"\x01" + data[one + 5 :]) == Header(70, 50, False)


def test_what_is_decoded() -> None:
    assert Header(16384, 12288, True).decoded_pixels(2048) == 2048 * 1536
    assert Header(16320, 12240, True).decoded_pixels(2048) == 4080 * 3060
    assert Header(4032, 3024, True).decoded_pixels(2048) == 2520 * 1890
    assert Header(2047, 100, True).decoded_pixels(2048) == 204_700
    assert Header(1, 9001, True).decoded_pixels(2048) == 2251
    assert Header(16384, 12288).decoded_pixels(2048) == 16384 * 12288


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM"])
def test_nothing_raises(form: str) -> None:
    rng = np.random.default_rng(0)
    whole = encoded(form)
    for end in range(0, len(whole), max(1, len(whole) // 60)):
        headers.read(whole[:end])
    for _ in range(200):
        damaged = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 200), 3):
            damaged[place] = rng.integers(0, 256)
        headers.read(bytes(damaged))


def test_others_files(shared: Path) -> None:
    """Whatever can be decoded has the size that its header says, turned or not."""
    seen = 0
    for folder in ("pillow_edge", "compreface/imgtools", "derived_edge"):
        for file in sorted((shared / "faces" / folder).iterdir()):
            if not file.is_file():
                continue
            data = file.read_bytes()
            header = headers.read(data)
            try:
                decoded = decode(data, Limits())
            except ImageError:
                continue
            assert header is not None, file
            assert {header.width, header.height} == {decoded.width, decoded.height}, file
            seen += 1
    assert seen > 130
