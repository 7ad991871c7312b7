"""What is said of a face before a network sees it, on faces made to measure."""

import cv2
import numpy as np
import pytest

from facegroup.networks.alignment import Aligner
from facegroup.networks.registry import spec
from facegroup.pipeline.messages import Quality
from facegroup.pipeline.quality import measure
from facegroup.types import Crops, Faces, Floats
from tests.photos import astronaut

UPRIGHT: Floats = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


def one(landmarks: Floats = UPRIGHT, box: tuple[float, float, float, float] = (0, 0, 100, 120)) -> Faces:
    return Faces(np.array([box], np.float32), landmarks[None].astype(np.float32), np.ones(1, np.float32))


def grey(value: int = 128) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((1, 64, 64, 3), value, np.uint8)


def measured(faces: Faces, crops: Crops, width: int = 200, height: int = 200) -> Quality:
    return measure(faces, crops, "five_point", width, height)


def turned(angle: float) -> Floats:
    """The landmarks turned clockwise around the face's middle."""
    matrix = cv2.getRotationMatrix2D((50, 60), -angle, 1)
    return np.asarray(UPRIGHT @ matrix[:, :2].T + matrix[:, 2], np.float32)


@pytest.mark.parametrize("angle", [0, 10, 45, 90, -30, -90, 135])
def test_roll_is_the_angle_of_the_eyes(angle: float) -> None:
    quality = measured(one(turned(angle)), grey())
    assert quality.roll[0] == pytest.approx(angle, abs=1e-3)
    assert quality.yaw[0] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("shift", "yaw"), [(0, 0), (10, 0.25), (-10, -0.25), (40, 1), (4000, 9)])
def test_yaw_is_how_far_the_nose_is_off_the_middle(shift: float, yaw: float) -> None:
    points = UPRIGHT.copy()
    points[2, 0] += shift
    assert measured(one(points), grey()).yaw[0] == pytest.approx(yaw)


@pytest.mark.parametrize(
    ("box", "size"), [((0, 0, 100, 120), 100), ((10, 10, 90, 40), 30), ((-5, 0, 5, 20), 10), ((3, 3, 3, 9), 0)]
)
def test_size_is_the_shorter_side(box: tuple[float, float, float, float], size: float) -> None:
    assert measured(one(box=box), grey()).size[0] == size


@pytest.mark.parametrize(("value", "brightness"), [(0, 0), (51, 0.2), (255, 1)])
def test_brightness_is_the_mean_grey(value: int, brightness: float) -> None:
    quality = measured(one(), grey(value))
    assert quality.brightness[0] == pytest.approx(brightness)
    assert (quality.sharpness[0], quality.contrast[0]) == (0, 0)


def test_blur_lowers_sharpness() -> None:
    crop = cv2.resize(astronaut()[50:200, 150:300], (112, 112))
    crops = np.stack([crop, *(cv2.GaussianBlur(crop, (0, 0), sigma) for sigma in (1, 2, 4))])
    faces = Faces(np.zeros((4, 4), np.float32), np.stack([UPRIGHT] * 4), np.ones(4, np.float32))
    sharpness = measured(faces, crops).sharpness
    assert (np.diff(sharpness) < 0).all()
    assert sharpness[0] > 3 * sharpness[2]


def test_eyes_in_one_place_are_no_division_by_zero() -> None:
    quality = measured(one(np.full((5, 2), 7, np.float32)), grey())
    assert (quality.yaw[0], quality.roll[0]) == (0, 0)


def test_no_face_has_no_quality() -> None:
    quality = measured(Faces.none(), np.empty((0, 64, 64, 3), np.uint8))
    for part in (getattr(quality, name) for name in Quality.__slots__):
        assert part.shape == (0,)
        assert part.dtype == np.float32


@pytest.mark.parametrize(("shift", "pitch"), [(1.6, 0), (11.6, 0.25), (-18.4, -0.5)])
def test_pitch_is_how_much_lower_than_usual_the_nose_is(shift: float, pitch: float) -> None:
    points = UPRIGHT.copy()
    points[2, 1] += shift
    assert measured(one(points), grey()).pitch[0] == pytest.approx(pitch, abs=0.01)


@pytest.mark.parametrize(
    ("move", "width", "inside"), [((50, 50), 200, 1), ((-50, 50), 200, 0.5), ((50, 50), 100, 0.5), ((-900, 0), 200, 0)]
)
def test_inside_is_how_much_of_the_face_is_in_the_photo(move: tuple[int, int], width: int, inside: float) -> None:
    assert measured(one(UPRIGHT + np.array(move)), grey(), width).inside[0] == pytest.approx(inside, abs=0.01)


@pytest.mark.parametrize("name", ["retail-0095", "dlib-resnet29", "vggface2-resnet50"])
def test_the_parts_mean_the_same_for_every_network(name: str) -> None:
    """Of one face, cut out for each network, sharpness, brightness and contrast are about the same."""
    photo = astronaut()
    points = np.array([[202, 110], [244, 108], [226, 137], [208, 158], [245, 157]], np.float32)
    faces = Faces(np.array([[172, 60, 274, 188]], np.float32), points[None], np.ones(1, np.float32))
    found = []
    for network in ("retail-0095", name):
        aligner = Aligner(spec(network))
        found.append(measure(faces, aligner.align(photo, faces), aligner.kind, 512, 512))
    assert found[1].sharpness[0] == pytest.approx(found[0].sharpness[0], rel=0.25)
    assert found[1].brightness[0] == pytest.approx(found[0].brightness[0], abs=0.05)
    assert found[1].contrast[0] == pytest.approx(found[0].contrast[0], abs=0.03)


def test_landmarks_that_are_no_numbers_leave_nothing_known() -> None:
    quality = measured(one(np.full((5, 2), np.nan, np.float32)), grey())
    assert np.isnan([quality.yaw[0], quality.pitch[0], quality.roll[0]]).all()
