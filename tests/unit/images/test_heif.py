"""HEIC and HEIF: the primary photo, upright once, in 8 bits, on white, within the limits of every photo."""

import contextlib
import io
import struct

import numpy as np
import pytest
from PIL import Image as pillow

from facegroup import errors
from facegroup.images import headers
from facegroup.images.decode import decode
from facegroup.images.heif_items import Items
from facegroup.settings import Limits
from tests.heics import HEIC

LIMITS = Limits()
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(data: bytes) -> list[tuple[int, ...]]:
    image = decode(data, LIMITS).image
    assert image.shape == (48, 64, 3)
    return [tuple(int(round(value / 255) * 255) for value in image[y, x]) for y in (12, 36) for x in (16, 48)]


@pytest.mark.parametrize("kind", ["plain", "10 bits", "turned", "mirrored", "thumbnail", "two images"])
def test_quarters(kind: str) -> None:
    assert corners(HEIC[kind]) == [RED, GREEN, BLUE, WHITE]
    assert (decode(HEIC[kind], LIMITS).width, decode(HEIC[kind], LIMITS).height) == (64, 48)


def test_transparent_is_shown_on_white() -> None:
    assert corners(HEIC["transparent"]) == [WHITE, GREEN, BLUE, WHITE]


def test_exif_does_not_turn_it() -> None:
    """HEIF says how to turn a photo by properties; EXIF beside them says the same again, and alone it does not count."""
    decoded = decode(HEIC["turned, EXIF alone"], LIMITS)
    assert (decoded.width, decoded.height) == (48, 64)


def test_gray() -> None:
    assert np.ptp(decode(HEIC["gray"], LIMITS).image, axis=2).max() <= 3


@pytest.mark.parametrize("brand", [b"heix", b"mif1", b"heim", b"miaf", b"XXXX"])
def test_brands(brand: bytes) -> None:
    assert corners(HEIC["plain"].replace(b"ftypheic", b"ftyp" + brand, 1)) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("kind", [kind for kind in HEIC if kind != "large"])
def test_a_cut_is_told(kind: str) -> None:
    data = HEIC[kind]
    for end in range(0, len(data) - 2, 7):
        try:
            decode(data[:end], LIMITS)
        except errors.ImageError:
            continue
        assert kind in {"two images", "thumbnail"}  # the last bytes are those of another picture


@pytest.mark.parametrize("kind", [kind for kind in HEIC if kind != "large"])
def test_damage_is_an_image_error_or_an_image(kind: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(HEIC[kind])
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(0, 256)
        with contextlib.suppress(errors.ImageError):
            assert decode(bytes(damaged), Limits(image_pixels=1_000_000)).image.dtype == np.uint8


def with_size(width: int, height: int) -> bytes:
    data = HEIC["plain"]
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (20_001, 10_000)])
def test_size_is_judged_on_the_header(width: int, height: int) -> None:
    with pytest.raises(errors.TooManyPixels, match="image_pixels"):
        decode(with_size(width, height), LIMITS)


@pytest.mark.parametrize(("width", "height"), [(32, 24), (640, 480), (8, 6), (0, 0)])
def test_a_header_that_lies(width: int, height: int) -> None:
    with pytest.raises(errors.ImageError):
        decode(with_size(width, height), LIMITS)


@pytest.mark.parametrize("kind", [kind for kind in HEIC if kind != "large"])
def test_header(kind: str) -> None:
    header = headers.read(HEIC[kind])
    assert header is not None
    assert 64 * 48 <= header.width * header.height <= 64 * 64  # a tile may be larger than what is shown of it
    assert not header.scalable


def test_a_sequence_without_a_photo_is_refused() -> None:
    with pytest.raises(errors.ImageError):
        decode(b"\0\0\0\x18ftyphevc\0\0\0\0msf1hevc" + b"\0\0\0\x08moov" + b"\0\0\0\x08mdat", LIMITS)


def coded(data: bytes) -> range:
    """The bytes of the coded pixels, nearly."""
    return range(data.index(b"mdat") + 60, len(data) - 80)


@pytest.mark.parametrize("form", ["HEIC", "AVIF"])
def test_a_piece_that_was_never_written_is_told(form: str) -> None:
    data = HEIC["large"] if form == "HEIC" else avif()
    assert decode(data, LIMITS).image.shape == (160, 200, 3)
    for place in coded(data)[:: len(data) // 20]:
        for damaged in (
            data[:place] + bytes(len(data) - place),
            data[:place] + bytes(70) + data[place + 70 :],
            data[:place] + data[place + 70 :] + bytes(70),
            data[:place],
        ):
            with pytest.raises(errors.TruncatedImage):
                decode(damaged, LIMITS)


def avif() -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (20, 25, 3), dtype=np.uint8)
    pillow.fromarray(noise).resize((200, 160), pillow.Resampling.BICUBIC).save(stream, "AVIF")
    return stream.getvalue()


@pytest.mark.parametrize("colour", ["black", "white", "gray", "red"])
def test_flat_pictures_have_no_holes(colour: str) -> None:
    stream = io.BytesIO()
    pillow.new("RGB", (3000, 2000), colour).save(stream, "AVIF", speed=9)
    assert decode(stream.getvalue(), LIMITS).width == 3000


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def grids(tiles: int, deep: int) -> bytes:
    """A file whose image names a tile of 4096 × 4096 so often, within grids within grids."""
    sizes = box(b"ispe", struct.pack(">III", 0, 64, 64)) + box(b"ispe", struct.pack(">III", 0, 4096, 4096))
    of = b"".join(struct.pack(">HBB", item, 1, 2 if item == 1 else 1) for item in range(1, deep + 2))
    references = b"".join(
        box(b"dimg", struct.pack(">HH", item, tiles), struct.pack(">H", item - 1) * tiles)
        for item in range(2, deep + 2)
    )
    properties = box(b"iprp", box(b"ipco", sizes), box(b"ipma", struct.pack(">II", 0, deep + 1), of))
    return box(b"ftyp", b"heic\0\0\0\0") + box(b"meta", bytes(4), box(b"iref", bytes(4), references), properties)


def test_what_a_grid_costs() -> None:
    assert Items(grids(4, 1)).pixels() == 4 * 4096 * 4096
    assert Items(grids(100, 4)).pixels() == 100**4 * 4096 * 4096
    assert Items(grids(2, 20)).pixels() == 2**20 * 4096 * 4096
    with pytest.raises(errors.TooManyPixels, match="within tiles"):
        Items(grids(1, 1).replace(b"dimg\0\2\0\1\0\1", b"dimg\0\2\0\1\0\2")).pixels()
    with pytest.raises(errors.TooManyPixels, match="too many tiles"):
        Items(grids(60_000, 2))


def file_of(*boxes: bytes, media: bytes = b"") -> bytes:
    return box(b"ftyp", b"heic\0\0\0\0") + box(b"meta", bytes(4), *boxes) + box(b"mdat", media)


def coded_item(item: int) -> bytes:
    return box(b"iinf", bytes(4), b"\0\1", box(b"infe", b"\2\0\0\0", struct.pack(">HH", item, 0), b"hvc1\0"))


def empty_extents(items: int) -> bytes:
    """Items of 65,535 extents each that take no byte of the file."""
    return box(b"iloc", b"\2\0\0\0\0\0", struct.pack(">I", items), b"\0\0\0\1\0\0\0\0\xff\xff" * items)


def extents(*places: tuple[int, int], item: int = 1) -> bytes:
    content = b"".join(struct.pack(">II", *place) for place in places)
    return box(b"iloc", bytes(4), b"\x44\0", struct.pack(">HHHH", 1, item, 0, len(places)), content)


def references(count: int, kind: bytes = b"dimg") -> bytes:
    return box(b"iref", bytes(4), box(kind, struct.pack(">HH", 2, count), bytes(2 * count)))


def associations(items: int, each: int) -> bytes:
    of = struct.pack(">HB", 1, each) + bytes(each)
    return box(b"iprp", box(b"ipco"), box(b"ipma", bytes(4), struct.pack(">I", items), of * items))


@pytest.mark.parametrize(
    "boxes",
    [
        [empty_extents(2)],
        [empty_extents(10_000)],
        [empty_extents(1), empty_extents(1)],
        [references(60_000), references(60_000)],
        [references(60_000), references(60_000, b"cdsc")],
        [references(40_000), associations(300, 200)],
        [empty_extents(1), references(40_000)],
        [associations(100_001, 0)],
        [box(b"free")] * 100_001,
    ],
    ids=["extents", "many extents", "ilocs", "irefs", "kinds", "associations", "together", "items", "boxes"],
)
def test_a_file_of_too_many_pieces_is_refused(boxes: list[bytes]) -> None:
    with pytest.raises(errors.TooManyPixels, match="too many tiles"):
        decode(file_of(*boxes), LIMITS)


@pytest.mark.parametrize(
    "boxes",
    [
        box(b"iref", bytes(4), box(b"dimg", struct.pack(">HH", 2, 400)), box(b"free", bytes(900))),
        box(b"iloc", bytes(4), b"\x44\0", struct.pack(">HHHH", 1, 1, 0, 50)) + box(b"free", bytes(900)),
        box(b"iprp", box(b"ipco"), box(b"ipma", bytes(4), struct.pack(">I", 9)), box(b"free", bytes(900))),
        box(b"iinf", bytes(4)) + box(b"free", bytes(900)),
    ],
    ids=["dimg", "iloc", "ipma", "iinf"],
)
def test_nothing_is_read_beyond_its_box(boxes: bytes) -> None:
    with pytest.raises(struct.error, match="a box ends early"):
        Items(file_of(boxes))
    with pytest.raises(errors.TruncatedImage):
        decode(file_of(boxes), LIMITS)


def test_pieces_that_overlap_are_refused() -> None:
    media = b"\7" * 1000
    places = [(200 + n, 900 - n) for n in range(50)]
    with pytest.raises(errors.TruncatedImage, match="overlap"):
        Items(file_of(coded_item(1), extents(*places), media=media)).refuse_holes()
    Items(file_of(coded_item(1), extents((200, 900)), media=media)).refuse_holes()


def test_images_may_share_a_piece() -> None:
    places = [(200, 900)] * 50
    Items(file_of(coded_item(1), extents(*places), media=b"\7" * 1000)).refuse_holes()
