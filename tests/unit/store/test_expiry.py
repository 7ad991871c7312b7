"""Expiry and mergers: nobody is named for longer than was said, and nobody is half merged."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from facegroup.errors import MalformedRequest, UnknownPerson
from facegroup.gallery.snapshot import Snapshot
from facegroup.store.contract import Store
from facegroup.store.expiry import sweep
from facegroup.types import NOT_IN_DATASET
from tests.unit.store.samples import NETWORK, descriptor, mean_of, photo_id, sample


def enrolled(store: Store, gallery: str, who: str, *numbers: int, expires_at: float | None = None) -> None:
    store.create_person(gallery, who.title(), person_id=who, expires_at=expires_at)
    store.add_samples(gallery, who, [sample(number) for number in numbers], NETWORK)


def named(snapshot: Snapshot, number: int) -> str:
    (match,) = snapshot.match(descriptor(number)[None], np.zeros(1, int), threshold=0.99)
    return match.name


def test_one_whose_time_is_over_is_not_named_though_nothing_was_written(store: Store, gallery: str) -> None:
    enrolled(store, gallery, "ann", 1, expires_at=time.time() + 2.5)
    enrolled(store, gallery, "bo", 2)
    snapshot = Snapshot.load(store, gallery)
    at = snapshot.expires["ann"]
    assert list(snapshot.expires) == ["ann"]
    assert snapshot.living(at - 1e-3).ids == ("ann", "bo")
    assert snapshot.living(at).ids == ("bo",)
    assert snapshot.living(at).living(at).expires == {}
    assert named(snapshot, 1) == "Ann"
    while time.time() < at:
        time.sleep(0.01)
    assert named(snapshot, 1) == NOT_IN_DATASET
    (match,) = snapshot.match(descriptor(1)[None], np.zeros(1, int), candidates=5)
    assert [each.person_id for each in match.candidates] == ["bo"]
    assert match.margin is None
    for ask in (snapshot.name_of, lambda who: snapshot.similarity_to(who, descriptor(1)[None])):
        with pytest.raises(UnknownPerson):
            ask("ann")
    assert named(snapshot, 2) == "Bo"


def test_a_gallery_of_none_but_the_expired_names_nobody(store: Store, gallery: str) -> None:
    enrolled(store, gallery, "ann", 1, expires_at=1)
    (match,) = Snapshot.load(store, gallery).match(descriptor(1)[None], np.zeros(1, int))
    assert (match.person_id, match.candidates, match.similarity) == (None, (), -1.0)


def test_expiry_can_be_put_off_and_lifted(store: Store, gallery: str) -> None:
    enrolled(store, gallery, "ann", 1, expires_at=1)
    snapshot = Snapshot.load(store, gallery)
    assert store.update_person(gallery, "ann", expires_at=4e9).expires_at == 4e9
    snapshot = snapshot.caught_up(store)
    assert named(snapshot, 1) == "Ann"
    assert store.update_person(gallery, "ann", name="Ann").expires_at == 4e9
    assert store.update_person(gallery, "ann", expires_at=math.inf).expires_at is None
    assert snapshot.caught_up(store).expires == {}
    assert store.erase_expired(gallery).people == 0
    for wrong in (math.nan, -1.0, -math.inf, 1.8e12):
        with pytest.raises(MalformedRequest):
            store.update_person(gallery, "ann", expires_at=wrong)


def test_the_sweep_erases_exactly_those(store: Store, gallery: str) -> None:
    enrolled(store, gallery, "ann", 1, 2, expires_at=time.time() - 1)
    enrolled(store, gallery, "bo", 2, expires_at=time.time() + 1000)
    enrolled(store, gallery, "cy", 3)
    assert sweep(store) == 1
    assert [person.id for person in store.people(gallery)] == ["bo", "cy"]
    assert sweep(store) == 0
    assert [(e.event.person_id, e.origin.actor) for e in store.audit(gallery) if e.event.what == "expired"] == [
        ("ann", "sweep")
    ]
    assert store.centroids(gallery, since=6).gone == ("ann",)


def test_merging_moves_all_and_drops_what_both_have(store: Store, gallery: str) -> None:
    enrolled(store, gallery, "ann", 1, 2)
    enrolled(store, gallery, "bo", 2, 3, 4, expires_at=4e9)
    done = store.merge_people(gallery, "ann", "bo")
    assert (done.moved, done.duplicates, done.version) == (2, 1, 5)
    assert done.person == store.person(gallery, "ann")
    assert (done.person.name, done.person.samples, done.person.expires_at) == ("Ann", 4, None)
    kept = store.samples(gallery, "ann", crops=True)
    assert {one.id: one.crop for one in kept} == {photo_id(number): b"jpeg %d" % number for number in (1, 2, 3, 4)}
    read = store.centroids(gallery, since=4)
    assert (read.ids, read.gone) == (("ann",), ("bo",))
    assert_allclose(read.matrix[0], mean_of([1, 2, 3, 4]), atol=1e-6)
    assert store.people(gallery, name="Bo") == []
    assert store.create_person(gallery, "Bo", person_id="bo").samples == 0
    with pytest.raises(UnknownPerson):
        store.merge_people(gallery, "ann", "nobody")
    with pytest.raises(MalformedRequest):
        store.merge_people(gallery, "ann", "ann")
    assert store.merge_people(gallery, "bo", "ann").person.samples == 4


def test_a_later_enrolment_knows_what_was_merged(store: Store, gallery: str) -> None:
    enrolled(store, gallery, "ann", 1)
    enrolled(store, gallery, "bo", 2)
    store.merge_people(gallery, "ann", "bo")
    again = store.add_samples(gallery, "ann", [sample(2), replace(sample(5))], NETWORK)
    assert (again.added, again.duplicates) == ((photo_id(5),), (photo_id(2),))
    assert_allclose(store.centroids(gallery).matrix[0], mean_of([1, 2, 5]), atol=1e-6)
