"""Observations of tracks → sightings: one per visit, whoever changes their mind, goes away, comes back or is killed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegroup.cameras.journal import open_journal
from facegroup.cameras.sightings import book as books
from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sightings.journal import Filter, Journal
from facegroup.cameras.sightings.types import Event, Observation, Shot, Sighting
from facegroup.cameras.types import Camera
from facegroup.errors import StoreUnavailable, UnknownSighting
from facegroup.settings import Cameras
from facegroup.types import NOT_IN_DATASET, Floats
from tests.unit.cameras.journal.made import descriptor

DOOR = Camera("door", "rtsp://10.0.0.1/", "group", cooldown=10)
GATE = replace(DOOR, id="gate")
ADA, BOB = 1, 2  # seeds of descriptors


def near(seed: int, other: int, amount: float = 0.2) -> Floats:
    """A descriptor that is like that of `seed`."""
    made = descriptor(seed) + amount * descriptor(other)
    return np.asarray(made / np.linalg.norm(made), np.float32)


def seen(
    track: int, at: float, name: str | None = "Ada", *, look: Any = ADA, grade: float = 0.7, **given: Any
) -> Observation:
    shot = Shot(descriptor(look) if isinstance(look, int) else look, f"crop {grade}".encode(), grade)
    who: dict[str, Any] = {"person_id": name.lower(), "name": name, "similarity": 0.8} if name else {}
    who = who or {"person_id": None, "name": NOT_IN_DATASET, "similarity": None}
    fixed: dict[str, Any] = {"first_seen": at - 1, "last_seen": at, "frames": 2, "shots": (shot,), "network": "net"}
    return Observation(track, **{**who, **fixed, **given})


class Kept:
    """A book with its journal, which can be opened again."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.url, self.settings = url, Cameras(**settings)
        self.open()

    def open(self, now: float = 1e9) -> None:
        self.journal: Journal = open_journal(self.url)
        self.book = SightingBook(self.journal, self.settings, lambda gallery: 0.9, lambda: now)

    def see(self, *observations: Observation, camera: Camera = DOOR) -> list[Event]:
        return self.book.observe(camera, observations)

    def all(self, **wanted: Any) -> list[Sighting]:
        return self.journal.sightings(Filter(**wanted))[::-1]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    kept = Kept(f"sqlite:///{tmp_path}/g.db")
    yield kept
    kept.journal.close()


def kinds(events: list[Event]) -> list[tuple[str, str]]:
    return [(each.kind, each.sighting.name) for each in events]


def test_a_visit_is_one_sighting(kept: Kept) -> None:
    assert kinds(kept.see(seen(0, 100))) == [("began", "Ada")]
    assert kept.see(seen(0, 101, frames=3, similarity=0.9)) == []
    assert kept.see(seen(0, 102, frames=4, ended=True)) == []
    assert kept.book.tick(105) == []
    assert kept.see(seen(1, 111, frames=2)) == []  # back within the cooldown, on another track
    assert kept.book.tick(120) == []
    assert kept.book.tick(121.5, {"door": 120.9}) == []  # a frame of then is under way
    (ended,) = kept.book.tick(121.5, {"door": 121.3, "gate": 100})
    assert (ended.kind, ended.sighting.open) == ("ended", False)
    (only,) = kept.all()
    assert (only.first_seen, only.last_seen, only.frames, only.similarity) == (99, 111, 6, 0.9)
    assert kept.journal.crop(only.id) == b"crop 0.7"
    assert kinds(kept.see(seen(2, 130))) == [("began", "Ada")]
    assert len(kept.all()) == 2


def test_a_track_that_is_given_up_late_is_no_new_visit(kept: Kept) -> None:
    kept.see(seen(0, 100), seen(1, 100, None, look=BOB))
    kept.book.tick(120)
    assert kept.see(seen(0, 100, ended=True), seen(1, 100, None, look=BOB, ended=True)) == []
    assert len(kept.all()) == 2


def test_two_tracks_at_once_are_one_person(kept: Kept) -> None:
    kept.see(seen(0, 100), seen(1, 100))
    kept.see(seen(0, 101, frames=3, ended=True))
    kept.book.tick(105)
    (only,) = kept.all()
    assert only.frames == 5
    assert len(kept.journal.events(0, 9)) == 1


def test_the_best_crop_is_kept_where_crops_are(kept: Kept) -> None:
    kept.see(seen(0, 100, grade=0.5))
    kept.see(seen(0, 101, grade=0.9))
    kept.see(seen(0, 102, grade=0.6))
    kept.book.tick(103)
    assert kept.journal.crop(kept.all()[0].id) == b"crop 0.9"
    kept.see(seen(0, 100), camera=replace(GATE, snapshots=False))
    (other,) = kept.all(camera="gate")
    assert not other.crop
    with pytest.raises(UnknownSighting):
        kept.journal.crop(other.id)


def test_a_stranger_who_comes_back_is_one_stranger(kept: Kept) -> None:
    assert kinds(kept.see(seen(0, 100, None))) == [("began", "unknown-1")]
    kept.see(seen(0, 101, None, ended=True))
    kept.book.tick(200)
    assert kinds(kept.see(seen(1, 300, None, look=near(ADA, 5)), seen(2, 300, None, look=BOB))) == [
        ("began", "unknown-1"),
        ("began", "unknown-2"),
    ]
    back = kept.all(unknown="unknown-1")[1]
    assert back.similarity == pytest.approx(float(near(ADA, 5) @ descriptor(ADA)), abs=1e-5)
    first = kept.journal.unknown("group", "unknown-1")
    assert (first.visits, len(first.shots), first.last_seen) == (2, 2, 300)
    kept.open()
    assert kinds(kept.see(seen(0, 400, None, look=near(BOB, 5)), camera=GATE)) == [("began", "unknown-2")]
    assert kinds(kept.see(seen(1, 400, None, look=9), camera=GATE)) == [("began", "unknown-3")]


def test_strangers_of_another_gallery_are_others(kept: Kept) -> None:
    kept.see(seen(0, 100, None))
    other = replace(GATE, gallery="other")
    (event,) = kept.see(seen(0, 100, None), camera=other)
    assert (event.sighting.gallery, event.sighting.unknown) == ("other", "unknown-1")
    assert len(kept.journal.unknowns()) == 2


def test_a_track_that_gets_a_name_is_the_same_visit(kept: Kept) -> None:
    kept.see(seen(0, 100, None))
    (event,) = kept.see(seen(0, 101, "Ada", frames=3))
    assert (event.kind, event.sighting.name, event.sighting.unknown) == ("changed", "Ada", None)
    (only,) = kept.all()
    assert (only.person_id, only.frames) == ("ada", 3)
    assert kept.journal.unknowns() == []  # it was nobody
    assert kinds(kept.book.tick(500)) == [("ended", "Ada")]
    assert kinds(kept.see(seen(7, 600, None))) == [("began", "unknown-2")]


def test_a_track_that_becomes_somebody_who_is_there_ends_what_it_was(kept: Kept) -> None:
    kept.see(seen(0, 100, "Ada"), seen(1, 100, "Bob", look=BOB))
    assert kinds(kept.see(seen(1, 101, "Ada", frames=3))) == [("ended", "Bob")]
    assert {each.name: each.open for each in kept.all()} == {"Ada": True, "Bob": False}
    kept.book.tick(102)
    assert {each.name: each.frames for each in kept.all()} == {"Ada": 5, "Bob": 2}


def test_a_track_that_changes_leaves_what_another_track_holds(kept: Kept) -> None:
    kept.see(seen(0, 100, "Ada"), seen(1, 100, "Ada"))
    assert kinds(kept.see(seen(1, 101, "Bob", look=BOB))) == [("began", "Bob")]
    assert {each.name: each.open for each in kept.all()} == {"Ada": True, "Bob": True}


@pytest.mark.parametrize(("later", "same"), [(105, True), (164, True), (172, False)])
def test_a_person_on_two_cameras_is_on_one_visit(kept: Kept, later: float, same: bool) -> None:
    kept.see(seen(0, 110))  # last seen at 110, links for 60 s
    kept.see(seen(0, later), camera=GATE)
    first, second = kept.all(camera="door")[0], kept.all(camera="gate")[0]
    assert (first.visit_id == second.visit_id) == same
    assert first.id != second.id


def test_a_new_visit_to_one_camera_is_another(kept: Kept) -> None:
    kept.see(seen(0, 100, ended=True))
    kept.book.tick(120)
    kept.see(seen(1, 125))
    assert len({each.visit_id for each in kept.all()}) == 2


def test_after_a_restart_it_goes_on_or_ends(kept: Kept) -> None:
    kept.see(seen(0, 100), seen(1, 100, "Bob", look=BOB))
    kept.open()
    assert kept.see(seen(0, 112, frames=2)) == []  # Ada is still there
    kept.book.tick(112)
    kept.journal.create_camera(DOOR, 1)
    kept.open()
    assert kept.book.tick(100 + 10 + books.GRACE_SECONDS) == []
    assert kinds(kept.book.tick(100 + 10 + books.GRACE_SECONDS + 5)) == [("ended", "Bob")]
    assert kinds(kept.book.tick(1000)) == [("ended", "Ada")]
    assert {each.name: each.frames for each in kept.all()} == {"Ada": 4, "Bob": 2}


def test_what_a_killed_server_had_not_written_is_a_few_seconds(kept: Kept) -> None:
    kept.book.tick(100)
    kept.see(seen(0, 100))
    for at in range(101, 110):
        kept.see(seen(0, at, frames=at - 98))
        kept.book.tick(at)
    kept.open()
    (only,) = kept.all()
    assert 109 - only.last_seen <= books.FLUSH_SECONDS
    assert only.frames >= 11 - books.FLUSH_SECONDS


def test_a_camera_that_is_removed_ends_its_sightings(kept: Kept) -> None:
    kept.see(seen(0, 100))
    kept.see(seen(0, 100), camera=GATE)
    assert [each.sighting.camera for each in kept.book.left("door")] == ["door"]
    assert [each.camera for each in kept.all(open=True)] == ["gate"]


def test_a_tracker_that_counts_anew_disturbs_nothing(kept: Kept) -> None:
    kept.see(seen(0, 100, frames=5))
    kept.book.restarted("door")
    assert kinds(kept.see(seen(0, 104, "Bob", look=BOB))) == [("began", "Bob")]
    kept.see(seen(1, 105, "Ada", frames=2))
    kept.book.tick(106)
    assert {each.name: each.frames for each in kept.all()} == {"Ada": 7, "Bob": 2}


def test_whom_it_erases_is_gone_and_may_come_again(kept: Kept) -> None:
    kept.see(seen(0, 100), seen(1, 100, None, look=BOB))
    assert kept.book.erase("group", person_id="ada") == 1
    assert kept.book.erase("group", unknown="unknown-1") == 1
    assert kept.all() == []
    assert kinds(kept.see(seen(2, 110), seen(3, 110, None, look=BOB))) == [("began", "Ada"), ("began", "unknown-2")]
    assert kept.book.erase("group") == 2
    assert kept.book.tick(500) == []


def test_a_promoted_stranger_goes_on_as_a_member(kept: Kept) -> None:
    kept.see(seen(0, 100, None))
    assert kept.book.promoted("group", "unknown-1", "ada", "Ada") == 1
    assert kept.see(seen(0, 101, None, frames=3)) == []  # the tracker does not know it yet
    assert kept.see(seen(0, 102, "Ada", frames=4)) == []
    kept.book.tick(103)
    (only,) = kept.all()
    assert (only.name, only.person_id, only.unknown, only.frames) == ("Ada", "ada", None, 4)


def test_old_sightings_and_strangers_go(kept: Kept) -> None:
    day = 86_400.0
    kept.see(seen(0, day, None, ended=True))
    kept.book.tick(day + 60)
    assert len(kept.journal.unknowns()) == 1
    kept.book.tick(day * 33)
    assert kept.all() == []
    assert kept.journal.unknowns() == []
    assert kinds(kept.see(seen(1, day * 33, None))) == [("began", "unknown-2")]


def test_a_journal_that_is_away_loses_no_visit(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*arguments: Any) -> Any:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(kept.journal, "record", away)
        for name in ("Ada", None):
            with pytest.raises(StoreUnavailable):
                kept.see(seen(0, 100, name))
    assert kinds(kept.see(seen(0, 101, frames=3), seen(1, 101, None, look=BOB))) == [
        ("began", "Ada"),
        ("began", "unknown-2"),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(kept.journal, "record", away)
        with pytest.raises(StoreUnavailable):
            kept.book.tick(500)
    assert kinds(kept.book.tick(500)) == [("ended", "Ada"), ("ended", "unknown-2")]
    assert kept.journal.unknown("group", "unknown-2").shots[0].grade == 0.7


def test_a_sighting_knows_the_event_that_told_of_it_last(kept: Kept) -> None:
    (began,) = kept.see(seen(0, 100))
    kept.see(seen(0, 107, frames=4))
    kept.book.tick(108)
    (only,) = kept.all()
    assert (only.frames, only.seq) == (4, began.seq)
    (ended,) = kept.book.tick(500)
    assert kept.all()[0].seq == ended.seq == 2


def test_visits_go_on_by_way_of_any_camera(kept: Kept) -> None:
    hall = replace(DOOR, id="hall", cooldown=1000)
    kept.see(seen(0, 100), camera=hall)  # stays there
    kept.see(seen(0, 100, ended=True), camera=DOOR)
    kept.book.tick(150)
    kept.see(seen(0, 150, frames=50, first_seen=99), camera=hall)
    kept.see(seen(1, 151, ended=True), camera=DOOR)
    kept.book.tick(300)
    kept.see(seen(0, 305, frames=90, first_seen=99), camera=hall)
    kept.see(seen(2, 310), camera=DOOR)
    assert len({each.visit_id for each in kept.all()}) == 1
    assert len(kept.all()) == 4


def test_a_clock_that_was_set_back_links_nothing(kept: Kept) -> None:
    kept.see(seen(0, 10_000))
    kept.see(seen(0, 5_000), camera=GATE)
    assert len({each.visit_id for each in kept.all()}) == 2


@pytest.mark.parametrize("shift", [-3600.0, 3600.0, 50 * 365 * 86_400.0])
def test_a_clock_that_is_set_makes_no_visit_longer_or_shorter(kept: Kept, shift: float) -> None:
    """Times of observations are of a steady clock; the time of day is ahead of it by what it was set."""
    kept.see(seen(0, 1_000_000.0))
    kept.see(seen(1, 1_000_005.0, "Bob", shift=shift))  # who came when it had been set
    kept.see(seen(0, 1_000_008.0, shift=0.0))
    assert kept.book.tick(1_000_014, None, shift) == []
    assert kept.see(seen(0, 1_000_020.0, shift=0.0), camera=GATE)[0].kind == "began"
    assert kinds(kept.book.tick(1_000_020, None, shift)) == [("ended", "Ada"), ("ended", "Bob")]
    ada, bob = kept.all(camera="door", person_id="ada")[0], kept.all(person_id="bob")[0]
    assert (ada.first_seen, ada.last_seen) == (999_999.0, 1_000_008.0)
    assert (bob.first_seen, bob.last_seen) == (1_000_004.0 + shift, 1_000_005.0 + shift)
    assert kept.all(camera="gate")[0].visit_id == ada.visit_id


def test_a_visit_goes_on_where_a_clock_that_was_set_back_begins_anew(kept: Kept) -> None:
    kept.see(seen(0, 9_000.0))
    kept.open(now=5_400.0)  # the clock was set back an hour while the server was down
    assert kept.book.tick(5_400 + 29) == []
    assert kinds(kept.book.tick(5_400 + 31)) == [("ended", "Ada")]
    assert kept.all()[0].last_seen == 9_000


@pytest.mark.parametrize("apart", [12.0, 30.0, 60.0, 300.0])
def test_a_visit_waits_for_frames_that_come_seldom(kept: Kept, apart: float) -> None:
    for number in range(1, 6):
        kept.see(seen(0, 1000 + number * apart, first_seen=1000.0, frames=number, patience=2.5 * apart))
        assert kept.all()[0].patience == max(DOOR.cooldown, 2.5 * apart)
        assert kept.book.tick(1000 + (number + 1) * apart) == []
    assert kept.book.tick(1000 + 7.4 * apart) == []
    assert kinds(kept.book.tick(1000 + 7.6 * apart)) == [("ended", "Ada")]
    (one,) = kept.all()
    assert (one.first_seen, one.last_seen, one.frames) == (1000, 1000 + 5 * apart, 5)


def test_a_track_that_goes_on_after_its_visit_ended_begins_another(kept: Kept) -> None:
    kept.see(seen(0, 100, first_seen=90.0, frames=9))
    assert kinds(kept.book.tick(111)) == [("ended", "Ada")]
    assert kinds(kept.see(seen(0, 130, first_seen=90.0, frames=10))) == [("began", "Ada")]
    kept.see(seen(0, 132, first_seen=90.0, frames=12))
    kept.book.tick(200)
    assert [(each.first_seen, each.last_seen, each.frames) for each in kept.all()] == [(90, 100, 9), (130, 132, 3)]


def test_of_two_that_are_open_one_is_ended_after_a_restart(kept: Kept) -> None:
    kept.see(seen(0, 100))
    other = SightingBook(kept.journal, Cameras(), lambda gallery: 0.9)
    other._open.clear()
    other.observe(DOOR, [seen(0, 102)])
    kept.open()
    assert kinds(kept.book.tick(103)) == [("ended", "Ada")]
    assert kept.see(seen(3, 104)) == []
    assert [each.last_seen for each in kept.all(open=True)] == [102]
    assert kinds(kept.book.tick(900)) == [("ended", "Ada")]


@pytest.mark.parametrize("name", ["Ada", None])
def test_an_answer_that_was_lost_makes_no_second_sighting(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    record = kept.journal.record

    def lost(news: Any) -> Any:
        record(news)
        raise StoreUnavailable("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(kept.journal, "record", lost)
        with pytest.raises(StoreUnavailable):
            kept.see(seen(0, 100, name))
    assert kept.see(seen(0, 101, name, frames=3)) == []
    kept.book.tick(106)
    (only,) = kept.all()
    assert (only.frames, only.open) == (3, True)
    assert [each.kind for each in kept.book.tick(500)] == ["ended"]
    assert [each.seq for each in kept.journal.events(0, 9)] == [1, 2]


def test_a_stranger_who_is_promoted_to_somebody_who_is_there(kept: Kept) -> None:
    kept.see(seen(0, 100, "Ada"), seen(1, 100, None, look=BOB))
    assert kept.book.promoted("group", "unknown-1", "ada", "Ada") == 1
    kept.see(seen(1, 101, None, look=BOB, frames=3), seen(0, 101, "Ada", frames=3))
    assert kinds(kept.book.tick(102)) == [("ended", "Ada")]
    assert [each.open for each in kept.all()].count(True) == 1
    assert kinds(kept.book.tick(900)) == [("ended", "Ada")]
    assert kept.all(open=True) == []


def test_strangers_of_two_cameras_who_leave_at_once_keep_all_their_looks(kept: Kept) -> None:
    for place, grade in ((DOOR, 0.5), (GATE, 0.6)):
        kept.see(seen(0, 100, None), camera=place)
        kept.see(seen(0, 101, None, grade=grade, look=near(ADA, int(grade * 10)), ended=True), camera=place)
    assert len(kept.book.tick(500)) == 2
    assert sorted(shot.grade for shot in kept.journal.unknown("group", "unknown-1").shots) == [0.5, 0.6, 0.7]


def test_descriptors_of_another_size_are_of_others(kept: Kept) -> None:
    kept.see(seen(0, 100, None))
    long = np.ones(16, np.float32) / 4
    assert kinds(kept.see(seen(1, 100, None, look=long))) == [("began", "unknown-2")]
    kept.open()
    assert kinds(kept.see(seen(0, 500, None, look=long), camera=GATE)) == [("began", "unknown-2")]


def like(seed: int, similarity: float) -> Floats:
    """A descriptor of just this similarity to that of `seed`."""
    known, other = descriptor(seed).astype(np.float64), descriptor(seed + 50).astype(np.float64)
    away = other - known * (known @ other)
    return np.asarray(similarity * known + np.sqrt(1 - similarity**2) * away / np.linalg.norm(away), np.float32)


@pytest.mark.parametrize(
    ("similarity", "there", "later", "settings"),
    [
        (0.93, "unknown-1", "unknown-1", {}),
        (0.91, "unknown-1", "unknown-2", {}),  # the threshold is 0.9, and it takes 0.917 to come back
        (0.89, "unknown-2", "unknown-2", {}),
        (0.89, "unknown-1", "unknown-1", {"unknown_similarity": 0.88}),
        (0.93, "unknown-2", "unknown-2", {"unknown_similarity": 0.95}),
    ],
)
def test_who_comes_back_must_be_more_alike_than_who_is_there(
    tmp_path: Path, similarity: float, there: str, later: str, settings: dict[str, Any]
) -> None:
    for name, at, wanted in (("there", 105, there), ("later", 500, later)):
        kept = Kept(f"sqlite:///{tmp_path}/{name}.db", **settings)
        kept.see(seen(0, 100, None, ended=True))
        kept.book.tick(at - 1)
        kept.see(seen(1, at, None, look=like(ADA, similarity)))
        assert kept.all()[-1].unknown == wanted
        kept.journal.close()


def test_much_that_is_old_goes_a_part_at_a_time(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "_PRUNED", 3)
    kept.see(*(seen(number, 100, f"Ada{number}") for number in range(7)))
    kept.book.left("door")
    day = 86_400.0
    left = [[*kept.book.tick(day * 40 + second), *kept.all()] for second in range(4)]
    assert [len(each) for each in left] == [4, 1, 0, 0]
    assert kept.journal.span()[0] == 1  # events go by the time at which they were written
