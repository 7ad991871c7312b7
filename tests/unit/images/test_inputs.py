"""What a caller of the library may give as a photo, and what is refused by its type."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow

from facegroup.errors import MalformedRequest
from facegroup.images import inputs
from facegroup.images.decode import decode
from facegroup.settings import Limits
from tests.photos import encode, hopper

PHOTO = encode(hopper())


def pixels(data: bytes) -> Any:
    return decode(data, Limits()).image


@pytest.mark.parametrize("photo", [PHOTO, bytearray(PHOTO), memoryview(PHOTO), io.BytesIO(PHOTO)])
def test_bytes_stay_as_they_are(photo: Any) -> None:
    assert inputs.encoded(photo) == PHOTO


def test_a_path_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(PHOTO)
    assert inputs.encoded(path) == inputs.encoded(str(path)) == PHOTO


def test_arrays_and_pictures_keep_their_pixels() -> None:
    array = hopper()
    for photo in (array, array[::-1, ::-1][::-1, ::-1], pillow.fromarray(array)):
        np.testing.assert_array_equal(pixels(inputs.encoded(photo)), array)
    grey = array[..., 1]
    for one in (grey, grey[..., None], pillow.fromarray(grey)):
        np.testing.assert_array_equal(pixels(inputs.encoded(one))[..., 0], grey)
    assert inputs.encoded(array) == inputs.encoded(array.copy()), "the same pixels are the same sample"


def test_a_picture_is_turned_upright() -> None:
    file = io.BytesIO()
    exif = pillow.Exif()
    exif[0x0112] = 6
    pillow.fromarray(hopper()).save(file, "JPEG", quality=95, exif=exif)
    with pillow.open(io.BytesIO(file.getvalue())) as picture:
        np.testing.assert_array_equal(pixels(inputs.encoded(picture)), pixels(file.getvalue()))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "HSV", "LAB"])
def test_pictures_of_every_mode(mode: str) -> None:
    assert pixels(inputs.encoded(pillow.new(mode, (40, 30)))).shape == (30, 40, 3)


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (None, "NoneType"),
        (7, "int"),
        ({"image": "x"}, "dict"),
        (["a.jpg"], "list"),
        (io.StringIO("text"), "mode 'rb'"),
        ("absent.jpg", "'absent.jpg' cannot be read"),
        ("/", "cannot be read"),
        ("a\0b", "cannot be read"),
        ("http://localhost/a.jpg", "URLs are not fetched"),
        ("data:image/jpeg;base64,AAAA", "URLs are not fetched"),
        (np.zeros((9, 9, 3)), "float64"),
        (np.zeros((9, 9, 2), np.uint8), "(9, 9, 2)"),
        (np.zeros((2, 9, 9, 3), np.uint8), "(2, 9, 9, 3)"),
        (np.zeros((0, 9, 3), np.uint8), "(0, 9, 3)"),
        (np.array(None), "object"),
    ],
)
def test_what_is_no_photo_is_refused_by_type(photo: Any, said: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        inputs.encoded(photo)
    assert said in caught.value.detail


@pytest.mark.parametrize(
    "photos", [PHOTO, "a.jpg", Path("a.jpg"), hopper(), pillow.new("L", (9, 9)), io.BytesIO(), 7, None]
)
def test_a_photo_in_no_list_is_refused(photos: Any) -> None:
    for take in (inputs.several, inputs.named, inputs.pair):
        with pytest.raises(MalformedRequest, match="Pass a list of photos"):
            take(photos)


def test_names(tmp_path: Path) -> None:
    path = tmp_path / "ada.jpg"
    path.write_bytes(PHOTO)
    photos = (each for each in (path, ("eve", PHOTO), PHOTO))
    assert inputs.named(photos) == [(str(path), PHOTO), ("eve", PHOTO), ("photo 2", PHOTO)]
    with pytest.raises(MalformedRequest, match="not 1"):
        inputs.pair([PHOTO])
