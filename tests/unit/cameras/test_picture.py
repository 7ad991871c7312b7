"""Frames as cameras give them: turned, large, in odd formats; and the part around the regions."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as pillow

from facegroup.cameras.picture import Cut, Scissors, around, upright
from facegroup.types import Image
from tests import clips, photos

EVERYTHING = around(())
FORMATS = [
    "yuv420p",
    "yuvj420p",
    "yuv422p",
    "yuv444p",
    "nv12",
    "gray",
    "rgb24",
    "bgr24",
    "rgba",
    "yuv420p10le",
    "yuyv422",
]


def decoded(cut: Cut) -> Image:
    return np.asarray(pillow.open(io.BytesIO(cut.data)).convert("RGB"))


@pytest.mark.parametrize("kind", FORMATS)
def test_pixel_formats(kind: str) -> None:
    image = photos.resized(photos.astronaut(), 256)
    frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=kind)
    scissors = Scissors(EVERYTHING, 1280)
    cut = scissors.cut(frame)
    expected = image.mean(2) if kind == "gray" else image
    shown = decoded(cut).mean(2) if kind == "gray" else decoded(cut)
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(float) - expected).mean() < 12
    assert scissors.grey(frame).mean() == pytest.approx(image.mean(), abs=15)


@pytest.mark.parametrize(
    ("size", "regions", "width", "expected"),
    [
        ((640, 360), (), 1280, (640, 360, 1.0, (0, 0), (640, 360))),
        ((3840, 2160), (), 1280, (1280, 720, 1 / 3, (0, 0), (1280, 720))),
        ((3840, 2160), (((0.5, 0.5), (0.75, 0.5), (0.75, 1.0)),), 1280, (3840, 2160, 1.0, (1920, 1080), (960, 1080))),
        ((1920, 1080), (((0.0, 0.0), (1.0, 0.0), (0.0, 0.5)),), 960, (960, 540, 0.5, (0, 0), (960, 270))),
        ((640, 360), (((0.1, 0.1), (0.1, 0.1), (0.1, 0.1)),), 1280, (640, 360, 1.0, (64, 36), (1, 1))),
        ((640, 360), (((-1.0, -1.0), (2.0, -1.0), (2.0, 2.0)),), 1280, (640, 360, 1.0, (0, 0), (640, 360))),
        ((64, 4000), (), 64, (64, 4000, 1.0, (0, 0), (64, 4000))),
    ],
)
def test_the_part_around_the_regions(
    size: tuple[int, int],
    regions: tuple[tuple[tuple[float, float], ...], ...],
    width: int,
    expected: tuple[int, int, float, tuple[int, int], tuple[int, int]],
) -> None:
    frame = av.VideoFrame.from_ndarray(clips.room(size), "rgb24")
    cut = Scissors(around(regions), width).cut(frame)
    shape = decoded(cut).shape
    assert cut.scale == pytest.approx(expected[2])
    assert (cut.width, cut.height) == expected[:2]
    assert (cut.offset, (shape[1], shape[0])) == expected[3:]


def test_what_is_at_a_place_of_the_picture_is_found_there() -> None:
    """A white spot at 0.75, 0.5 of a large picture, through scaling and cutting, by the rule that `Frame` gives."""
    image = np.zeros((1080, 1920, 3), np.uint8)
    image[530:550, 1430:1450] = 255
    for regions in ((), (((0.6, 0.2), (0.9, 0.2), (0.9, 0.8)),)):
        cut = Scissors(around(regions), 640).cut(av.VideoFrame.from_ndarray(image, "rgb24"))
        y, x = np.argwhere(decoded(cut).mean(2) > 128).mean(0)
        assert (x + cut.offset[0]) / cut.width == pytest.approx(0.75, abs=0.002)
        assert (y + cut.offset[1]) / cut.height == pytest.approx(0.5, abs=0.004)
        assert (x + cut.offset[0]) / cut.scale == pytest.approx(1440, abs=3)


@pytest.mark.parametrize("turn", [0, 90, 180, -90, 270])
def test_a_turned_video_is_upright(turn: int, tmp_path: Path) -> None:
    image = photos.resized(photos.astronaut(), 200)[:120]
    path = clips.video(tmp_path / "a.mp4", [np.rot90(image, -turn // 90).copy()] * 5)
    clips.turn(path, turn)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert upright(frame) == (200, 120)
    cut = Scissors(EVERYTHING, 1280).cut(frame)
    assert np.abs(decoded(cut).astype(float) - image).mean() < 8
    half = Scissors((0.0, 0.0, 0.5, 1.0), 1280)
    assert np.abs(decoded(half.cut(frame)).astype(float) - image[:, :100]).mean() < 8
    assert half.grey(frame).mean() == pytest.approx(image[:, :100].mean(), abs=6)
