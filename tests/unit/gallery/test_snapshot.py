"""Matching against plain Python that follows DESIGN §5 word by word, and snapshots against the store."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import ArrayLike

from facegroup.errors import InvalidDescriptor, MalformedRequest, UnknownGallery, UnknownPerson
from facegroup.gallery.index.people import People
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.snapshot import Snapshot
from facegroup.store import validation
from facegroup.store.sqlite.store import SqliteStore
from facegroup.types import NOT_IN_DATASET, Floats, Gallery, Sample


def unit(rows: ArrayLike) -> Floats:
    matrix = np.asarray(rows, np.float64)
    return np.asarray(matrix / np.linalg.norm(matrix, axis=-1, keepdims=True), np.float32)


PLANS = {
    "exact": Plan(),
    "exact in pieces": Plan(segment_bytes=128, fresh_bytes=64),
    "compact": Plan("compact"),
    "compact in pieces": Plan("compact", segment_bytes=128, fresh_bytes=64),
}


@pytest.fixture(params=PLANS, scope="module")
def plan(request: pytest.FixtureRequest) -> Plan:
    """Each way to keep a gallery: whatever is held of matching here holds for all of them."""
    return PLANS[request.param]


Make = Callable[..., Snapshot]


@pytest.fixture(scope="module")
def snapshot(plan: Plan) -> Make:
    def make(matrix: Floats, threshold: float = 0.4) -> Snapshot:
        ids = tuple(f"p{row:03d}" for row in range(len(matrix)))
        names = tuple(key.upper() for key in ids)
        return Snapshot("group", 1, "net", threshold, People.of(ids, names, matrix, plan))

    return make


def at(*cosines: float) -> Floats:
    """Return a unit vector with these cosines to the first axes."""
    rest = np.sqrt(1 - sum(cosine * cosine for cosine in cosines))
    return unit([*cosines, *[0.0] * (7 - len(cosines)), float(rest)])


AXES = np.eye(8, dtype=np.float32)
ALONE = np.arange(9)


def test_the_most_similar_person_above_the_threshold_is_named(snapshot: Make) -> None:
    (match,) = snapshot(AXES[:3]).match(at(0.5, 0.7)[None], ALONE[:1])
    assert (match.person_id, match.name, match.threshold) == ("p001", "P001", 0.4)
    assert match.similarity == pytest.approx(0.7, abs=1e-6)
    assert match.distance == pytest.approx(0.3, abs=1e-6)
    assert match.margin == pytest.approx(0.2, abs=1e-6)
    assert [candidate.person_id for candidate in match.candidates] == ["p001", "p000", "p002"]
    assert_allclose([candidate.similarity for candidate in match.candidates], [0.7, 0.5, 0], atol=1e-6)


def test_below_the_threshold_nobody_is_named_and_the_best_is_still_told(snapshot: Make) -> None:
    (match,) = snapshot(AXES[:3]).match(at(0.3, 0.1)[None], ALONE[:1])
    assert (match.person_id, match.name) == (None, NOT_IN_DATASET)
    assert match.similarity == pytest.approx(0.3, abs=1e-6)
    assert match.margin == pytest.approx(0.2, abs=1e-6)
    assert match.candidates[0].person_id == "p000"


def test_the_threshold_itself_is_not_enough(snapshot: Make) -> None:
    probe = unit([[1, 1, 0, 0, 0, 0, 0, 0]])
    similarity = float(snapshot(AXES[:1]).match(probe, ALONE[:1], threshold=-1)[0].similarity)
    assert snapshot(AXES[:1]).match(probe, ALONE[:1], threshold=similarity)[0].person_id is None
    assert snapshot(AXES[:1]).match(probe, ALONE[:1], threshold=similarity - 1e-9)[0].person_id == "p000"


def test_an_empty_gallery_knows_nobody(snapshot: Make) -> None:
    empty = snapshot(AXES[:0])
    for match in empty.match(AXES[:2], ALONE[:2], threshold=-1):
        assert (match.person_id, match.similarity, match.margin, match.candidates) == (None, -1.0, None, ())
    assert snapshot(AXES).match(AXES[:0], ALONE[:0]) == []
    assert empty.match(AXES[:0], ALONE[:0]) == []


@pytest.mark.parametrize("people", [3, 2000])
def test_no_faces_are_no_matches(snapshot: Make, people: int) -> None:
    rows = unit(np.random.default_rng(0).normal(size=(people, 8)))
    assert snapshot(rows).match(np.empty((0, 8), np.float32), np.empty(0, np.intp)) == []
    assert snapshot(rows).people.nearest(np.empty((0, 8), np.float32), 3).people.shape == (0, 3)


def test_one_person_has_no_margin(snapshot: Make) -> None:
    (match,) = snapshot(AXES[:1]).match(AXES[:1], ALONE[:1])
    assert (match.person_id, match.margin, len(match.candidates)) == ("p000", None, 1)


def test_in_one_image_the_more_similar_face_gets_the_name(snapshot: Make) -> None:
    probes = np.stack([at(0.7, 0.5), at(0.8, 0.6), at(0.9)])
    first, second, third = snapshot(AXES[:3]).match(probes, np.zeros(3, np.int64))
    assert (first.person_id, second.person_id, third.person_id) == (None, "p001", "p000")
    assert first.name == NOT_IN_DATASET
    assert first.similarity == pytest.approx(0.7, abs=1e-6)
    assert second.similarity == pytest.approx(0.6, abs=1e-6)
    assert second.margin == pytest.approx(-0.2, abs=1e-6)
    apart = snapshot(AXES[:3]).match(probes, np.arange(3))
    assert [match.person_id for match in apart] == ["p000"] * 3


def test_of_equal_faces_the_better_one_gets_the_name(snapshot: Make) -> None:
    probes = np.stack([at(0.9), at(0.9), at(0.9)])
    matches = snapshot(AXES[:1]).match(probes, np.zeros(3, np.int64), quality=np.array([0.1, 0.9, 0.5], np.float32))
    assert [match.person_id for match in matches] == [None, "p000", None]


def test_more_faces_than_candidates_may_collide(snapshot: Make) -> None:
    people = unit(np.eye(8, dtype=np.float32) + 10)  # all alike: each face is above the threshold for each of them
    probes = unit(np.tile(people[0], (8, 1)) + 0.01 * np.random.default_rng(3).normal(size=(8, 8)).astype(np.float32))
    matches = snapshot(people).match(probes, np.zeros(8, np.int64), candidates=1)
    assert {match.person_id for match in matches} == {f"p{row:03d}" for row in range(8)}
    assert all(len(match.candidates) == 1 for match in matches)


def by_hand(people: Floats, probes: Floats, images: list[int], threshold: float) -> list[int | None]:
    """Name by the rule itself: again and again the most similar pair of a free face and a person free in its image."""
    cosines = [[float(np.clip(value, -1, 1)) for value in row] for row in probes @ people.T]
    named: list[int | None] = [None] * len(probes)
    while True:
        free = [
            (cosines[face][person], face, person)
            for face in range(len(probes))
            for person in range(len(people))
            if named[face] is None
            and cosines[face][person] > threshold
            and all(named[other] != person for other in range(len(probes)) if images[other] == images[face])
        ]
        if not free:
            return named
        _, face, person = max(free)
        named[face] = person


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 10**6),
    people=st.integers(1, 9),
    images=st.lists(st.integers(0, 2), min_size=1, max_size=9),
    threshold=st.sampled_from([-1.0, -0.2, 0.0, 0.3, 0.9, 1.0]),
    candidates=st.integers(1, 4),
)
def test_the_decision_is_the_rules(
    snapshot: Make, seed: int, people: int, images: list[int], threshold: float, candidates: int
) -> None:
    random = np.random.default_rng(seed)
    matrix, probes = unit(random.normal(size=(people, 4))), unit(random.normal(size=(len(images), 4)))
    gallery = snapshot(matrix)
    matrix = gallery.matrix  # as kept, where that is compact
    matches = gallery.match(probes, np.array(images), threshold=threshold, candidates=candidates)
    expected = by_hand(matrix, probes, images, threshold)
    assert [match.person_id for match in matches] == [None if who is None else f"p{who:03d}" for who in expected]
    cosines = np.clip(probes @ matrix.T, -1, 1)
    for match, who, row in zip(matches, expected, cosines, strict=True):
        best = int(row.argmax()) if who is None else who
        others = np.delete(row, best)
        assert match.similarity == pytest.approx(row[best], abs=1e-6)
        assert (match.margin is None) == (people == 1)
        assert match.margin is None or match.margin == pytest.approx(row[best] - others.max(), abs=1e-6)
        assert_allclose([c.similarity for c in match.candidates], np.sort(row)[::-1][:candidates], atol=1e-6)


@pytest.mark.parametrize("spoil", [np.nan, np.inf, -np.inf, 0.0, 3.0, 1e38])
def test_a_face_that_is_no_unit_vector_is_nobodys_and_costs_the_others_nothing(snapshot: Make, spoil: float) -> None:
    probes = np.stack([AXES[0], AXES[1] * np.float32(spoil) if np.isfinite(spoil) else np.full(8, spoil), AXES[1]])
    probes = probes.astype(np.float32)
    gallery = snapshot(AXES[:3])
    good, bad, other = gallery.match(probes, np.zeros(3, np.int64), threshold=-1)
    assert (good.person_id, other.person_id) == ("p000", "p001")
    assert (bad.person_id, bad.similarity, bad.margin, bad.candidates) == (None, -1.0, None, ())
    assert_array_equal(gallery.similarity_to("p000", probes), np.array([1, -1, 0], np.float32))


def test_similarities_stay_within_one(snapshot: Make) -> None:
    rows = unit(np.random.default_rng(0).normal(size=(200, 2048)))
    matches = snapshot(rows).match(rows, np.arange(200))
    assert [match.person_id for match in matches] == [f"p{row:03d}" for row in range(200)]
    assert all(match.similarity <= 1 and match.distance >= 0 for match in matches)


def test_verification_asks_for_one_person(snapshot: Make) -> None:
    gallery = snapshot(AXES[:3])
    similarities = gallery.similarity_to("p001", np.stack([at(0.1, 0.8), AXES[1]]))
    assert similarities.dtype == np.float32
    assert_allclose(similarities, [0.8, 1], atol=1e-6)
    assert gallery.name_of("p001") == "P001"
    for nobody in ("p003", "", "zz"):
        with pytest.raises(UnknownPerson):
            gallery.similarity_to(nobody, AXES[:1])
        with pytest.raises(UnknownPerson):
            gallery.name_of(nobody)


def test_what_cannot_be_asked_is_refused(snapshot: Make) -> None:
    gallery = snapshot(AXES[:3])
    for probes, images in ((AXES[:2, :4], ALONE[:2]), (AXES[0], ALONE[:1]), (AXES[:2], ALONE[:3])):
        with pytest.raises(InvalidDescriptor):
            gallery.match(probes, images)
    with pytest.raises(InvalidDescriptor):
        gallery.match(AXES[:2], ALONE[:2], quality=np.zeros(3, np.float32))
    with pytest.raises(MalformedRequest):
        gallery.match(AXES[:2], ALONE[:2], threshold=float("nan"))


def test_a_snapshot_cannot_be_changed() -> None:
    rows = AXES[:3].copy()
    gallery = Snapshot("group", 1, "net", 0.4, People.of(("a", "b", "c"), ("A", "B", "C"), rows))
    rows[0, 0] = 2
    gallery.matrix[0, 0] = 2
    assert_array_equal(gallery.matrix, AXES[:3])
    with pytest.raises(AttributeError):
        gallery.version = 2  # type: ignore[misc]


def enrol(store: SqliteStore, person: str, row: int) -> None:
    store.add_samples("group", person, [Sample(f"{row:064x}", unit(np.roll(AXES[:1], row) + 0.1)[0])], "net")


def test_a_snapshot_catches_up_with_its_store(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(tmp_path / "gallery.db")
    with pytest.raises(UnknownGallery):
        Snapshot.load(store, "group", plan)
    store.create_gallery(Gallery("group", "net", 8, 0.4))
    empty = now = Snapshot.load(store, "group", plan)
    assert (len(empty), empty.matrix.shape, empty.network, empty.caught_up(store)) == (0, (0, 8), "net", empty)
    for row, person in enumerate(["cy", "ann", "bo"]):
        store.create_person("group", person.title(), person_id=person)
        enrol(store, person, row)
        now = now.caught_up(store)
    assert (now.ids, now.names, now.version) == (("ann", "bo", "cy"), ("Ann", "Bo", "Cy"), 6)
    assert len(empty) == 0
    store.update_gallery("group", threshold=0.6)
    assert now.caught_up(store).threshold == 0.6
    assert now.caught_up(store).people is now.people
    store.delete_person("group", "bo")
    store.update_person("group", "cy", name="Cyd")
    enrol(store, "ann", 5)
    same(now.caught_up(store), Snapshot.load(store, "group", plan))
    monkeypatch.setattr(validation, "RETENTION", 1)
    store.update_person("group", "ann", name="Anna")
    store.update_person("group", "cy", name="Cy")
    same(now.caught_up(store), Snapshot.load(store, "group", plan))
    store.delete_gallery("group")
    with pytest.raises(UnknownGallery):
        now.caught_up(store)
    store.create_gallery(Gallery("group", "other", 4, 0.4))
    same(now.caught_up(store), Snapshot.load(store, "group", plan))
    same(replace(now, version=10**9).caught_up(store), Snapshot.load(store, "group", plan))
    store.close()


def same(left: Snapshot, right: Snapshot) -> None:
    assert (left.version, left.network, left.threshold) == (right.version, right.network, right.threshold)
    assert (left.ids, left.names) == (right.ids, right.names)
    if left.people.exact and right.people.exact:
        assert_array_equal(left.matrix, right.matrix)
    else:
        assert_allclose(left.matrix, right.matrix, atol=1 / 65534 + 1e-7)  # half a step of 16 bits


def test_a_face_that_lost_its_person_says_to_whom(snapshot: Make) -> None:
    probes, images = np.stack([at(0.8), at(0.9), at(0, 0.7), at(0.7, 0.6)]), np.zeros(4, int)
    group = snapshot(np.eye(3, 8, dtype=np.float32))
    first, second, third, fourth = group.match(probes, images)
    assert [each.person_id for each in (first, second, third, fourth)] == [None, "p000", "p001", None]
    assert (first.reasons, first.taken_by) == (("taken",), 1)
    assert (second.reasons, second.taken_by) == ((), None)
    assert (fourth.reasons, fourth.taken_by) == (("taken",), 1)
    assert not first.poor
    named = group.match(probes, images, unique=False)
    assert [each.person_id for each in named] == ["p000", "p000", "p001", "p000"]
    assert not any(each.reasons for each in named)


def test_a_face_that_gets_its_next_person_says_who_took_the_first(snapshot: Make) -> None:
    first, second = snapshot(np.eye(3, 8, dtype=np.float32)).match(np.stack([at(0.8), at(0.7, 0.6)]), np.zeros(2, int))
    assert (first.person_id, second.person_id) == ("p000", "p001")
    assert (second.reasons, second.taken_by) == ((), 0)
