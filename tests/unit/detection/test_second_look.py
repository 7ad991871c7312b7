"""Photos that lie on their side or head, and crops that end inside the face: found, upright, and at a bounded cost."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import starmap

import numpy as np
import pytest

from facegroup.detection import second_look
from facegroup.detection.boxes import overlap
from facegroup.detection.second_look import DetectionPass
from facegroup.enrolment.samples import not_upright, samples
from facegroup.errors import NotUpright
from facegroup.networks.registry import spec
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import DetectedFaces, Photo, PhotoResult
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import load
from facegroup.types import Faces, Floats, Image
from tests.photos import astronaut, both, encode, hopper, nobody, resized

QUARTERS = [0, 1, 2, 3]
PEOPLE = {"hopper": hopper, "astronaut": astronaut}


@pytest.fixture(scope="module")
def finder() -> Iterator[Finder]:
    settings = load(network="vggface2-resnet50")  # crops by box, which no landmark turns upright
    finder = open_finder(settings, spec(settings.network, settings))
    yield finder
    finder.close()


def found(finder: Finder, image: Image, *, upright: bool = False, background: bool = False) -> DetectedFaces:
    (answer,) = finder.find([Photo(encode(image, "PNG"), upright=upright, background=background)])
    assert isinstance(answer, DetectedFaces)
    return answer


def turned(image: Image, quarters: int) -> Image:
    return np.ascontiguousarray(np.rot90(image, quarters))


@pytest.mark.parametrize("upright", [False, True], ids=["identification", "enrolment"])
@pytest.mark.parametrize("quarters", QUARTERS)
@pytest.mark.parametrize("person", PEOPLE)
def test_a_photo_that_lies_gives_the_same_crop(finder: Finder, person: str, quarters: int, upright: bool) -> None:
    image = PEOPLE[person]()
    wanted, seen = found(finder, image), found(finder, turned(image, quarters), upright=upright)
    assert len(seen.faces) == 1
    assert seen.turned == 90 * quarters
    assert seen.upright
    assert np.abs(seen.crops[0].astype(int) - wanted.crops[0]).mean() < 12
    assert abs(seen.quality.roll[0] - wanted.quality.roll[0]) < 5


@pytest.mark.parametrize("quarters", QUARTERS)
def test_boxes_and_landmarks_are_of_the_photo_as_it_was_sent(finder: Finder, quarters: int) -> None:
    image = hopper()
    wanted, seen = found(finder, image).faces, found(finder, turned(image, quarters))
    height, width = image.shape[:2]
    boxes, points = wanted.boxes, wanted.landmarks
    for _ in range(quarters):
        boxes = np.stack([boxes[:, 1], width - 1 - boxes[:, 2], boxes[:, 3], width - 1 - boxes[:, 0]], axis=1)
        points = np.stack([points[..., 1], width - 1 - points[..., 0]], axis=-1)
        width, height = height, width
    assert (seen.width, seen.height) == (width, height)
    assert overlap(seen.faces.boxes, boxes)[0, 0] > 0.8
    assert np.abs(seen.faces.landmarks - points).max() < 8


def test_several_faces_stand_from_left_to_right_of_the_photo_as_it_was_sent(finder: Finder) -> None:
    seen = found(finder, turned(both(), 2), upright=True)
    assert seen.turned == 180
    middles = seen.faces.boxes[:, 0] + seen.faces.boxes[:, 2]
    assert len(middles) == 2
    assert middles[0] < middles[1]
    right_way_up = found(finder, both())
    assert np.abs(seen.crops[0].astype(int) - right_way_up.crops[1]).mean() < 12


@pytest.mark.parametrize("kept", [0.95, 0.87])
@pytest.mark.parametrize("side", [90, 200, 0])
@pytest.mark.parametrize("person", PEOPLE)
def test_a_crop_that_ends_inside_the_face_is_found(finder: Finder, person: str, side: int, kept: float) -> None:
    image = PEOPLE[person]()
    x1, y1, x2, y2 = found(finder, image).faces.boxes[0]
    across, down = (x2 - x1) * (1 - kept), (y2 - y1) * (1 - kept)
    crop = np.ascontiguousarray(image[int(y1 + down) : int(y2 - down), int(x1 + across) : int(x2 - across)])
    crop = resized(crop, side) if side else crop
    seen = found(finder, crop)
    assert len(seen.faces) == 1
    assert seen.turned == 0
    limits = np.array([crop.shape[1], crop.shape[0]] * 2)
    assert (seen.faces.boxes >= 0).all()
    assert (seen.faces.boxes <= limits).all()


def test_nobody_stays_nobody(finder: Finder) -> None:
    assert len(found(finder, nobody()).faces) == 0


@pytest.mark.parametrize("quarters", QUARTERS)
def test_frames_of_cameras_are_looked_at_once(finder: Finder, quarters: int) -> None:
    assert found(finder, turned(hopper(), quarters), background=True).turned == 0


@pytest.mark.parametrize("size", [(1365, 2048), (480, 640), (100, 80), (60, 60), (40, 3000)])
@pytest.mark.parametrize("first", ["nobody", "doubtful", "on its head"])
@pytest.mark.parametrize("again", ["nobody", "somebody"])
def test_all_second_looks_cost_at_most_twice_the_first(size: tuple[int, int], first: str, again: str) -> None:
    """Whatever the first look found, and the others find."""
    looks: list[DetectionPass] = []

    def detect(asked: Sequence[DetectionPass]) -> list[DetectionPass]:
        looks.extend(asked)
        return [replace(each, faces=faces(0.99) if again == "somebody" else Faces.none()) for each in asked]

    def turns(asked: Sequence[DetectionPass]) -> list[Floats]:
        return [np.array([[0, 0, 5, 0]] * len(each.faces), np.float32).reshape(-1, 4) for each in asked]

    known = {"nobody": Faces.none(), "doubtful": faces(0.85), "on its head": faces(0.98)}[first]
    seen = DetectionPass(np.zeros((*size, 3), np.uint8), 20, faces=known)
    second_look.best_passes([seen], [True], detect, turns)
    assert looks
    assert sum(map(cost, looks)) <= 2.05 * cost(seen)  # sizes of faces are whole pixels


def upside_down(asked: Sequence[DetectionPass]) -> list[Floats]:
    """Every face looks best on its head, unless the picture was turned."""
    return [np.array([[5, 0, 0, 0] if each.turns else [0, 0, 5, 0]] * len(each.faces), np.float32) for each in asked]


@pytest.mark.parametrize(
    ("first", "second", "turned", "certain"),
    [(0.95, 0.99, 0, False), (0.95, 0.997, 2, True), (0.98, 0.994, 0, False), (0.99, 0.5, 0, False)],
)
def test_another_way_up_must_be_better_by_far(first: float, second: float, turned: int, certain: bool) -> None:
    def detect(asked: Sequence[DetectionPass]) -> list[DetectionPass]:
        height, width = nobody().shape[:2]
        found = faces(second, np.array([[width - 26, height - 31, width - 6, height - 6]], np.float32))
        return [replace(each, faces=found) for each in asked]

    (look,) = second_look.best_passes([DetectionPass(nobody(), 20, faces=faces(first))], [True], detect, upside_down)
    assert (look.turns, look.upright) == (turned, certain)


@pytest.mark.parametrize(("side", "turned"), [(20, 0), (60, 1)])
def test_a_face_elsewhere_must_be_larger_than_the_doubtful_one(side: int, turned: int) -> None:
    """Small false faces are found in many places; a small false face may stand beside a large one that lies."""

    def detect(asked: Sequence[DetectionPass]) -> list[DetectionPass]:
        box = np.array([[100, 100, 100 + side, 100 + side]], np.float32)
        return [replace(each, faces=faces(0.999, box) if each.turns == 1 else Faces.none()) for each in asked]

    def upright(asked: Sequence[DetectionPass]) -> list[Floats]:
        return [np.array([[5, 0, 0, 0]] * len(each.faces), np.float32) for each in asked]

    (look,) = second_look.best_passes([DetectionPass(nobody(), 20, faces=faces(0.85))], [True], detect, upright)
    assert look.turns == turned


def test_many_doubtful_faces_do_not_outweigh_a_sure_one() -> None:
    def detect(asked: Sequence[DetectionPass]) -> list[DetectionPass]:
        one = faces(0.97)
        many = Faces(*(np.concatenate([part] * 5) for part in (one.boxes, one.landmarks, one.confidence)))
        return [replace(each, faces=many) for each in asked]

    (look,) = second_look.best_passes([DetectionPass(nobody(), 20, faces=faces(0.985))], [True], detect, upside_down)
    assert look.turns == 0


def test_enrolment_tells_what_was_turned_and_a_strict_one_refuses_what_is_not_certain() -> None:
    photos = [("fine", b"1"), ("turned", b"2"), ("unsure", b"3")]
    seen = list(starmap(seen_as, [(0, True), (90, True), (0, False)]))
    _, refused, named = samples(photos, seen)
    assert refused == ()
    told = not_upright(photos, seen, named)
    assert [(each.name, type(each.error)) for each in told] == [("turned", NotUpright), ("unsure", NotUpright)]
    assert "90 degrees clockwise" in told[0].error.detail
    _, refused, named = samples(photos, seen, strict=True)
    assert [(each.name, type(each.error)) for each in refused] == [("unsure", NotUpright)]
    assert [each.name for each in not_upright(photos, seen, named)] == ["turned"]


def seen_as(turned: int, upright: bool) -> PhotoResult:
    (known,) = open_simulated().find([Photo(b"x")])
    assert isinstance(known, DetectedFaces)
    row = np.full((1, 4), 0.5, np.float32)
    return PhotoResult(known.width, known.height, known.faces, known.quality, row, turned=turned, upright=upright)


def open_simulated() -> Finder:
    settings = load(network="simulated", detector={"engine": "simulated", "simulated_ms": 0})
    return open_finder(settings, spec("vggface2-resnet50", settings))


def faces(confidence: float, box: Floats | None = None) -> Faces:
    box = np.array([[5, 5, 25, 30]], np.float32) if box is None else box
    points = np.array([[[10, 12], [20, 12], [15, 18], [11, 24], [19, 24]]], np.float32)
    return Faces(box, points, np.array([confidence], np.float32))


def cost(look: DetectionPass) -> float:
    height, width = look.image.shape[:2]
    return float(height * width / look.smallest**2)
