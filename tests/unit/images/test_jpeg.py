"""A JPEG is decoded whole or refused: damage inside it, missing ends and scans; what stands behind it does not matter."""

import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow
from PIL import JpegImagePlugin

from facegroup import errors
from facegroup.images.decode import decode
from facegroup.images.jpeg import segments
from facegroup.settings import Limits
from tests.jpegs import RARE

LIMITS = Limits()


def picture() -> pillow.Image:
    """A picture with a photo's detail everywhere."""
    coarse = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return pillow.fromarray(coarse).resize((160, 120), pillow.Resampling.BICUBIC)


def encoded(mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    picture().convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


KINDS: dict[str, bytes] = {
    "baseline": encoded(quality=90),
    "4:4:4": encoded(quality=90, subsampling=0),
    "4:2:2": encoded(quality=90, subsampling=1),
    "gray": encoded("L"),
    "CMYK": encoded("CMYK"),
    "progressive": encoded(progressive=True),
    "gray, progressive": encoded("L", progressive=True),
    "CMYK, progressive": encoded("CMYK", progressive=True),
    "restart markers": encoded(restart_marker_rows=1),
    "progressive, restart markers": encoded(progressive=True, restart_marker_blocks=7),
    "RGB": encoded(keep_rgb=True),
    **RARE,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def pixels(data: bytes) -> np.ndarray:
    return decode(data, LIMITS).image.astype(int)


def inside(data: bytes, pieces: int) -> Iterator[int]:
    """Places in the pixels of a JPEG, from its first scan to shortly before its end."""
    begin = data.index(b"\xff\xda") + 14
    for piece in range(pieces):
        yield begin + (len(data) - begin) * piece // pieces


@every_kind
def test_pixels_are_pillows(kind: str) -> None:
    expected = np.asarray(pillow.open(io.BytesIO(KINDS[kind])).convert("RGB"), int)
    assert np.array_equal(pixels(KINDS[kind]), expected)


def told(data: bytes, whole: np.ndarray) -> bool:
    """Whether damage is refused; what is not must have cost nothing."""
    try:
        assert np.array_equal(pixels(data), whole)
    except errors.ImageError:
        return True
    return False


@every_kind
@pytest.mark.parametrize("end", [b"", b"\xff\xd9", bytes(3000), bytes(3000) + b"\xff\xd9", b"\xff\xd9" + bytes(3000)])
def test_a_cut_is_told(kind: str, end: bytes) -> None:
    data, whole = KINDS[kind], pixels(KINDS[kind])
    assert sum(told(data[:place] + end, whole) for place in inside(data, 40)) >= 38


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "arithmetic, restart markers"])
def test_a_missing_piece_is_told(kind: str) -> None:
    data, whole = KINDS[kind], pixels(KINDS[kind])
    length = (len(data) - data.index(b"\xff\xda")) // 5
    for place in list(inside(data, 10))[:7]:
        assert told(data[:place] + data[place + length :], whole)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in RARE])
@pytest.mark.parametrize("wiped", [0x00, 0x55])
def test_a_wiped_piece_is_told(kind: str, wiped: int) -> None:
    data, whole = KINDS[kind], pixels(KINDS[kind])
    length = (len(data) - data.index(b"\xff\xda")) // 5
    for place in list(inside(data, 10))[1:7]:
        assert told(data[:place] + bytes([wiped]) * length + data[place + length :], whole)


@pytest.mark.parametrize("kind", ["baseline", "gray", "progressive", "restart markers", "4:4:4"])
def test_what_libjpeg_warns_of_is_refused(kind: str) -> None:
    """Bits that are turned over: whoever leaves the wrong number of coded blocks is told."""
    rng, data = np.random.default_rng(1), KINDS[kind]
    places = list(inside(data, 60))[:-3]
    refused = 0
    for place in places:
        damaged = bytearray(data)
        for near in rng.integers(0, 24, 12):
            damaged[min(place + near, len(data) - 3)] ^= 1 << rng.integers(8)
        try:
            decode(bytes(damaged), LIMITS)
        except errors.ImageError:
            refused += 1
    assert refused > len(places) // 3


@every_kind
def test_only_the_end_marker_is_missing(kind: str) -> None:
    data = KINDS[kind]
    assert data.endswith(b"\xff\xd9")
    assert np.array_equal(pixels(data[:-2]), pixels(data))
    assert np.array_equal(pixels(data[:-1]), pixels(data))


@every_kind
@pytest.mark.parametrize(
    "behind",
    [
        bytes(1000),
        b"\xff" * 1000,
        b"\r\n</body></html>\n",
        np.random.default_rng(2).bytes(5000),
        b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + np.random.default_rng(3).bytes(5000),
        encoded("L", progressive=True),
        encoded()[:700],
    ],
    ids=["zeros", "ones", "text", "noise", "video", "gain map", "half a picture"],
)
def test_what_stands_behind_does_not_matter(kind: str, behind: bytes) -> None:
    assert np.array_equal(pixels(KINDS[kind] + behind), pixels(KINDS[kind]))


@every_kind
def test_zeros_before_the_end_marker_do_not_matter(kind: str) -> None:
    """Some cameras fill up to a full block there."""
    data = KINDS[kind]
    assert np.array_equal(pixels(data[:-2] + bytes(777) + data[-2:]), pixels(data))


def test_second_image_of_an_mpo() -> None:
    stream = io.BytesIO()
    picture().save(stream, "MPO", save_all=True, append_images=[pillow.new("RGB", (64, 48))])
    assert pixels(stream.getvalue()).shape == (120, 160, 3)
    assert pixels(stream.getvalue()[:-100]).shape == (120, 160, 3)


def test_a_progressive_jpeg_without_its_last_scans() -> None:
    """Each piece decodes without a warning; only the sum says that detail is missing."""
    data = KINDS["progressive"]
    scans = [found.start() for found in re.finditer(rb"\xff[\xc4\xda]", data)]
    for at in scans[2:]:
        with pytest.raises(errors.TruncatedImage):
            decode(data[:at] + b"\xff\xd9", LIMITS)


def without_detail(data: bytes, *components: int) -> bytes:
    """A progressive JPEG without the scans of these components that send more than their means."""
    found = [*segments(data)]
    ends = [begin - 2 for _, begin, _ in found[1:]] + [len(data) - 2]
    for (marker, begin, _), end in [*zip(found, ends, strict=True)][::-1]:
        if marker == 0xDA and data[begin + 2] == 1 and data[begin + 3] in components and data[begin + 5] > 0:
            data = data[: begin - 2] + data[end:]
    return data


def test_an_encoder_may_send_no_detail_of_chroma() -> None:
    data = KINDS["progressive"]
    for components in ((2,), (3,), (2, 3)):
        legal = without_detail(data, *components)
        assert len(legal) < len(data)
        expected = np.asarray(pillow.open(io.BytesIO(legal)).convert("RGB"), int)
        assert np.array_equal(pixels(legal), expected)
        assert np.array_equal(pixels(legal + b"behind"), expected)
        with pytest.raises(errors.TruncatedImage):
            decode(legal[:-2], LIMITS)  # it may have been cut there, or before


@pytest.mark.parametrize(
    ("kind", "components"),
    [
        ("progressive", b"\1"),
        ("progressive", b"\1\2\3"),
        ("gray, progressive", b"\1"),
        ("CMYK, progressive", b"C"),
        ("CMYK, progressive", b"K"),
        ("CMYK, progressive", b"CMYK"),
    ],
)
def test_a_photo_has_detail_of_luma(kind: str, components: bytes) -> None:
    damaged = without_detail(KINDS[kind], *components)
    assert len(damaged) < len(KINDS[kind])
    with pytest.raises(errors.TruncatedImage):
        decode(damaged, LIMITS)


def test_a_part_of_the_detail_of_chroma_is_missing() -> None:
    data = KINDS["progressive"]
    found = [*segments(data)]
    for (marker, begin, _), (_, after, _) in itertools.pairwise(found):
        if marker == 0xDA and data[begin + 2] == 1:
            with pytest.raises(errors.TruncatedImage):
                decode(data[: begin - 2] + data[after - 2 :], LIMITS)


def test_a_colour_whose_scan_is_missing() -> None:
    data = RARE["a scan for each colour"]
    last = data.rindex(b"\xff\xda")
    with pytest.raises(errors.TruncatedImage, match="before its last scan"):
        decode(data[:last] + b"\xff\xd9", LIMITS)


@pytest.mark.parametrize(
    "metadata",
    [
        b"\xff\xe0\x00\x10JFIF\x00\x07\x01\x00\x00\x01\x00\x01\x00\x00",
        b"\xff\xe2\x00\x30ICC_PROFILE\x00\x09\x03" + bytes(32),
        b"\xff\xe1\x00\x08Exif\x00\x00" + b"left over",
        b"\xff\xfe\xff\xff" + bytes(65533),
        b"\xff\xfe\x00\x03!" + b"garbage",
        b"\xff\xe2\x00\x0eICC_PROFILE\x00",
        b"\xff\xe0\x00\x07JFIF\x00",
        b"\xff\xe0\x00\x06JFIF",
        b"\xff\xee\x00\x07Adobe",
        b"\xff\xed\x00\x14Photoshop 3.0\x008BIM",
        b"\xff\xe2\x00\x06MPF\x00",
        b"\xff\xe1\x00\x02",
        b"\xff\xe1\x00\x1fhttp://ns.adobe.com/xap/1.0/\x00",
        b"\xff\x02\x00\x04ab",
        b"\xff\xbf\x00\x02",
        b"\xff\x01",
        b"\xff\xd3",
    ],
)
@pytest.mark.parametrize("kind", ["baseline", "progressive", "CMYK"])
def test_damaged_metadata_does_not_cost_the_photo(kind: str, metadata: bytes) -> None:
    data = KINDS[kind]
    assert np.array_equal(pixels(data[:2] + metadata + data[2:]), pixels(data))


@pytest.mark.parametrize("metadata", [b"\xff\xe2\x00\x0eICC_PROFILE\x00", b"\xff\x01", b"\xff\xe0\x00\x07JFIF\x00"])
@pytest.mark.parametrize("form", ["exif", "xmp"])
def test_damaged_metadata_does_not_cost_the_orientation(form: str, metadata: bytes) -> None:
    exif = pillow.Exif()
    exif[0x0112] = 6
    word = {"exif": exif} if form == "exif" else {"xmp": b'<rdf:Description tiff:Orientation="6"/>'}
    data = encoded(**word)
    assert decode(data[:2] + metadata + data[2:], LIMITS).image.shape == (160, 120, 3)
    frame = data.index(b"\xff\xc0")
    assert decode(data[:frame] + metadata + data[frame:], LIMITS).image.shape == (160, 120, 3)


def scans_say(data: bytes, last: bytes) -> bytes:
    """The file, with these three bytes at the end of each scan's header."""
    return re.sub(rb"\xff\xda(..)(.)(.{2,8}?)\x00\x3f\x00", lambda found: found[0][:-3] + last, data, flags=re.DOTALL)


@pytest.mark.parametrize(
    "kind", ["baseline", "gray", "CMYK", "restart markers", "arithmetic", "a scan for each colour"]
)
@pytest.mark.parametrize(
    "last", [b"\x00\x00\x00", b"\x00\x3f\x10", b"\x01\x40\x00", b"\xff\xff\xff"], ids=["0", "10", "40", "ff"]
)
def test_what_a_sequential_scan_says_of_coefficients_does_not_matter(kind: str, last: bytes) -> None:
    """Samsung's phones write zeros there."""
    data = KINDS[kind]
    changed = scans_say(data, last)
    assert changed.count(last) >= data.count(b"\xff\xda")
    assert changed != data
    assert np.array_equal(pixels(changed), pixels(data))


def with_adobe(kind: str, segment: bytes) -> bytes:
    """The file, with no other word on its colours than this segment."""
    data = re.sub(rb"\xff[\xe0\xee]\x00[\x0e\x10](JFIF\0|Adobe).{7,9}?(?=\xff)", b"", KINDS[kind], flags=re.DOTALL)
    return data[:2] + segment + data[2:]


@pytest.mark.parametrize("transform", [0, 1, 2, 3, 255])
@pytest.mark.parametrize("kind", ["baseline", "progressive", "gray", "CMYK", "CMYK, progressive"])
@pytest.mark.parametrize("tail", [0, 24], ids=["14 bytes", "38 bytes"])
def test_adobe_markers_are_read_as_libjpeg_reads_them(kind: str, transform: int, tail: int) -> None:
    """Whatever the transform; Photoshop writes 38 bytes."""
    adobe = b"Adobe\x00\x64\x00\x00\x00\x00" + bytes([transform]) + bytes(tail)
    data = with_adobe(kind, b"\xff\xee" + (len(adobe) + 2).to_bytes(2, "big") + adobe)
    expected = np.asarray(pillow.open(io.BytesIO(data)).convert("RGB"), int)
    assert np.array_equal(pixels(data), expected)


@pytest.mark.parametrize("kind", ["baseline", "a scan for each colour", "progressive"])
@pytest.mark.parametrize(
    "between",
    [
        b"\xff\xfe\x00\x05abc",
        b"\xff\xe0\x00\x10JFIF\x00\x07\x01\x00\x00\x01\x00\x01\x00\x00",
        b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x09",
        b"\xff\xff\xff\xff",
    ],
    ids=["comment", "JFIF 7", "Adobe", "fill bytes"],
)
def test_what_libjpeg_warns_of_between_the_scans_does_not_matter(kind: str, between: bytes) -> None:
    data = KINDS[kind]
    at = data.rindex(b"\xff\xc4", 0, data.rindex(b"\xff\xda")) if kind != "baseline" else data.index(b"\xff\xc4")
    assert np.array_equal(pixels(data[:at] + between + data[at:]), pixels(data))


@pytest.mark.parametrize("stray", [b"stray", bytes(999), b"\xff\x00" * 9])
def test_stray_bytes_between_tables_do_not_matter(stray: bytes) -> None:
    data = KINDS["baseline"]
    at = data.index(b"\xff\xdb")
    assert np.array_equal(pixels(data[:at] + stray + data[at:]), pixels(data))


def test_twelve_bits_are_refused_by_name() -> None:
    data = bytearray(KINDS["baseline"])
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = 0xC1, 12
    with pytest.raises(errors.UnsupportedFormat, match="8 bits"):
        decode(bytes(data), LIMITS)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_reduced_scale_looks_the_same(options: dict[str, object]) -> None:
    """Decoding at libjpeg's scale and scaling down after are alike, at each of the eight scales."""
    photo = picture().resize((1600, 1200), pillow.Resampling.BICUBIC)
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=95, **options)
    for side in (1590, 1300, 1100, 900, 700, 500, 300, 150):
        decoded = decode(stream.getvalue(), Limits(side_pixels=side))
        size = (decoded.image.shape[1], decoded.image.shape[0])
        assert max(size) == side
        expected = np.asarray(photo.resize(size, pillow.Resampling.LANCZOS), int)
        assert np.abs(decoded.image - expected).mean() < 1.5


@pytest.mark.parametrize(
    ("options", "limits", "setting"),
    [
        ({}, {"jpeg_pixels": 160 * 120 - 1}, "jpeg_pixels"),
        ({"progressive": True}, {"progressive_pixels": 160 * 120 - 1}, "progressive_pixels"),
        ({}, {"image_pixels": 160 * 120 - 1}, "image_pixels"),
        ({"progressive": True}, {"image_pixels": 160 * 120 - 1}, "image_pixels"),
    ],
)
def test_a_refusal_names_the_setting(options: dict[str, object], limits: dict[str, int], setting: str) -> None:
    with pytest.raises(errors.TooManyPixels, match=rf"160 × 120 pixels.*\({setting}\)\. Send a smaller photo"):
        decode(encoded("RGB", **options), Limits.model_validate(limits))


def test_limits_judge_what_is_decoded() -> None:
    few = Limits(side_pixels=64, image_pixels=80 * 60)
    assert decode(encoded(), few).image.shape == (48, 64, 3)
    assert decode(encoded(progressive=True), few).image.shape == (48, 64, 3)


def test_photos_of_others_have_the_same_pixels_as_before(shared: Path) -> None:
    """Where nothing is wrong and nothing is scaled, not one pixel differs from Pillow's."""
    known = json.loads((shared / "faces" / "derived_edge" / "expected.json").read_text())
    compared = 0
    for folder in ("pillow_edge", "compreface/imgtools", "derived_edge"):
        for file in sorted((shared / "faces" / folder).iterdir()):
            if not file.is_file() or file.read_bytes()[:3] != b"\xff\xd8\xff":
                continue
            if file.name == "truncated_jpeg.jpg":  # whole but for its end marker, which Pillow wants
                continue
            try:
                decoded = decode(file.read_bytes(), LIMITS)
            except errors.ImageError:
                assert "truncated" in file.name or file.name == "hopper_bad_exif.jpg", file
                continue
            with JpegImagePlugin.JpegImageFile(file) as opened:
                if decoded.scale < 1 or opened.getexif().get(0x0112, 1) != 1:
                    continue
                assert np.array_equal(decoded.image, np.asarray(opened.convert("RGB"))), file
            compared += 1
    assert compared > 25
    assert known
