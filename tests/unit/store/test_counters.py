"""Counter-examples in both stores: kept beside the samples, read by matching, never both, and gone like samples."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from facegroup.errors import Contradiction, IdempotencyConflict, TooManyCounterExamples, UnknownPhoto
from facegroup.gallery.snapshot import Snapshot
from facegroup.store import contradictions, validation
from facegroup.store.contract import Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.staging import StagingStore, migration_copy
from facegroup.types import Gallery, Person, Sample
from tests.unit.store.samples import NETWORK, D, counter, descriptor, photo_id, sample
from tests.unit.store.with_key import pytest_generate_tests  # noqa: F401 (pytest calls it)


@pytest.fixture
def ann(store: Store, gallery: str) -> str:
    """A person with samples 1 and 2 and the counter-examples 3 and 4."""
    store.create_person(gallery, "Ann", person_id="ann")
    store.add_samples(gallery, "ann", [sample(1), sample(2)], NETWORK)
    store.add_samples(gallery, "ann", [counter(3), counter(4)], NETWORK)
    return "ann"


def numbers(store: Store, gallery: str, person: str, counter: bool | None = True) -> list[int]:
    return sorted(int(each.id, 16) for each in store.samples(gallery, person, counter=counter))


def test_they_are_kept_apart_from_the_samples(store: Store, gallery: str, ann: str) -> None:
    person = store.person(gallery, ann)
    assert (person.samples, person.counters) == (2, 2)
    assert store.people(gallery) == [person]
    assert numbers(store, gallery, ann, counter=False) == [1, 2]
    assert numbers(store, gallery, ann, counter=None) == [1, 2, 3, 4]
    kept = store.samples(gallery, ann, crops=True, counter=True)
    assert [(each.counter, each.crop) for each in kept] == [(True, b"jpeg 3"), (True, b"jpeg 4")]
    assert_array_equal(kept[0].descriptor, descriptor(3))
    assert not any(each.counter for each in store.samples(gallery, ann))


def test_the_centroid_is_without_them_and_readers_get_them(store: Store, gallery: str, ann: str) -> None:
    alone = store.create_gallery(Gallery("alone", NETWORK, D, 0.4)).name
    store.create_person(alone, "Ann", person_id=ann)
    store.add_samples(alone, ann, [sample(1), sample(2)], NETWORK)
    for read in (store.centroids(gallery), store.centroids(gallery, since=0), next(store.centroid_pages(gallery))):
        assert_array_equal(read.matrix, store.centroids(alone).matrix)
        assert_array_equal(read.counters[ann], [descriptor(3), descriptor(4)])
    assert store.centroids(alone).counters == {}


def test_a_person_who_has_only_counter_examples_cannot_be_named(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Bo", person_id="bo")
    done = store.add_samples(gallery, "bo", [counter(1)], NETWORK)
    assert (done.person.samples, done.person.counters) == (0, 1)
    assert store.centroids(gallery).counters == {}
    assert store.centroids(gallery, since=0).gone == ("bo",)
    erased = store.delete_person(gallery, "bo")
    assert (erased.samples, erased.counters, erased.crops) == (0, 1, 1)


def test_one_twice_is_a_duplicate_and_a_repeated_request_is_done_once(store: Store, gallery: str, ann: str) -> None:
    done = store.add_samples(gallery, ann, [counter(3), counter(5), counter(5)], NETWORK)
    assert (done.added, done.duplicates) == ((photo_id(5),), (photo_id(3), photo_id(5)))
    assert store.add_samples(gallery, ann, [counter(3)], NETWORK).version == done.version
    once = IdempotencyKey.of("key", "asked")
    first = store.add_samples(gallery, ann, [counter(6)], NETWORK, once=once)
    store.delete_sample(gallery, ann, photo_id(6), counter=True)
    again = store.add_samples(gallery, ann, [counter(6)], NETWORK, once=once)
    assert (again.added, again.version) == (first.added, first.version)
    assert numbers(store, gallery, ann) == [3, 4, 5]
    with pytest.raises(IdempotencyConflict):
        store.add_samples(gallery, ann, [counter(7)], NETWORK, once=IdempotencyKey.of("key", "other"))


def renumbered(number: int, of: Sample) -> Sample:
    """Return the same face under another id."""
    return replace(of, id=photo_id(number))


@pytest.mark.parametrize(
    "new",
    [
        [renumbered(91, counter(1))],
        [renumbered(92, sample(3))],
        [sample(7), renumbered(93, counter(7))],
        [renumbered(94, counter(8)), sample(8)],
        [sample(9), renumbered(95, sample(4))],
    ],
)
def test_no_face_is_both(store: Store, gallery: str, ann: str, new: list[Sample]) -> None:
    version = store.version(gallery)
    with pytest.raises(Contradiction) as caught:
        store.add_samples(gallery, ann, new, NETWORK)
    assert (caught.value.status, caught.value.code) == (409, "contradiction")
    assert store.version(gallery) == version
    assert numbers(store, gallery, ann, counter=None) == [1, 2, 3, 4]


def test_another_person_may_have_the_face(store: Store, gallery: str, ann: str) -> None:
    store.create_person(gallery, "Bo", person_id="bo")
    store.add_samples(gallery, "bo", [sample(3), counter(1)], NETWORK)
    assert store.person(gallery, "bo").counters == 1


def test_there_is_an_end_to_them(store: Store, gallery: str, ann: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contradictions, "MOST_COUNTERS", 3)
    with pytest.raises(TooManyCounterExamples):
        store.add_samples(gallery, ann, [counter(5), counter(6)], NETWORK)
    assert store.add_samples(gallery, ann, [counter(5), sample(6)], NETWORK).person.counters == 3
    with pytest.raises(TooManyCounterExamples):
        store.add_samples(gallery, ann, [counter(7)], NETWORK)
    assert store.add_samples(gallery, ann, [sample(7)], NETWORK).person.samples == 4


def test_each_kind_is_erased_as_what_it_is(store: Store, gallery: str, ann: str) -> None:
    for number, kind in ((1, True), (3, False), (9, True)):
        with pytest.raises(UnknownPhoto, match="counter-example" if kind else "photo"):
            store.delete_sample(gallery, ann, photo_id(number), counter=kind)
    erased = store.delete_sample(gallery, ann, photo_id(3), counter=True)
    assert (erased.samples, erased.counters, erased.crops, erased.version) == (0, 1, 1, store.version(gallery))
    assert_array_equal(store.centroids(gallery).counters[ann], [descriptor(4)])
    store.delete_sample(gallery, ann, photo_id(4), counter=True)
    assert store.centroids(gallery).counters == {}
    assert store.person(gallery, ann).samples == 2


@pytest.mark.parametrize("how", ["person", "gallery", "expiry"])
def test_they_are_erased_with_their_person_and_counted(store: Store, gallery: str, ann: str, how: str) -> None:
    if how == "expiry":
        store.update_person(gallery, ann, expires_at=1)
    erase: dict[str, Callable[[], object]] = {
        "person": lambda: store.delete_person(gallery, ann),
        "gallery": lambda: store.delete_gallery(gallery),
        "expiry": lambda: store.erase_expired(gallery),
    }
    erased = erase[how]()
    assert (erased.samples, erased.counters, erased.crops) == (2, 2, 4)  # type: ignore[attr-defined]


def test_crops_that_are_switched_off_are_theirs_too(store: Store, gallery: str, ann: str) -> None:
    store.update_gallery(gallery, keep_crops=False)
    store.add_samples(gallery, ann, [counter(5)], NETWORK)
    assert [each.crop for each in store.samples(gallery, ann, crops=True, counter=True)] == [None] * 3


def test_a_merger_keeps_those_of_both_but_for_whom_it_has_enrolled(store: Store, gallery: str, ann: str) -> None:
    store.create_person(gallery, "Ann again", person_id="bo")
    store.add_samples(gallery, "bo", [sample(2), renumbered(31, sample(3)), sample(6)], NETWORK)
    store.add_samples(gallery, "bo", [counter(4), counter(7), renumbered(81, counter(1))], NETWORK)
    merged = store.merge_people(gallery, ann, "bo")
    assert (merged.moved, merged.duplicates, merged.person.samples, merged.person.counters) == (2, 1, 4, 2)
    assert numbers(store, gallery, ann) == [4, 7]
    assert numbers(store, gallery, ann, counter=False) == [1, 2, 6, 31]
    assert_array_equal(store.centroids(gallery).counters[ann], [descriptor(4), descriptor(7)])
    assert store.delete_person(gallery, ann).crops == 6


def test_the_audit_log_tells_of_them(store: Store, gallery: str, ann: str) -> None:
    store.add_samples(gallery, ann, [sample(5), counter(6)], NETWORK)
    store.delete_sample(gallery, ann, photo_id(3), counter=True)
    store.delete_person(gallery, ann)
    assert [(each.event.what, each.event.detail) for each in store.audit(gallery)[3:]] == [
        ("corrected", {"counter_examples": 2, "duplicates": 0}),
        ("enrolled", {"photos": 1, "counter_examples": 1, "duplicates": 0}),
        ("erased_counter_example", {}),
        ("erased", {"photos": 3, "counter_examples": 2}),
    ]


def test_a_snapshot_knows_them_after_the_next_look(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    store.add_samples(gallery, "ann", [sample(1)], NETWORK)
    near = np.asarray(descriptor(1) + 0.4 * descriptor(2), np.float32)
    stranger = Sample(photo_id(50), near / np.linalg.norm(near), counter=True)
    before = Snapshot.load(store, gallery)
    assert before.match(stranger.descriptor[None], np.zeros(1, int))[0].person_id == "ann"
    store.add_samples(gallery, "ann", [stranger], NETWORK)
    for after in (before.caught_up(store), Snapshot.load(store, gallery)):
        (match,) = after.match(stranger.descriptor[None], np.zeros(1, int))
        assert (match.person_id, [each.person_id for each in match.excluded]) == (None, ["ann"])
        assert after.match(descriptor(1)[None], np.zeros(1, int))[0].person_id == "ann"
    store.delete_sample(gallery, "ann", stranger.id, counter=True)
    assert after.caught_up(store).match(stranger.descriptor[None], np.zeros(1, int))[0].person_id == "ann"


def test_a_staging_copy_takes_them_whole_and_brings_them(store: Store, gallery: str, ann: str) -> None:
    staged = cast(StagingStore, store)
    copy = migration_copy(gallery)
    staged.create_gallery(Gallery(copy, NETWORK, D, 0.4))
    person = Person("ann", "Ann", {}, 1, 1.0, 2.0, None, 2)
    staged.put_people(copy, [(person, [sample(1), counter(2), counter(3)])])
    assert staged.person(copy, ann) == person
    staged.put_people(copy, [(person, [sample(1), counter(5)])])
    assert numbers(store, copy, ann, counter=None) == [1, 5]
    event = validation.enrolled(ann, [], 0)
    staged.switch_gallery(gallery, copy, store.version(gallery), store.version(copy), event)
    assert_array_equal(store.centroids(gallery).counters[ann], [descriptor(5)])


def test_a_merger_keeps_the_limit(store: Store, gallery: str, ann: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create_person(gallery, "Bo", person_id="bo")
    store.add_samples(gallery, "bo", [sample(11), counter(12)], NETWORK)
    monkeypatch.setattr(contradictions, "MOST_COUNTERS", 2)
    with pytest.raises(TooManyCounterExamples):
        store.merge_people(gallery, ann, "bo")
    assert (numbers(store, gallery, ann), numbers(store, gallery, "bo")) == ([3, 4], [12])
