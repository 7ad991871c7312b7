"""Questions of many photos to many galleries at once, each answered as if it had come alone; and a store that goes away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegroup.errors import (
    FacegroupError,
    InvalidDescriptor,
    MalformedRequest,
    NetworkMismatch,
    StoreUnavailable,
    UnknownGallery,
    UnknownPerson,
)
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.matching import Matcher
from facegroup.networks.registry import spec
from facegroup.pipeline.messages import PhotoMatches, Query
from facegroup.store import availability, open_store
from facegroup.store.contract import Store
from facegroup.types import NOT_IN_DATASET, Descriptors, Gallery, Sample
from tests.conftest import RedisProcess

SPEC = spec("dlib-resnet29")
D = SPEC.dimension
PEOPLE: Descriptors = np.eye(4, D, dtype=np.float32)


def fill(store: Store, gallery: str = "group", people: int = 3) -> None:
    """Create a gallery whose person `p<n>` is the n-th axis."""
    store.create_gallery(Gallery(gallery, SPEC.name, D, 0.6))
    for number in range(people):
        store.create_person(gallery, f"{gallery} {number}", person_id=f"p{number}")
        store.add_samples(gallery, f"p{number}", [Sample(f"{number:064x}", PEOPLE[number])], SPEC.name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/g.db")
    fill(store)
    yield store
    store.close()


@pytest.fixture
def galleries(store: Store) -> Matcher:
    return Matcher(store, SPEC)


def names(answer: PhotoMatches | FacegroupError) -> list[str] | type[FacegroupError]:
    return type(answer) if isinstance(answer, FacegroupError) else [match.name for match in answer.matches]


def test_photos_and_questions_are_kept_apart(store: Store, galleries: Matcher) -> None:
    fill(store, "other", 2)
    group, other, strict = Query("group"), Query("other"), Query("group", threshold=1)
    asked = [
        (group, 2),
        (other, 1),
        (group, 0),
        (Query("nowhere"), 1),
        (strict, 1),
        (group, 1),
        (Query("group", "p1"), 2),
    ]
    rows = [0, 1, 1, 0, 0, 1, 1, 0]
    answers = galleries.match(PEOPLE[rows], asked)
    assert [names(answer) for answer in answers] == [
        ["group 0", "group 1"],
        ["other 1"],
        [],
        UnknownGallery,
        [NOT_IN_DATASET],
        ["group 1"],
        ["group 1", NOT_IN_DATASET],
    ]
    for (query, count), answer in zip(asked, answers, strict=True):
        if isinstance(answer, PhotoMatches):
            assert len(answer.matches) == count
            assert answer.version == store.version(query.gallery)
            assert answer.threshold == (0.6 if query.threshold is None else query.threshold)
            assert not answer.degraded


def test_one_person_is_named_once_in_a_photo_and_again_in_the_next(galleries: Matcher) -> None:
    query = Query("group")
    first, second = galleries.match(PEOPLE[[0, 0, 0]], [(query, 2), (query, 1)])
    assert names(first) == ["group 0", NOT_IN_DATASET]
    assert names(second) == ["group 0"]


@pytest.mark.parametrize("seed", range(5))
def test_together_is_as_one_by_one(store: Store, galleries: Matcher, seed: int) -> None:
    rng = np.random.default_rng(seed)
    fill(store, "other", 4)
    queries = [Query("group"), Query("other"), Query("other", "p2"), Query("other", threshold=-1, candidates=2)]
    asked = [(queries[rng.integers(4)], int(rng.integers(0, 4))) for _ in range(12)]
    probes = rng.normal(size=(sum(count for _, count in asked), D)).astype(np.float32)
    probes[:, 4:] *= 0.01
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    start = 0
    for (query, count), together in zip(asked, galleries.match(probes, asked), strict=True):
        (alone,) = galleries.match(probes[start : start + count], [(query, count)])
        start += count
        assert isinstance(together, PhotoMatches)
        assert isinstance(alone, PhotoMatches)
        assert names(together) == names(alone)
        for one, other in zip(together.matches, alone.matches, strict=True):
            assert one.similarity == pytest.approx(other.similarity, abs=1e-6)
            assert len(one.candidates) == len(other.candidates)


def test_nothing_asked_is_nothing_answered(galleries: Matcher) -> None:
    assert galleries.match(np.empty((0, D), np.float32), []) == []


def test_verification_tells_the_person_and_the_similarity(galleries: Matcher) -> None:
    (answer,) = galleries.match(PEOPLE[[0, 1]], [(Query("group", "p1"), 2)])
    assert isinstance(answer, PhotoMatches)
    other, same = answer.matches
    assert (other.person_id, other.similarity, other.name) == (None, 0, NOT_IN_DATASET)
    assert (same.person_id, same.similarity, same.name) == ("p1", 1, "group 1")
    assert [candidate.person_id for match in answer.matches for candidate in match.candidates] == ["p1", "p1"]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (Query("nowhere"), UnknownGallery),
        (Query("..\0"), UnknownGallery),
        (Query("group", "nobody"), UnknownPerson),
        (Query("group", "\ud800"), UnknownPerson),
        (Query("group", threshold=float("nan")), MalformedRequest),
        (Query("group", "p1", threshold=float("nan")), MalformedRequest),
        (Query("group", "p1", threshold=1.5), MalformedRequest),
    ],
)
def test_a_bad_question_is_answered_with_its_error_and_the_others_with_theirs(
    galleries: Matcher, query: Query, error: type[FacegroupError]
) -> None:
    answers = galleries.match(PEOPLE[[0, 1, 1]], [(Query("group"), 1), (query, 1), (Query("group"), 1)])
    assert [names(answer) for answer in answers] == [["group 0"], error, ["group 1"]]


def test_descriptors_of_another_length_are_refused(galleries: Matcher) -> None:
    (answer,) = galleries.match(np.eye(1, 7, dtype=np.float32), [(Query("group"), 1)])
    assert isinstance(answer, InvalidDescriptor)


def test_every_answer_knows_the_last_write(store: Store, galleries: Matcher) -> None:
    query = Query("group")
    assert names(galleries.match(PEOPLE[[3]], [(query, 1)])[0]) == [NOT_IN_DATASET]
    store.create_person("group", "New", person_id="p3")
    store.add_samples("group", "p3", [Sample("f" * 64, PEOPLE[3])], SPEC.name)
    assert names(galleries.match(PEOPLE[[3]], [(query, 1)])[0]) == ["New"]
    store.update_person("group", "p3", name="Renamed")
    assert names(galleries.match(PEOPLE[[3]], [(query, 1)])[0]) == ["Renamed"]
    store.delete_person("group", "p3")
    assert names(galleries.match(PEOPLE[[3]], [(query, 1)])[0]) == [NOT_IN_DATASET]
    store.delete_gallery("group")
    assert names(galleries.match(PEOPLE[[3]], [(query, 1)])[0]) is UnknownGallery
    fill(store, people=4)
    assert names(galleries.match(PEOPLE[[3]], [(query, 1)])[0]) == ["group 3"]


def test_a_gallery_of_another_network(store: Store, galleries: Matcher) -> None:
    store.create_gallery(Gallery("retail", "retail-0095", 256, 0.4))
    for query in (Query("retail"), Query("retail", "p1")):
        assert names(galleries.match(PEOPLE[[0]], [(query, 1)])[0]) is NetworkMismatch


def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let time pass when the test says so."""
    now = [1000.0]
    monkeypatch.setattr(availability, "time", type("clock", (), {"monotonic": staticmethod(lambda: now[0])}))
    return now


def test_while_the_store_is_away_the_last_snapshot_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = clock(monkeypatch)
    redis = RedisProcess(tmp_path)
    redis.start()
    try:
        store = open_store(redis.url)
        fill(store)
        galleries = Matcher(store, SPEC)
        known, unknown = Query("group"), Query("never asked for before")
        (before,) = galleries.match(PEOPLE[[0]], [(known, 1)])
        assert isinstance(before, PhotoMatches)
        redis.kill()
        for _ in range(2):
            held, other = galleries.match(PEOPLE[[0, 1]], [(known, 1), (unknown, 1)])
            assert isinstance(held, PhotoMatches)
            assert (names(held), held.degraded, held.version) == (["group 0"], True, before.version)
            assert isinstance(other, StoreUnavailable)
        assert "the store is away" in caplog.text
        redis.start()
        (soon,) = galleries.match(PEOPLE[[0]], [(known, 1)])
        assert isinstance(soon, PhotoMatches)
        assert soon.degraded  # a store that was away is left alone for a second
        now[0] += availability.RETRY_SECONDS
        (after,) = galleries.match(PEOPLE[[0]], [(known, 1)])
        assert isinstance(after, PhotoMatches)
        assert (names(after), after.degraded, after.version) == (["group 0"], False, before.version)
        store.close()
    finally:
        redis.kill()


def test_a_gallery_that_became_another_networks_is_forgotten(
    store: Store, galleries: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be answered from again as soon as the store is away."""
    query = Query("group")
    assert names(galleries.match(PEOPLE[[0]], [(query, 1)])[0]) == ["group 0"]
    store.delete_gallery("group")
    store.create_gallery(Gallery("group", "retail-0095", 256, 0.4))
    assert names(galleries.match(PEOPLE[[0]], [(query, 1)])[0]) is NetworkMismatch
    monkeypatch.setattr(galleries.availability, "_away", True)
    monkeypatch.setattr(galleries.availability, "_until", float("inf"))
    assert names(galleries.match(PEOPLE[[0]], [(query, 1)])[0]) is StoreUnavailable


@pytest.mark.parametrize("index", ["exact", "compact"])
def test_it_is_said_which_way_a_gallery_goes(store: Store, index: str) -> None:
    galleries = Matcher(store, SPEC, Plan(index))
    assert galleries.ways() == {}
    assert names(galleries.match(PEOPLE[[0]], [(Query("group"), 1)])[0]) == ["group 0"]
    assert galleries.ways() == {"group": index}
