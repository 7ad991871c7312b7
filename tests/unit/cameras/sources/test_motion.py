"""The gate: it closes on still scenes, and loses no face."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from facegroup.cameras.sources.frame_crop import FrameCropper, around
from facegroup.cameras.sources.motion import MotionFilter
from facegroup.networks.registry import spec
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import load
from facegroup.types import Floats, Image
from tests import clips, photos

CROPPER = FrameCropper(around(()), 640)
FPS = 2


def passed(gate: MotionFilter, pictures: Iterator[Image] | list[Image], start: float = 0.0) -> list[bool]:
    """Which of the pictures, so many a second, are to be analysed."""
    frames = (av.VideoFrame.from_ndarray(picture, "rgb24") for picture in pictures)
    return [gate.opens(CROPPER.grey(frame), start + number / FPS) for number, frame in enumerate(frames)]


def test_a_still_scene_is_looked_at_now_and_again() -> None:
    found = passed(MotionFilter(), clips.still(120, clips.room()))
    looks = np.flatnonzero(found) / FPS
    assert list(looks[looks <= 3]) == list(np.arange(0, 3.1, 1 / FPS))  # at first all of it
    assert set(np.diff(looks[looks >= 3])) == {5.0}


@pytest.mark.parametrize("apart", [4.0, 5.0, 30.0])
def test_frames_that_come_seldom_are_all_looked_at(apart: float) -> None:
    """A camera is never exact: the one frame is a little early, the next a little late."""
    gate, jitter = MotionFilter(), np.random.default_rng(0)
    frames = (av.VideoFrame.from_ndarray(picture, "rgb24") for picture in clips.still(20, clips.room()))
    moments = [number * apart + float(jitter.uniform(-0.05, 0.05)) for number in range(20)]
    assert all(gate.opens(CROPPER.grey(frame), at) for frame, at in zip(frames, moments, strict=True))


@pytest.mark.parametrize("side", [24, 48, 160])
def test_somebody_who_comes_is_seen_at_once_and_for_as_long_as_they_sit_still(side: int) -> None:
    """The smallest face is about 20 pixels wide in a photo of 24."""
    room = clips.room()
    occupied = room.copy()
    somebody = photos.resized(photos.astronaut()[0:256, 128:384], side)
    occupied[100 : 100 + side, 300 : 300 + side] = somebody
    gate = MotionFilter()
    passed(gate, clips.still(30, room))
    found = passed(gate, clips.still(80, occupied, seed=1), start=30 / FPS)
    assert all(found[: 3 * FPS])
    assert max(np.diff(np.flatnonzero([*found, True]))) <= 5 * FPS
    assert np.mean(found[50:]) < 0.3  # and the gate closes again
    left = passed(gate, clips.still(20, room, seed=2), start=110 / FPS)
    assert all(left[: 3 * FPS])


@pytest.mark.parametrize("grain", [0, 4, 12])
def test_noise_is_no_movement_and_a_face_in_noise_is(grain: float) -> None:
    random = np.random.default_rng(0)

    def noisy(picture: Image) -> Image:
        noise = random.normal(0, grain, picture.shape[:2])[..., None]
        return np.clip(picture + noise, 0, 255).astype(np.uint8)

    gate, room = MotionFilter(), clips.room()
    empty = passed(gate, [noisy(room) for _ in range(60)])
    assert np.mean(empty[20:]) < 0.3
    room[200:240, 300:340] = photos.resized(photos.astronaut()[0:256, 128:384], 40)
    assert passed(gate, [noisy(room)], start=30.0) == [True]


def test_no_face_of_the_clips_is_lost(shared: Path) -> None:
    """Each clip, then its last picture for half a minute: every face that is found at all is in a frame that is passed."""
    settings = load(network="retail-0095")
    finder = open_finder(settings, spec("retail-0095"))
    faces = 0
    for clip in sorted((shared / "faces" / "videos").iterdir()):
        gate, boxes = MotionFilter(), []
        moving = list(clips.shots(clip, (640, 360), FPS))
        gate_open = passed(gate, [*moving, *[moving[-1]] * (30 * FPS)])
        for picture in moving:
            cut = CROPPER.cut(av.VideoFrame.from_ndarray(picture, "rgb24"))
            (seen,) = finder.find([Photo(cut.data)])
            assert isinstance(seen, DetectedFaces)
            boxes.append(seen.faces.boxes)
        boxes += [boxes[-1]] * (30 * FPS)
        found = [(number, box) for number, each in enumerate(boxes) for box in each]
        shown = [(number, box) for number, box in found if gate_open[number]]
        lost = [
            (clip.name, number)
            for number, box in found
            if not any(abs(number - other) <= 5 * FPS and _same(box, known) for other, known in shown)
        ]
        assert not lost
        assert not all(gate_open)
        faces += len(found)
    finder.close()
    assert faces > 100


def _same(box: Floats, other: Floats) -> bool:
    """Whether two boxes overlap by half."""
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    both = float(np.prod(np.maximum(high - low, 0)))
    return both > 0.5 * min(float(np.prod(box[2:] - box[:2])), float(np.prod(other[2:] - other[:2])))
