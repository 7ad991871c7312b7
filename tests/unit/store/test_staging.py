"""Shelves on both stores: hidden from everybody, switched in one step, and erased from like the gallery itself."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from facegroup.errors import InvalidDescriptor, InvalidName, SwitchConflict, UnknownGallery, UnknownPerson
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Store, VersionGone
from facegroup.store.data_loss import LossDetector
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.staging import ShelfStore, beside, coming, importing, previous
from facegroup.types import Gallery, Person
from tests.unit.store.samples import NETWORK, D, descriptor, sample

ADA = Person("ada", "Ada 曾", {"a": [1, None]}, 2, 1.25, 2.5, 4e9)
SWITCHED = Event("switched", None, {"n": 1})


@pytest.fixture
def shelves(store: Store, gallery: str) -> ShelfStore:
    """A store with a gallery and its shelf `next`, with Ada on it."""
    kept = cast(ShelfStore, store)
    kept.create_gallery(Gallery(coming(gallery), "other", D, 0.7, created_at=3.0))
    kept.put_people(coming(gallery), [(ADA, [sample(1), replace(sample(2), created_at=9.0)])])
    return kept


def test_what_is_put_is_there_and_nobody_sees_it(shelves: ShelfStore, gallery: str) -> None:
    shelf = coming(gallery)
    assert shelves.person(shelf, "ada") == ADA
    first, second = sorted(shelves.samples(shelf, "ada", crops=True), key=lambda each: each.id)
    np.testing.assert_array_equal(first.descriptor, descriptor(1))
    assert (second.crop, second.created_at) == (b"jpeg 2", 9.0)
    assert [each.name for each in shelves.galleries()] == [gallery]
    assert shelves.gallery(gallery).people == 0
    with pytest.raises(UnknownGallery):
        shelves.gallery(str(shelf))
    with pytest.raises(InvalidName):
        shelves.create_gallery(Gallery(str(importing(gallery)), NETWORK, D, 0.4))


def test_a_person_put_again_is_replaced_whole(shelves: ShelfStore, gallery: str) -> None:
    shelf = coming(gallery)
    shelves.put_people(shelf, [(replace(ADA, name="Lovelace"), [sample(3)])])
    assert shelves.person(shelf, "ada") == replace(ADA, name="Lovelace", samples=1)
    assert [each.id for each in shelves.samples(shelf, "ada")] == [sample(3).id]
    assert [each.id for each in shelves.people(shelf, name="Lovelace")] == ["ada"]
    assert not shelves.people(shelf, name=ADA.name)
    np.testing.assert_array_equal(shelves.centroids(shelf).matrix, [descriptor(3)])
    with pytest.raises(InvalidDescriptor):
        shelves.put_people(shelf, [(ADA, [replace(sample(4), descriptor=descriptor(4) * 2)])])
    assert shelves.person(shelf, "ada").name == "Lovelace"


def test_a_switch_is_one_step_and_can_be_switched_back(shelves: ShelfStore, gallery: str) -> None:
    shelves.create_person(gallery, "Bob", person_id="bob")
    shelves.add_samples(gallery, "bob", [sample(5)], NETWORK)
    before = shelves.gallery(gallery)
    version = shelves.switch_gallery(
        gallery, coming(gallery), before.version, shelves.version(coming(gallery)), SWITCHED
    )
    after = shelves.gallery(gallery)
    assert version == after.version > before.version
    assert (after.name, after.network, after.threshold, after.people, after.created_at) == (gallery, "other", 0.7, 1, 3)
    assert [each.id for each in shelves.people(gallery)] == ["ada"]
    with pytest.raises(UnknownGallery):
        shelves.gallery(coming(gallery))
    with pytest.raises(VersionGone):
        shelves.centroids(gallery, since=before.version)
    np.testing.assert_array_equal(shelves.centroids(previous(gallery)).matrix, [descriptor(5)])
    assert shelves.galleries() == [after]

    shelves.switch_gallery(gallery, previous(gallery), version, shelves.version(previous(gallery)), SWITCHED)
    assert [each.id for each in shelves.people(gallery)] == ["bob"]
    assert [each.id for each in shelves.people(previous(gallery))] == ["ada"]
    assert shelves.gallery(gallery).version > version
    shelves.add_samples(gallery, "bob", [sample(6)], NETWORK)
    assert len(shelves.samples(gallery, "bob")) == 2


def test_a_switch_is_refused_where_anything_moved(shelves: ShelfStore, gallery: str) -> None:
    here, there = shelves.version(gallery), shelves.version(coming(gallery))
    for expected, made in ((here + 1, there), (here, there + 1), (None, there)):
        with pytest.raises(SwitchConflict):
            shelves.switch_gallery(gallery, coming(gallery), expected, made, SWITCHED)
    with pytest.raises(SwitchConflict):
        shelves.switch_gallery(gallery, importing(gallery), here, 0, SWITCHED)
    assert shelves.gallery(gallery).network == NETWORK
    assert shelves.gallery(coming(gallery)).people == 1


def test_a_shelf_becomes_a_gallery_that_was_not_there(shelves: ShelfStore, gallery: str) -> None:
    shelves.create_gallery(Gallery(importing("new"), NETWORK, D, 0.4))
    shelves.put_people(importing("new"), [(ADA, [sample(1)])])
    shelves.switch_gallery("new", importing("new"), None, shelves.version(importing("new")), SWITCHED)
    assert [each.name for each in shelves.galleries()] == sorted([gallery, "new"])
    assert shelves.gallery("new").people == 1


def test_who_is_erased_is_erased_from_the_shelves(shelves: ShelfStore, gallery: str) -> None:
    shelves.create_person(gallery, "Ada", person_id="ada")
    shelves.add_samples(gallery, "ada", [sample(1)], NETWORK)
    shelves.delete_sample(gallery, "ada", sample(1).id)
    assert [each.id for each in shelves.samples(coming(gallery), "ada")] == [sample(2).id]
    np.testing.assert_array_equal(shelves.centroids(coming(gallery)).matrix, [descriptor(2)])
    shelves.update_gallery(gallery, keep_crops=False)
    assert [each.crop for each in shelves.samples(coming(gallery), "ada", crops=True)] == [None]
    shelves.delete_person(gallery, "ada")
    with pytest.raises(UnknownPerson):
        shelves.person(coming(gallery), "ada")
    shelves.delete_gallery(gallery)
    for shelf in beside(gallery):
        with pytest.raises(UnknownGallery):
            shelves.gallery(shelf)


def test_an_erasure_that_finds_nobody_still_clears_the_shelves(shelves: ShelfStore, gallery: str) -> None:
    with pytest.raises(UnknownPerson):
        shelves.delete_person(gallery, "ada")
    with pytest.raises(UnknownPerson):
        shelves.person(coming(gallery), "ada")


def test_who_expires_does_so_on_the_shelves_and_after_a_switch(shelves: ShelfStore, gallery: str) -> None:
    shelf = coming(gallery)
    shelves.create_person(gallery, "Ada", person_id="ada")
    shelves.put_people(shelf, [(Person("eve", "Eve", expires_at=3.5), []), (Person("bob", "Bob", expires_at=7.5), [])])
    shelves.erase_expired(gallery)
    assert [each.id for each in shelves.people(shelf)] == ["ada"]
    shelves.put_people(shelf, [(Person("eve", "Eve", expires_at=3.5), []), (Person("bob", "Bob", expires_at=7.5), [])])
    shelves.put_people(shelf, [(Person("bob", "Bob"), [])])
    shelves.switch_gallery(gallery, shelf, shelves.version(gallery), shelves.version(shelf), SWITCHED)
    assert shelves.person(gallery, "ada").expires_at == 4e9
    assert shelves.erase_expired(gallery).people == 1
    assert [each.id for each in shelves.people(gallery)] == ["ada", "bob"]
    assert [each.id for each in shelves.people(previous(gallery))] == ["ada"]
    shelves.update_person(gallery, "ada", expires_at=1.0)
    shelves.erase_expired(gallery)
    assert not shelves.people(previous(gallery))


def test_who_is_merged_is_merged_on_the_shelves(shelves: ShelfStore, gallery: str) -> None:
    shelf = coming(gallery)
    for key, number in (("ada", 1), ("bob", 5), ("eve", 6)):
        shelves.create_person(gallery, key, person_id=key)
        shelves.add_samples(gallery, key, [sample(number)], NETWORK)
    shelves.put_people(shelf, [(Person("bob", "Bob"), [sample(5)])])
    shelves.merge_people(gallery, "ada", "bob")
    assert [each.id for each in shelves.people(shelf)] == ["ada"]
    assert sample(5).id in {each.id for each in shelves.samples(shelf, "ada")}
    shelves.merge_people(gallery, "eve", "ada")
    assert not shelves.people(shelf)


def test_a_switch_keeps_the_log_and_the_keys_of_requests_and_shelves_have_none(
    shelves: ShelfStore, gallery: str
) -> None:
    once = IdempotencyKey("key", "body")
    shelves.create_person(gallery, "Bob", person_id="bob", once=once)
    shelf = coming(gallery)
    shelves.put_people(shelf, [(Person("bob", "Bob"), [])])
    shelves.update_gallery(shelf, threshold=0.6)
    shelves.switch_gallery(gallery, shelf, shelves.version(gallery), shelves.version(shelf), SWITCHED, by=Origin("me"))
    log = shelves.audit(gallery)
    assert [each.event.what for each in log] == ["created", "created", "switched"]
    assert (log[-1].event, log[-1].origin.actor) == (SWITCHED, "me")
    assert shelves.create_person(gallery, "Bob", once=once).id == "bob"
    assert shelves.gallery(gallery).people == 2
    shelves.delete_gallery(previous(gallery))
    assert len(shelves.audit(gallery)) == 3
    assert not any(shelves.audit(each) for each in beside(gallery))


def test_a_switch_is_no_loss(shelves: ShelfStore, gallery: str) -> None:
    ledger = LossDetector(shelves)
    ledger.patrol()
    known = ledger.look(gallery)
    for shelf in (coming(gallery), previous(gallery), previous(gallery)):
        shelves.switch_gallery(gallery, shelf, shelves.version(gallery), shelves.version(shelf), SWITCHED)
        now = ledger.look(gallery)
        assert now.version == now.born > (known.version or 0)
        known = now
    ledger.patrol()
    assert not ledger.lost
