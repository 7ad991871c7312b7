"""A gallery is tried on its own people and on strangers: on real stores, with people made of random vectors."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from facegroup.errors import InvalidDescriptor, MalformedRequest, NoFace, StoreUnavailable, TooFewToCalibrate
from facegroup.gallery import calibrator
from facegroup.gallery.calibration import rate_at
from facegroup.gallery.calibrator import CalibrationResult, Strangers
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.matching import Matcher
from facegroup.pipeline.messages import PhotoMatches, Query
from facegroup.store import open_store
from facegroup.store.calls import direct
from facegroup.store.contract import Store
from facegroup.types import Descriptors, Gallery
from tests.unit.gallery.people_at_random import SPEC, D, enrol, middles, photos


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """40 people with 8 photos each, which nobody changes but by calibrating."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('trial')}/g.db")
    enrol(store, photos(middles(40, 0), 8, 1))
    yield store
    store.close()


@pytest.fixture
def run(store: Store) -> Callable[..., CalibrationResult]:
    def run(fpir: float = 0.05, strangers: Strangers | None = None, *, dry_run: bool = True) -> CalibrationResult:
        snapshot = Matcher(store, SPEC).snapshot("group")
        return calibrator.run(direct(store), snapshot, fpir, strangers, dry_run=dry_run)

    return run


def strangers(count: int, seed: int = 7) -> Strangers:
    return Strangers(middles(count, seed), tuple(map(str, range(count))))


def named(store: Store, rows: Descriptors, threshold: float | None = None) -> PhotoMatches:
    asked = [(Query("group", None, threshold), 1)] * len(rows)
    answers = Matcher(store, SPEC).match(rows, asked)
    assert all(isinstance(each, PhotoMatches) for each in answers)
    matches = tuple(each.matches[0] for each in answers if isinstance(each, PhotoMatches))
    return PhotoMatches(matches, 0, matches[0].threshold)


@pytest.mark.parametrize("given", [None, strangers(600)])
def test_other_strangers_get_a_name_as_often_as_was_asked(
    store: Store, run: Callable[..., CalibrationResult], given: Strangers | None
) -> None:
    done = run(0.05, given, dry_run=False)
    assert (done.applied, done.gallery.threshold, done.gallery.calibration) == (True, done.found.threshold, done.found)
    found = store.gallery("group")
    assert (found.threshold, found.calibration) == (done.found.threshold, done.found)
    assert done.found.tpir == 1
    others = named(store, middles(4000, 8))
    rate = np.mean([match.person_id is not None for match in others.matches])
    assert done.found.fpir_interval[0] <= rate <= done.found.fpir_interval[1]
    assert 0.02 < rate < 0.1
    assert {match.estimated_fpir for match in others.matches} == {rate_at(done.found.curve, done.found.threshold)}
    assert others.matches[0].estimated_fpir == pytest.approx(0.05, rel=0.1)
    assert (done.searches, done.found.strangers) == ((320, 0) if given is None else (600, 600))


def test_a_request_with_its_own_threshold_is_told_its_own_rate(
    store: Store, run: Callable[..., CalibrationResult]
) -> None:
    run(dry_run=False)
    at = {limit: named(store, middles(1, 3), limit).matches[0].estimated_fpir for limit in (-1.0, 0.2, 0.9)}
    assert at[-1.0] == 1
    assert at[0.2] is not None
    assert at[0.9] is not None
    assert 1 > at[0.2] > at[0.9] > 0


def test_verification_tells_the_false_match_rate(store: Store, run: Callable[..., CalibrationResult]) -> None:
    run(0.05, dry_run=False)
    (answer,) = Matcher(store, SPEC).match(middles(1, 3), [(Query("group", "p3"), 1)])
    assert isinstance(answer, PhotoMatches)
    (match,) = answer.matches
    # One person in place of forty: about a fortieth.
    assert match.estimated_fmr == pytest.approx(0.05 / 40, rel=0.5)
    assert match.estimated_fpir is None


def test_a_dry_run_changes_nothing(store: Store, run: Callable[..., CalibrationResult]) -> None:
    before = store.gallery("group")
    done = run(0.1)
    assert not done.applied
    assert store.gallery("group") == before == done.gallery


def test_the_same_gallery_gives_the_same_threshold(run: Callable[..., CalibrationResult]) -> None:
    first, second = run(), run()
    assert (first.found.threshold, first.found.curve) == (second.found.threshold, second.found.curve)


def test_too_few_change_nothing(store: Store, run: Callable[..., CalibrationResult]) -> None:
    before = store.gallery("group")
    with pytest.raises(TooFewToCalibrate, match="3000 photos"):
        run(0.001, dry_run=False)
    with pytest.raises(TooFewToCalibrate, match="50 more strangers"):
        run(0.01, strangers(250), dry_run=False)
    assert store.gallery("group") == before


def test_a_member_among_the_strangers_is_shown(run: Callable[..., CalibrationResult]) -> None:
    given = strangers(400)
    rows = given.descriptors.copy()
    rows[17] = photos(middles(40, 0)[5:6], 1, 9)[0][0]
    worst = run(0.01, Strangers(rows, given.whose)).closest[0]
    assert (worst.whose, worst.like.person_id) == ("17", "p5")


def test_somebody_under_two_ids_is_shown_once(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/g.db")
    people = photos(middles(10, 0), 8, 1)
    enrol(store, [*people, people[4][:4]])
    snapshot = Matcher(store, SPEC).snapshot("group")
    done = calibrator.run(direct(store), snapshot, 0.5)
    worst, second = done.closest[:2]
    assert {worst.whose, worst.like.person_id} == {"p4", "p10"}
    assert worst.like.similarity > 0.8 > second.like.similarity
    store.close()


def test_people_with_one_photo_or_none_cost_nothing(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/g.db")
    enrol(store, photos(middles(30, 0), 1, 1))
    store.create_person("group", "Nobody yet", person_id="later")
    snapshot = Matcher(store, SPEC).snapshot("group")
    done = calibrator.run(direct(store), snapshot, 0.3)
    assert (done.found.tpir, done.found.sampled, done.found.people) == (None, 30, 31)
    store.delete_gallery("group")
    store.create_gallery(Gallery("group", SPEC.name, D, 0.9))
    with pytest.raises(TooFewToCalibrate):
        calibrator.run(direct(store), Matcher(store, SPEC).snapshot("group"), 0.3)
    with pytest.raises(TooFewToCalibrate):
        calibrator.run(direct(store), Matcher(store, SPEC).snapshot("group"), 0.3, strangers(400))
    store.close()


@pytest.mark.parametrize(("searches", "photos", "people"), [(100, 100, 40), (35, 35, 35)])
def test_a_large_gallery_is_tried_on_some_of_its_photos(
    run: Callable[..., CalibrationResult], monkeypatch: pytest.MonkeyPatch, searches: int, photos: int, people: int
) -> None:
    monkeypatch.setattr(calibrator, "SEARCHES", searches)
    done = run(0.1)
    assert (done.searches, done.found.samples, done.found.sampled, done.found.people) == (photos, photos, people, 40)
    assert done.found.tpir == 1


def test_a_gallery_kept_compact_is_calibrated_alike(store: Store, run: Callable[..., CalibrationResult]) -> None:
    snapshot = Matcher(store, SPEC, Plan(index="compact")).snapshot("group")
    assert not snapshot.people.exact
    done = calibrator.run(direct(store), snapshot, 0.05, dry_run=True)
    assert done.found.threshold == pytest.approx(run().found.threshold, abs=0.002)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (Strangers(np.zeros((400, D), np.float32), ("x",) * 400), InvalidDescriptor),
        (Strangers(np.full((400, D), np.nan, np.float32), ("x",) * 400), InvalidDescriptor),
        (Strangers(np.ones((400, D + 1), np.float32), ("x",) * 400), InvalidDescriptor),
        (Strangers(np.ones((400, D), np.float32), ("x",) * 399), MalformedRequest),
        (Strangers(np.ones((10_001, D), np.float32), ("x",) * 10_001), MalformedRequest),
    ],
)
def test_strangers_that_cannot_be(
    run: Callable[..., CalibrationResult], given: Strangers, error: type[Exception]
) -> None:
    with pytest.raises(error):
        run(0.01, given)


def test_photos_of_strangers_without_a_face() -> None:
    with pytest.raises(NoFace):
        calibrator.strangers([("a.jpg", NoFace("none"))])


def test_a_store_that_is_away_is_no_gallery_to_calibrate(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    galleries = Matcher(store, SPEC)
    galleries.snapshot("group")

    def away(name: str) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store, "standing", away)
    with pytest.raises(StoreUnavailable):
        galleries.snapshot("group")
