"""A request that is sent again: one person, one enrolment, one answer; and a key that is taken for something else."""

import threading

import pytest

from facegroup.errors import IdempotencyConflict, MalformedRequest, PersonExists, UnknownPerson
from facegroup.store import idempotency as kept
from facegroup.store.contract import Enrolled, Store
from facegroup.store.idempotency import IdempotencyKey
from tests.unit.store.samples import NETWORK, photo_id, sample

KEY = IdempotencyKey.of("key-1", "a request")
OTHER = IdempotencyKey.of("key-1", "another request")


def test_a_person_is_created_once(store: Store, gallery: str) -> None:
    made = store.create_person(gallery, "Ann", once=KEY)
    store.update_person(gallery, made.id, name="Anna")
    again = store.create_person(gallery, "Ann", once=KEY)
    assert (again.id, again.name) == (made.id, "Anna")
    assert store.gallery(gallery).people == 1
    assert store.version(gallery) == 2
    with pytest.raises(IdempotencyConflict) as caught:
        store.create_person(gallery, "Bo", once=OTHER)
    assert (caught.value.status, caught.value.code) == (409, "idempotency_conflict")
    store.delete_person(gallery, made.id)
    with pytest.raises(UnknownPerson):
        store.create_person(gallery, "Ann", once=KEY)
    assert store.gallery(gallery).people == 0


def test_what_was_refused_is_not_remembered(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    with pytest.raises(PersonExists):
        store.create_person(gallery, "Ann", person_id="ann", once=KEY)
    store.delete_person(gallery, "ann")
    assert store.create_person(gallery, "Ann", person_id="ann", once=KEY).id == "ann"


def test_photos_are_enrolled_once_and_answered_the_same(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    store.add_samples(gallery, "ann", [sample(2)], NETWORK)
    sent = [sample(1), sample(2), sample(3), sample(1)]
    first = store.add_samples(gallery, "ann", sent, NETWORK, once=KEY)
    store.delete_sample(gallery, "ann", photo_id(3))
    again = store.add_samples(gallery, "ann", sent, NETWORK, once=KEY)
    assert (again.added, sorted(again.duplicates), again.version) == (
        first.added,
        sorted(first.duplicates),
        first.version,
    )
    assert again.person.samples == 2
    with pytest.raises(IdempotencyConflict):
        store.add_samples(gallery, "ann", [sample(4)], NETWORK, once=OTHER)


def test_a_request_that_added_nothing_is_remembered_too(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    store.add_samples(gallery, "ann", [sample(1)], NETWORK)
    assert store.add_samples(gallery, "ann", [sample(1)], NETWORK, once=KEY).added == ()
    assert store.version(gallery) == 2
    store.delete_sample(gallery, "ann", photo_id(1))
    assert store.add_samples(gallery, "ann", [sample(1)], NETWORK, once=KEY).added == ()
    assert store.person(gallery, "ann").samples == 0


def test_a_key_is_of_one_gallery_and_of_a_day(store: Store, gallery: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.create_person(gallery, "Ann", once=KEY)
    monkeypatch.setattr(kept, "SECONDS", -1)
    assert store.create_person(gallery, "Ann", once=OTHER).id != first.id
    assert store.create_person(gallery, "Ann", once=KEY).id != first.id
    assert store.gallery(gallery).people == 3


def test_the_same_request_at_the_same_time_is_one(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    made: list[str] = []
    enrolled: list[Enrolled] = []

    def ask() -> None:
        made.append(store.create_person(gallery, "Bo", once=KEY).id)
        second = IdempotencyKey.of("key-2", "photos")
        enrolled.append(store.add_samples(gallery, "ann", [sample(1)], NETWORK, once=second))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(enrolled) == 6
    assert len(set(made)) == 1
    assert {(each.added, each.version) for each in enrolled} == {((photo_id(1),), enrolled[0].version)}
    assert store.gallery(gallery).people == 2
    assert store.version(gallery) == 3


@pytest.mark.parametrize("key", ["", "a b", "a" * 129, "\n", "ключ", "a\x00"])
def test_an_odd_key_is_refused(key: str) -> None:
    with pytest.raises(MalformedRequest):
        IdempotencyKey.of(key, "x")


def test_parts_do_not_run_into_each_other() -> None:
    assert IdempotencyKey.of("k", "ab", "c").asked != IdempotencyKey.of("k", "a", "bc").asked
