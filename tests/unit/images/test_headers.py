"""headers.read(): the size that decoding would find, for every format, and never an exception."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from facegroup.errors import ImageError
from facegroup.images import headers
from facegroup.images.decode import decode
from facegroup.images.headers import Header
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


def tiff(big: bool, order: str, tags: list[tuple[int, int, int, int]]) -> bytes:
    count, entry, head = ("Q", "HHQQ", 16) if big else ("H", "HHLL", 8)
    start = struct.pack(order + ("HHHQ" if big else "HL"), *((43, 8, 0, 16) if big else (42, head)))
    content = b"".join(
        # a value stands at the beginning of its field
        struct.pack(order + entry, tag, kind, values, value << (order == ">") * (32 * big + 16 * (kind == 3)))
        for tag, kind, values, value in tags
    )
    return {"<": b"II", ">": b"MM"}[order] + start + struct.pack(order + count, len(tags)) + content + bytes(900)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_tiff(big: bool, order: str, kind: int) -> None:
    assert headers.read(tiff(big, order, [(256, kind, 1, 70), (257, kind, 1, 50)])) == Header(70, 50)
    assert headers.read(tiff(big, order, [(256, kind, 1, 70)])) is None


SIDES = [(256, 4, 1, 70), (257, 4, 1, 50)]
LONG = {
    "TIFF": tiff(False, "<", [*SIDES, *((1000 + n, 4, 1, 1) for n in range(60_000))]),
    "BigTIFF": tiff(True, "<", [*SIDES, *((1000 + n % 60_000, 4, 1, 1) for n in range(100_000))]),
    "TIFF of overlapping values": tiff(False, "<", [*SIDES, *((1000 + n, 1, 900, 0) for n in range(50))]),
    "PNM, comment": b"P6 #" + b"x" * 5000 + b"\n1 1 255\n" + bytes(3),
    "PNM, spaces": b"P5" + b" " * 5000 + b"1 1 255\n" + bytes(3),
    "PNM, comments": b"P5\n" + b"#\n" * 5000 + b"1 1 255\n" + bytes(3),
    "JPEG": encoded("JPEG")[:20] + b"\xff\x00" * 40_000 + encoded("JPEG")[20:],
    "HEIF": b"\0\0\0\x18ftypheic" + b"ispe\0\0\0\0\0\0\0\1\0\0\0\1" * 10_001,
}


@pytest.mark.parametrize("kind", LONG)
def test_of_a_header_longer_than_any_photos_nothing_is_said(kind: str) -> None:
    """And the photo is refused, so that nothing is decoded whose cost is unknown."""
    assert headers.read(LONG[kind]) is None
    with pytest.raises(ImageError):
        decode(LONG[kind], Limits())


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
