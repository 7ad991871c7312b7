"""Pictures for people: names in any script, inside the photo, and a sheet with a row per person."""

import numpy as np
import pytest
from PIL import Image as pillow

from facegroup.images import fonts
from facegroup.images.drawing import boxes, sheet
from facegroup.types import NOT_IN_DATASET, Image

NAMES = ["Ann", "曾宏鈞", "Владимир", "محمد", "राहुल", "👩‍🚀", "", "tab\tand\nline", "x" * 500, NOT_IN_DATASET]


def gray(height: int = 200, width: int = 300) -> Image:
    return np.full((height, width, 3), 128, np.uint8)


@pytest.mark.parametrize("label", NAMES)
def test_a_named_box_is_drawn(label: str) -> None:
    image = gray()
    drawn = boxes(image, np.array([[100, 80, 160, 150]], np.float32), [label])
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == 128).all()
    assert (drawn[80, 100:161] != 128).any(axis=-1).all()
    assert (drawn[80:151, 160] != 128).any(axis=-1).all()
    assert (drawn[100:140, 110:150] == 128).all()


@pytest.mark.parametrize(
    "box",
    [[0, 0, 299, 199], [-50, -50, 20, 20], [280, 190, 400, 300], [290, 0, 299, 9], [50, 60, 40, 50], [5.4, 0, 9.9, 0]],
)
def test_labels_stay_inside_the_photo(box: list[float]) -> None:
    drawn = boxes(gray(), np.array([box], np.float32), ["Somebody"])
    assert (drawn == 255).all(axis=-1).any()  # the white of the letters


def test_a_person_keeps_a_colour_and_strangers_are_gray() -> None:
    box = np.array([[100, 80, 160, 150]], np.float32)
    ann, again, stranger = (boxes(gray(), box, [label])[115, 100] for label in ("Ann", "Ann", NOT_IN_DATASET))
    assert (ann == again).all()
    assert len(set(stranger.tolist())) == 1
    assert len(set(ann.tolist())) > 1


def test_no_faces_and_wrong_labels() -> None:
    assert (boxes(gray(), np.empty((0, 4), np.float32), []) == 128).all()
    with pytest.raises(ValueError, match="argument"):
        boxes(gray(), np.zeros((2, 4), np.float32), ["one"])


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (20, 20)])
def test_tiny_photos(size: tuple[int, int]) -> None:
    assert boxes(gray(*size), np.array([[0, 0, 1, 1]], np.float32), ["Ann"]).shape == (*size, 3)


def test_sheet_has_a_row_per_person_and_faces_side_by_side() -> None:
    red, blue = np.zeros((160, 160, 3), np.uint8), np.zeros((112, 112, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    drawn = sheet([("Ann", [red, red, red]), ("曾宏鈞", [blue]), ("nobody yet", [])])
    is_red, is_blue = ((drawn == colour).all(axis=-1) for colour in ([255, 0, 0], [0, 0, 255]))
    assert is_red.sum() == 3 * 112 * 112
    assert is_blue.sum() == 112 * 112
    assert np.nonzero(is_red)[0].max() < np.nonzero(is_blue)[0].min()
    for row in range(3):
        assert (drawn[6 + 118 * row : 118 * (row + 1), :200] < 100).any(), "the name"


def test_sheet_of_nobody_and_of_many() -> None:
    assert (sheet([]) < 100).any()
    crop = np.zeros((96, 96, 3), np.uint8)
    assert sheet([("Ann", [crop] * 500)]).shape[1] < 3000


def test_fonts_are_chosen_by_their_glyphs() -> None:
    font = fonts.font_for("Ann", 20)
    assert font.size == 20
    path = fonts._found()[0]
    assert fonts._missing(path, frozenset("Ann")) == frozenset()
    assert fonts._missing("", frozenset("曾宏")) == frozenset("曾宏")


def test_a_machine_without_fonts_still_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_found", lambda: ("",))
    assert (boxes(gray(), np.array([[100, 80, 160, 150]], np.float32), ["曾宏鈞 Ann"]) == 255).all(axis=-1).any()


def test_drawn_pictures_can_be_saved() -> None:
    assert pillow.fromarray(sheet([("Ann", [gray(112, 112)])])).mode == "RGB"
