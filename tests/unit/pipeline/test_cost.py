"""What a photo costs, before it is decoded: a small file may be much work, and a large one little."""

import io
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegroup.pipeline.cost import is_small, price
from facegroup.pipeline.messages import Photo
from facegroup.settings import Settings, load
from facegroup.types import Faces


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load(store="sqlite:///unused.db")


@cache
def photo(form: str, width: int, height: int, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), "gray").save(stream, form, **options)
    return stream.getvalue()


def test_order(settings: Settings) -> None:
    """From what is refused at once to a file of 0.1 MB that takes a second to decode."""
    data = [
        b"no image",
        photo("JPEG", 250, 250),
        photo("JPEG", 1280, 960),
        photo("JPEG", 4032, 3024),
        photo("JPEG", 4032, 3024, progressive=True),
        photo("PNG", 7000, 7000),
    ]
    prices = [price(Photo(each), settings) for each in data]
    assert prices == sorted(prices)
    assert len(set(prices)) == len(prices)
    assert prices[-1] > 50 * prices[1]


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_size_counts_in_every_format(settings: Settings, form: str) -> None:
    assert price(Photo(photo(form, 3000, 3000)), settings) > 3 * price(Photo(photo(form, 300, 300)), settings)


def test_each_scan_of_a_jpeg_counts(settings: Settings) -> None:
    data = photo("JPEG", 2000, 1500, progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    many = data[:-2] + scan * 1000 + data[-2:]
    frames = [price(Photo(each, background=True), settings) for each in (many, data)]
    assert frames[0] > 5 * frames[1]


def test_the_smallest_face_looked_for_counts(settings: Settings) -> None:
    data = photo("JPEG", 640, 480)
    prices = [price(Photo(data, size), settings) for size in (12, 20, 40, 80)]
    assert prices == sorted(prices, reverse=True)
    assert price(Photo(data), settings) == price(Photo(data, 20), settings)


def test_where_faces_are_known_only_decoding_counts(settings: Settings) -> None:
    data = photo("JPEG", 1280, 960)
    none = Faces(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))
    assert price(Photo(data, faces=none), settings) < price(Photo(data), settings) / 2


@pytest.mark.parametrize("length", [0, 1, 3, 12, 30, 100])
def test_damaged_heads_have_a_price_all_the_same(settings: Settings, length: int) -> None:
    for form in ("JPEG", "PNG", "TIFF", "WEBP"):
        assert price(Photo(photo(form, 300, 300)[:length]), settings) > 0


def test_second_looks_count_but_frames_of_cameras_get_none(settings: Settings) -> None:
    data = photo("JPEG", 1280, 960)
    frame, again = price(Photo(data, background=True), settings), price(Photo(data), settings)
    assert again - frame == 2 * 1280 * 960


@pytest.mark.parametrize(
    ("form", "width", "height", "options", "small"),
    [
        ("JPEG", 4032, 3024, {}, True),
        ("JPEG", 3024, 4032, {"progressive": True}, True),
        ("JPEG", 5184, 3888, {}, True),
        ("JPEG", 5472, 3648, {}, True),
        ("JPEG", 3024, 3024, {}, True),
        ("JPEG", 8160, 6120, {}, True),
        ("JPEG", 1280, 960, {}, True),
        ("PNG", 4032, 3024, {}, True),
        ("PNG", 7000, 7000, {}, False),
    ],
)
def test_a_photo_of_a_phone_is_a_small_request(
    settings: Settings, form: str, width: int, height: int, options: dict[str, Any], small: bool
) -> None:
    one = Photo(photo(form, width, height, **options))
    assert is_small([replace(one, cost=price(one, settings))], settings) == small


def test_ten_photos_of_a_phone_take_turns_and_ten_of_a_web_page_do_not(settings: Settings) -> None:
    for width, height, small in ((4032, 3024, False), (640, 480, True)):
        one = Photo(photo("JPEG", width, height))
        assert is_small([replace(one, cost=price(one, settings))] * 10, settings) == small
