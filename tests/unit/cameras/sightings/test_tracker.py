"""Faces of frames → tracks: who is followed, when they have a name, and when they are looked at again."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facegroup.cameras.sightings.tracker import FRESH, PATIENCE, SHOTS, Tracker, Update
from facegroup.cameras.sightings.types import Observation
from facegroup.cameras.types import Camera, Frame
from facegroup.errors import UnknownGallery
from facegroup.pipeline.messages import PhotoMatches, PhotoResult, Quality
from facegroup.types import NOT_IN_DATASET, POOR_QUALITY, Faces, Floats, Match

CAMERA = Camera("door", "rtsp://10.0.0.1/", "group", fps=2)
D = 64
THRESHOLD = 0.5


def unit(seed: int) -> Floats:
    made = np.random.default_rng(seed).normal(size=D)
    return np.asarray(made / np.linalg.norm(made), np.float32)


class Face:
    """A face of a frame: where, whose (a seed, and with a name a member), how sharp."""

    def __init__(
        self, x: float, who: int, name: str | None = None, *, y: float = 100, size: float = 60, **given: Any
    ) -> None:
        self.box = (x, y, x + size, y + size)
        noise = given.get("noise", 0.3)
        mixed = unit(who) + noise * unit(1000 + who + int(x))
        self.descriptor = np.asarray(mixed / np.linalg.norm(mixed), np.float32)
        self.poor = given.get("poor", False)
        self.sharpness = given.get("sharpness", 0.05 if self.poor else 0.2)
        similarity = given.get("similarity", 0.7 if name else 0.2)
        self.match = Match(name.lower() if name else None, name or NOT_IN_DATASET, similarity, THRESHOLD, None)
        if self.poor:
            self.match = Match(None, POOR_QUALITY, -1.0, THRESHOLD, None, reasons=("too_blurred",))


def frame(at: float, offset: tuple[int, int] = (0, 0)) -> Frame:
    return Frame(b"jpeg", 1000 + at, at, int(at * 25), 640, 360, offset)


def seen(*faces: Face, recognised: bool = True) -> PhotoResult:
    n = len(faces)
    boxes = np.array([face.box for face in faces], np.float32).reshape(n, 4)
    value = [np.full(n, each, np.float32) for each in (0, 0.45, 0.2, 0, 0, 0, 1)]
    sharpness = np.array([face.sharpness for face in faces], np.float32)
    quality = Quality(boxes[:, 2] - boxes[:, 0], sharpness, *value[1:])
    found = Faces(boxes, np.zeros((n, 5, 2), np.float32), np.full(n, 0.99, np.float32))
    if not recognised:
        return PhotoResult(640, 360, found, quality)
    rows = np.array([face.descriptor for face in faces], np.float32).reshape(n, D)
    matched = PhotoMatches(tuple(face.match for face in faces), 7, THRESHOLD)
    return PhotoResult(640, 360, found, quality, rows, tuple(b"crop %d" % number for number in range(n)), matched)


def feed(tracker: Tracker, at: float, *faces: Face, offset: tuple[int, int] = (0, 0)) -> Update:
    """Let it see a frame as a camera's loop does: asked as the tracker wants, and again if it wants that."""
    here = frame(at, offset)
    photo = tracker.photo(here)
    assert photo.background
    assert photo.embed == (photo.query is not None) == photo.crops
    done = tracker.update(here, seen(*faces, recognised=photo.embed))
    if done.again:
        assert not photo.embed
        assert tracker.recognise(here).query is not None
        done = tracker.update(here, seen(*faces))
        assert not done.again
    return done


def names(done: Update) -> list[str]:
    return [each.name for each in done.observations]


def test_a_track_has_a_name_when_frames_agree() -> None:
    tracker = Tracker(replace(CAMERA, confirm=3), "net")
    assert names(feed(tracker, 0, Face(100, 1, "Ada"))) == []
    assert names(feed(tracker, 0.5, Face(104, 1, "Ada", similarity=0.9))) == []
    (one,) = feed(tracker, 1, Face(108, 1, "Ada")).observations
    assert (one.person_id, one.name, one.similarity, one.frames) == ("ada", "Ada", 0.9, 3)
    assert (one.first_seen, one.last_seen, one.network, one.version, one.ended) == (1000, 1001, "net", 7, False)
    assert len(one.shots) == 3
    assert one.shots[0].crop == b"crop 0"


def test_it_takes_one_more_frame_to_be_nobody() -> None:
    tracker = Tracker(CAMERA, "net")
    for at in (0.0, 0.5):
        assert names(feed(tracker, at, Face(100, 1))) == []
    (one,) = feed(tracker, 1, Face(100, 1)).observations
    assert (one.person_id, one.name, one.similarity) == (None, NOT_IN_DATASET, None)


def test_what_is_seen_once_is_no_sighting() -> None:
    tracker = Tracker(replace(CAMERA, confirm=1), "net")
    assert names(feed(tracker, 0, Face(100, 1))) == []
    assert names(feed(tracker, 9)) == []
    assert tracker.close() == ()


@pytest.mark.parametrize("given", [{"sharpness": 0.01}, {"poor": True}])
def test_what_is_too_poor_to_be_named_is_nobody_neither(given: dict[str, Any]) -> None:
    tracker = Tracker(CAMERA, "net")
    for at in range(20):
        assert names(feed(tracker, at / 2, Face(100, 1, **given))) == []
    assert names(feed(tracker, 10, Face(100, 1, "Ada"))) == []
    assert names(feed(tracker, 10.5, Face(100, 1, "Ada"))) == ["Ada"]


def test_frames_of_one_moment_are_one() -> None:
    tracker = Tracker(replace(CAMERA, fps=25), "net")
    for number in range(5):
        assert names(feed(tracker, number * 0.04, Face(100, 1, "Ada"))) == []
    assert names(feed(tracker, 0.24, Face(100, 1, "Ada"))) == ["Ada"]


def test_one_wrong_frame_changes_no_name() -> None:
    tracker = Tracker(CAMERA, "net")
    for number in range(4):
        feed(tracker, number * 5, Face(100, 1, "Ada"), Face(300, 2))  # beyond FRESH: recognised each time
        feed(tracker, number * 5 + 0.5, Face(100, 1, "Ada"), Face(300, 2))
    done = feed(tracker, 25, Face(100, 1, "Bob"), Face(300, 2, "Bob"))
    assert set(names(done)) <= {"Ada", NOT_IN_DATASET}


def test_a_clear_majority_does() -> None:
    tracker = Tracker(replace(CAMERA, fps=0.1), "net")
    assert names(feed(tracker, 0, Face(100, 1))) == []
    feed(tracker, 10, Face(100, 1))
    assert names(feed(tracker, 20, Face(100, 1))) == [NOT_IN_DATASET]
    heard = [names(feed(tracker, 30 + 10 * number, Face(100, 1, "Ada"))) for number in range(6)]
    assert heard[0] == [NOT_IN_DATASET]
    assert heard[-1] == ["Ada"]
    assert len(tracker.close()) == 1  # one track all the time


def test_a_better_look_weighs_more() -> None:
    tracker = Tracker(replace(CAMERA, fps=0.1), "net")
    for number in range(3):
        feed(tracker, 10 * number, Face(100, 1, "Bob", sharpness=0.02))
    feed(tracker, 30, Face(100, 1, "Ada"))
    assert names(feed(tracker, 40, Face(100, 1, "Ada"))) == ["Ada"]


def test_a_face_that_moves_far_is_followed_by_its_looks() -> None:
    tracker = Tracker(CAMERA, "net")
    feed(tracker, 0, Face(50, 1, "Ada"), Face(500, 2, "Bob"))
    feed(tracker, 0.5, Face(250, 1, "Ada"), Face(330, 2, "Bob"))
    done = feed(tracker, 1, Face(500, 1, "Ada"), Face(50, 2, "Bob"))  # they changed places
    assert {each.name: (each.track, each.frames) for each in done.observations} == {"Ada": (0, 3), "Bob": (1, 3)}


def test_somebody_else_in_the_same_place_is_another_track() -> None:
    tracker = Tracker(CAMERA, "net")
    for at in (0.0, 0.5):
        feed(tracker, at, Face(100, 1, "Ada"))
    for at in (FRESH + 1.0, FRESH + 1.5):
        done = feed(tracker, at, Face(100, 2, "Bob"))
    assert names(done) == ["Bob"]
    assert done.observations[0].track == 1
    assert done.observations[0].first_seen == 1000 + FRESH + 1


def test_known_faces_are_only_detected_until_it_pays() -> None:
    tracker = Tracker(CAMERA, "net")
    asked = []
    for number in range(24):
        asked.append(tracker.photo(frame(number / 2)).embed)
        feed(tracker, number / 2, Face(100, 1, "Ada"))
    assert asked[:2] == [True, True]
    assert 0 < sum(asked[2:]) <= 3  # every FRESH seconds
    assert tracker.photo(frame(11.9)).embed is False


@pytest.mark.parametrize(
    ("faces", "again"),
    [
        ((Face(104, 1, sharpness=0.1),), False),
        ((Face(104, 1, sharpness=0.1), Face(400, 2)), True),
        ((Face(104, 1, sharpness=0.9),), True),
        ((Face(400, 1),), True),
        ((), False),
    ],
)
def test_a_detected_face_that_is_new_or_better_is_looked_at_again(faces: tuple[Face, ...], again: bool) -> None:
    tracker = Tracker(CAMERA, "net")
    for at in (0.0, 0.5):
        feed(tracker, at, Face(100, 1, "Ada", sharpness=0.1))
    here = frame(1)
    assert not tracker.photo(here).embed
    done = tracker.update(here, seen(*faces, recognised=False))
    assert done.again == again
    if again:
        assert done.observations == ()


def test_who_is_gone_ends() -> None:
    tracker = Tracker(CAMERA, "net")
    for at in (0.0, 0.5):
        feed(tracker, at, Face(100, 1, "Ada"), Face(300, 2, "Bob"))
    assert names(feed(tracker, 1, Face(300, 2, "Bob"))) == ["Bob"]
    assert tracker.idle(1000.5 + PATIENCE) == ()
    (ended,) = tracker.idle(1000.5 + PATIENCE + 0.1)
    assert (ended.name, ended.ended, ended.last_seen) == ("Ada", True, 1000.5)
    (other,) = tracker.close()
    assert (other.name, other.ended, other.frames) == ("Bob", True, 3)
    assert tracker.close() == ()


def test_a_slow_camera_is_given_time() -> None:
    tracker = Tracker(replace(CAMERA, fps=0.2), "net")
    for at in (0.0, 5.0, 10.0):
        done = feed(tracker, at, Face(100, 1, "Ada"))
    assert [each.frames for each in done.observations] == [3]


@pytest.mark.parametrize("apart", [3.0, 5.0, 30.0, 60.0, 120.0, 590.0])
@pytest.mark.parametrize("name", ["Ada", None])
def test_pictures_far_apart_name_whom_they_show(apart: float, name: str | None) -> None:
    tracker = Tracker(CAMERA, "net")
    heard = []
    for number in range(8):
        done = feed(tracker, number * apart, Face(100, 1, name))
        heard.append([(each.track, each.frames, each.ended) for each in done.observations])
        for moment in np.linspace(0, apart, 20)[1:-1]:  # between them nobody has left
            assert tracker.idle(1000 + number * apart + float(moment)) == ()
    wanted = 2 if name else 3
    assert heard == [[]] * (wanted - 1) + [[(0, number, False)] for number in range(wanted, 9)]
    assert done.observations[0].patience >= 2 * apart
    gone = [feed(tracker, number * apart) for number in range(8, 16)]
    assert [each.ended for done in gone for each in done.observations] == [True]


def test_pictures_too_far_apart_say_nothing_of_each_other() -> None:
    tracker = Tracker(CAMERA, "net")
    assert [names(feed(tracker, number * 700, Face(100, 1, "Ada"))) for number in range(6)] == [[]] * 6


def test_who_sits_still_stays() -> None:
    """As the gate lets frames pass: all of the first seconds, then one in five; some looks find no face."""
    tracker = Tracker(CAMERA, "net")
    for number in range(7):
        feed(tracker, number / 2, Face(100, 1, "Ada"))
    for number in range(1, 24):
        missed = number in (6, 7, 15)
        done = feed(tracker, 3 + 5.0 * number, *(() if missed else (Face(101, 1, "Ada"),)))
        assert tracker.idle(1000 + 3 + 5.0 * number + 4) == ()
        assert [(each.track, each.ended) for each in done.observations] == [] if missed else [(0, False)]
    (one,) = tracker.close()
    assert (one.frames, one.last_seen - one.first_seen) == (7 + 23 - 3, 118)


@pytest.mark.parametrize(("apart", "tracks"), [(5.0, 2), (30.0, 2), (60.0, 2)])
@pytest.mark.parametrize("alike", [0.0, 0.3])
def test_who_sits_down_where_somebody_sat_is_somebody_else(apart: float, tracks: int, alike: float) -> None:
    tracker = Tracker(CAMERA, "net")
    for number in range(4):
        feed(tracker, number * apart, Face(100, 1, "Ada"))
    other = Face(100, 2, "Bob")
    mixed = other.descriptor + alike * unit(1)  # and looks a little like her
    other.descriptor = np.asarray(mixed / np.linalg.norm(mixed), np.float32)
    seen_as = {each.track: each.name for number in (4, 5) for each in feed(tracker, number * apart, other).observations}
    assert seen_as[1] == "Bob"
    assert len(seen_as) <= tracks
    assert seen_as.get(0, "Ada") == "Ada"


def test_who_is_there_after_a_pause_of_the_camera_has_come_anew() -> None:
    tracker = Tracker(CAMERA, "net")
    for number in range(8):
        feed(tracker, number / 2, Face(100, 1, "Ada"))
    (ended,) = feed(tracker, 300, Face(100, 1, "Ada")).observations
    assert (ended.ended, ended.last_seen) == (True, 1003.5)
    (again,) = feed(tracker, 300.5, Face(100, 1, "Ada")).observations
    assert (again.track, again.first_seen) == (1, 1300)


def test_frames_have_the_time_of_a_clock_that_nobody_sets() -> None:
    tracker = Tracker(CAMERA, "net")
    for at, moment in ((0.0, 5000.0), (0.5, 5000.5), (-3599.0, 5001.0), (7200.0, 5001.5)):
        here = replace(frame(at), moment=moment)
        done = tracker.update(here, seen(Face(100, 1, "Ada")))
    (one,) = done.observations
    assert (one.track, one.frames, one.first_seen, one.last_seen, one.shift) == (0, 4, 5000, 5001.5, -4000)


def test_only_faces_in_a_region_count() -> None:
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    corner = ((0.9, 0.0), (1.0, 0.0), (1.0, 0.9))
    tracker = Tracker(replace(CAMERA, regions=(left, corner), confirm=1), "net")
    done = feed(tracker, 0, Face(200, 1, "Ada"), Face(330, 2, "Bob"), Face(560, 3, "Cleo", y=0))
    assert names(done) == ["Ada", "Cleo"]
    # The picture that was sent begins at 320: the same face is in the right half of the whole.
    other = Tracker(replace(CAMERA, regions=(left,), confirm=1), "net")
    assert names(feed(other, 0, Face(200, 1, "Ada"), offset=(320, 0))) == []


def test_a_face_in_a_face_is_none() -> None:
    tracker = Tracker(replace(CAMERA, confirm=1), "net")
    assert names(feed(tracker, 0, Face(100, 1, "Ada"), Face(110, 2, "Bob", size=20, y=110))) == ["Ada"]


def test_the_best_looks_are_kept() -> None:
    tracker = Tracker(replace(CAMERA, fps=0.1), "net")
    observed: tuple[Observation, ...] = ()
    for number, sharpness in enumerate([0.1, 0.12, 0.08, 0.2, 0.11, 0.05, 0.15, 0.13]):
        observed = feed(tracker, number * 10, Face(100, 1, "Ada", sharpness=sharpness)).observations
    grades = [shot.grade for shot in observed[0].shots]
    assert len(grades) == SHOTS
    assert grades == sorted(grades, reverse=True)
    assert grades[-1] > 0.8  # of 0.11


def test_positions_are_the_time_of_a_video() -> None:
    tracker = Tracker(replace(CAMERA, confirm=1), "net", played=True)
    (one,) = feed(tracker, 3, Face(100, 1, "Ada")).observations
    assert one.first_seen == 3


def test_what_the_gallery_says_no_to_is_raised() -> None:
    tracker = Tracker(CAMERA, "net")
    with pytest.raises(UnknownGallery):
        tracker.update(frame(0), replace(seen(Face(100, 1)), matched=UnknownGallery("gone")))
    assert tracker.close() == ()


def test_faces_that_were_found_are_not_looked_for_again() -> None:
    tracker = Tracker(CAMERA, "net")
    found = seen(Face(100, 1)).faces
    assert tracker.recognise(frame(0), found).faces is found
    assert tracker.recognise(frame(0)).faces is None


def test_one_at_the_threshold_keeps_the_first_name() -> None:
    tracker = Tracker(replace(CAMERA, fps=0.1), "net")
    heard: list[str] = []
    for number in range(12):
        name = "Ada" if number < 2 or number % 2 else None
        heard += names(feed(tracker, 10 * number, Face(100, 1, name)))
    assert heard == ["Ada"] * 11


def test_a_face_that_stays_poor_is_not_looked_at_for_ever() -> None:
    tracker = Tracker(CAMERA, "net")
    asked = []
    for number in range(40):
        here = frame(number / 2)
        photo = tracker.photo(here)
        done = tracker.update(here, seen(Face(100, 1, poor=True), recognised=photo.embed))
        asked.append(photo.embed or done.again)
        if done.again:
            tracker.update(here, seen(Face(100, 1, poor=True)))
    assert all(asked[:6])
    assert sum(asked[6:]) <= 5  # every FRESH seconds


def test_of_one_moment_the_best_look_is_kept() -> None:
    tracker = Tracker(replace(CAMERA, fps=25, confirm=1), "net")
    here = [0.0, 0.04, 0.08, 0.6]
    for at, sharpness in zip(here, [0.09, 0.13, 0.11, 0.12], strict=True):
        done = tracker.update(frame(at), seen(Face(100, 1, "Ada", sharpness=sharpness)))
    assert [shot.grade for shot in done.observations[0].shots] == pytest.approx([1.125, 1.0])


@pytest.mark.parametrize(
    ("wanted", "scale", "asked"), [(None, 1, 30), (None, 0.5, 30), (40, 1, 40), (40, 0.5, 20), (12, 0.01, 1)]
)
def test_the_smallest_face_is_told_in_pixels_of_what_is_sent(wanted: int | None, scale: float, asked: int) -> None:
    tracker = Tracker(replace(CAMERA, min_face_size=wanted), "net")
    photo = tracker.photo(replace(frame(0), scale=scale))
    assert photo.min_face_size == asked
