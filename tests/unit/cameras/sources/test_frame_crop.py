"""Frames as cameras give them: turned, large, in odd formats; and the part around the regions."""

import io
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image as pillow

from facegroup.cameras.sources.deinterlacing import has_combing
from facegroup.cameras.sources.frame_crop import FrameCrop, FrameCropper, around, upright
from facegroup.cameras.sources.reader import CameraReader
from facegroup.cameras.types import Camera
from facegroup.settings import Cameras
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


def decoded(cut: FrameCrop) -> Image:
    return np.asarray(pillow.open(io.BytesIO(cut.data)).convert("RGB"))


@pytest.mark.parametrize("kind", FORMATS)
def test_pixel_formats(kind: str) -> None:
    image = photos.resized(photos.astronaut(), 256)
    frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=kind)
    cropper = FrameCropper(EVERYTHING, 1280)
    cut = cropper.cut(frame)
    expected = image.mean(2) if kind == "gray" else image
    shown = decoded(cut).mean(2) if kind == "gray" else decoded(cut)
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(float) - expected).mean() < 12
    assert cropper.grey(frame).mean() == pytest.approx(image.mean(), abs=15)


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
    cut = FrameCropper(around(regions), width).cut(frame)
    shape = decoded(cut).shape
    assert cut.scale == pytest.approx(expected[2])
    assert (cut.width, cut.height) == expected[:2]
    assert (cut.offset, (shape[1], shape[0])) == expected[3:]


def test_what_is_at_a_place_of_the_picture_is_found_there() -> None:
    """A white spot at 0.75, 0.5 of a large picture, through scaling and cutting, by the rule that `Frame` gives."""
    image = np.zeros((1080, 1920, 3), np.uint8)
    image[530:550, 1430:1450] = 255
    for regions in ((), (((0.6, 0.2), (0.9, 0.2), (0.9, 0.8)),)):
        cut = FrameCropper(around(regions), 640).cut(av.VideoFrame.from_ndarray(image, "rgb24"))
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
    cut = FrameCropper(EVERYTHING, 1280).cut(frame)
    assert np.abs(decoded(cut).astype(float) - image).mean() < 8
    half = FrameCropper((0.0, 0.0, 0.5, 1.0), 1280)
    assert np.abs(decoded(half.cut(frame)).astype(float) - image[:, :100]).mean() < 8
    assert half.grey(frame).mean() == pytest.approx(image[:, :100].mean(), abs=6)


def first(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


@pytest.mark.parametrize("size", [1.0, 0.5, 3.0])
@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda image: image),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda image: np.rot90(image, 2).swapaxes(0, 1)),
        ((0.99, 0.1, -0.1, 0.99), lambda image: image),  # by a few degrees: to the next quarter
        ((0, 0, 0, 0), lambda image: image),
    ],
)
def test_every_display_matrix(
    tmp_path: Path, matrix: tuple[float, ...], shown: Callable[[Image], Image], size: float
) -> None:
    image = photos.resized(photos.astronaut(), 200)[:120]
    path = clips.video(tmp_path / "a.mp4", [image] * 2)
    clips.lay(path, *(size * part for part in matrix))
    frame = first(path)
    expected = shown(image)
    assert upright(frame) == (expected.shape[1], expected.shape[0])
    found = decoded(FrameCropper(EVERYTHING, 1280).cut(frame))
    assert np.abs(found.astype(float) - expected).mean() < 8
    corner = FrameCropper((0.0, 0.0, 0.5, 0.5), 1280)
    part = expected[: expected.shape[0] // 2, : expected.shape[1] // 2]
    assert np.abs(decoded(corner.cut(frame)).astype(float) - part).mean() < 8
    assert corner.grey(frame).mean() == pytest.approx(part.mean(), abs=6)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (-1, 0, 0, 1), (0, 1, -1, 0), (0, 1, 1, 0)])
def test_a_camera_that_is_turned_by_a_setting(tmp_path: Path, matrix: tuple[float, ...], rotate: int) -> None:
    image = photos.resized(photos.astronaut(), 200)[:120]
    path = clips.video(tmp_path / "a.mp4", [image] * 2)
    clips.lay(path, *matrix)
    frame = first(path)
    plain = decoded(FrameCropper(EVERYTHING, 1280).cut(frame)).astype(float)
    expected = np.rot90(plain, -rotate // 90)
    cut = FrameCropper(EVERYTHING, 1280, rotate).cut(frame)
    assert upright(frame, rotate=rotate) == (cut.width, cut.height) == (expected.shape[1], expected.shape[0])
    assert np.abs(decoded(cut) - expected).mean() < 4
    left = FrameCropper((0.0, 0.0, 0.5, 1.0), 1280, rotate)
    assert left.grey(frame).mean() == pytest.approx(expected[:, : expected.shape[1] // 2].mean(), abs=6)


@pytest.mark.parametrize(
    ("size", "aspect", "width", "expected"),
    [
        ((352, 576), "32/11", 1280, (1024, 576)),
        ((352, 288), "12/11", 1280, (384, 288)),
        ((720, 576), "64/45", 1280, (1024, 576)),
        ((720, 576), "64/45", 512, (512, 288)),
        ((320, 180), "1/2", 1280, (320, 360)),
        ((320, 180), "1/1", 1280, (320, 180)),
        ((320, 180), "1/100", 1280, (320, 180)),  # nobody's
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_pixels_that_are_not_square(
    tmp_path: Path, name: str, size: tuple[int, int], aspect: str, width: int, expected: tuple[int, int]
) -> None:
    path = clips.video(tmp_path / name, [clips.room(size)] * 3, fps=5, aspect=aspect)
    with closing(
        CameraReader(
            Camera("a", f"file://{path}", "g", motion=False, realtime=False), Cameras(folder=tmp_path, width=width)
        )
    ) as reader:
        frame, status = reader.next(10), reader.status()
    assert frame is not None
    assert (frame.width, frame.height) == pytest.approx(expected, abs=1)
    assert (status.width, status.height) == pytest.approx((expected[0] / frame.scale, expected[1] / frame.scale), abs=2)


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.mkv"])
def test_interlaced_pictures(tmp_path: Path, name: str) -> None:
    """Of what moves one moment is shown; what stands still keeps all its rows."""
    options: dict[str, Any] = {"flags": "+ildct+ilme", "x264-params": "interlaced=1", "crf": "16"}
    moving = clips.woven(clips.walk(24, (640, 352), 160))
    frames = clips.shown(clips.video(tmp_path / name, moving, **options))
    for frame in frames[3:9]:
        whole: Any = frame.to_ndarray(format="gray")
        cut = FrameCropper(EVERYTHING, 1280).cut(frame)
        assert frame.interlaced_frame
        assert has_combing(whole)
        assert not has_combing(decoded(cut)[..., 1])
        assert decoded(cut).shape == (352, 640, 3)
    somebody = [*clips.walk(1, (640, 352), 160)] * 6
    frame = clips.shown(clips.video(tmp_path / f"still-{name}", somebody, **options))[2]
    assert frame.interlaced_frame
    whole = frame.to_ndarray(format="gray")
    assert not has_combing(whole)
    whole = frame.to_ndarray(format="rgb24").astype(float)
    assert np.abs(decoded(FrameCropper(EVERYTHING, 1280).cut(frame)) - whole).mean() < 1.5
