"""Staging copies on both stores: hidden from everybody, switched in one step, and erased from like the gallery itself."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import redis

from facegroup.errors import InvalidDescriptor, InvalidName, StoreInvalid, SwitchConflict, UnknownGallery, UnknownPerson
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Store, VersionGone
from facegroup.store.data_loss import LossDetector
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.redis.keys import Keys
from facegroup.store.staging import StagingStore, copies_of, import_copy, migration_copy, previous_copy
from facegroup.types import Gallery, Person
from tests.unit.store.samples import NETWORK, D, descriptor, sample
from tests.unit.store.with_key import pytest_generate_tests  # noqa: F401 (pytest calls it)

ADA = Person("ada", "Ada 曾", {"a": [1, None]}, 2, 1.25, 2.5, 4e9)
SWITCHED = Event("switched", None, {"n": 1})


@pytest.fixture
def staged(store: Store, gallery: str) -> StagingStore:
    """A store with a gallery and its copy `next`, with Ada on it."""
    kept = cast(StagingStore, store)
    kept.create_gallery(Gallery(migration_copy(gallery), "other", D, 0.7, created_at=3.0))
    kept.put_people(migration_copy(gallery), [(ADA, [sample(1), replace(sample(2), created_at=9.0)])])
    return kept


def test_what_is_put_is_there_and_nobody_sees_it(staged: StagingStore, gallery: str) -> None:
    copy = migration_copy(gallery)
    assert staged.person(copy, "ada") == ADA
    first, second = sorted(staged.samples(copy, "ada", crops=True), key=lambda each: each.id)
    np.testing.assert_array_equal(first.descriptor, descriptor(1))
    assert (second.crop, second.created_at) == (b"jpeg 2", 9.0)
    assert [each.name for each in staged.galleries()] == [gallery]
    assert staged.gallery(gallery).people == 0
    with pytest.raises(UnknownGallery):
        staged.gallery(str(copy))
    with pytest.raises(InvalidName):
        staged.create_gallery(Gallery(str(import_copy(gallery)), NETWORK, D, 0.4))


def test_a_person_put_again_is_replaced_whole(staged: StagingStore, gallery: str) -> None:
    copy = migration_copy(gallery)
    staged.put_people(copy, [(replace(ADA, name="Lovelace"), [sample(3)])])
    assert staged.person(copy, "ada") == replace(ADA, name="Lovelace", samples=1)
    assert [each.id for each in staged.samples(copy, "ada")] == [sample(3).id]
    assert [each.id for each in staged.people(copy, name="Lovelace")] == ["ada"]
    assert not staged.people(copy, name=ADA.name)
    np.testing.assert_array_equal(staged.centroids(copy).matrix, [descriptor(3)])
    with pytest.raises(InvalidDescriptor):
        staged.put_people(copy, [(ADA, [replace(sample(4), descriptor=descriptor(4) * 2)])])
    assert staged.person(copy, "ada").name == "Lovelace"


def test_a_switch_is_one_step_and_can_be_switched_back(staged: StagingStore, gallery: str) -> None:
    staged.create_person(gallery, "Bob", person_id="bob")
    staged.add_samples(gallery, "bob", [sample(5)], NETWORK)
    before = staged.gallery(gallery)
    version = staged.switch_gallery(
        gallery, migration_copy(gallery), before.version, staged.version(migration_copy(gallery)), SWITCHED
    )
    after = staged.gallery(gallery)
    assert version == after.version > before.version
    assert (after.name, after.network, after.threshold, after.people, after.created_at) == (gallery, "other", 0.7, 1, 3)
    assert [each.id for each in staged.people(gallery)] == ["ada"]
    with pytest.raises(UnknownGallery):
        staged.gallery(migration_copy(gallery))
    with pytest.raises(VersionGone):
        staged.centroids(gallery, since=before.version)
    np.testing.assert_array_equal(staged.centroids(previous_copy(gallery)).matrix, [descriptor(5)])
    assert staged.galleries() == [after]

    staged.switch_gallery(gallery, previous_copy(gallery), version, staged.version(previous_copy(gallery)), SWITCHED)
    assert [each.id for each in staged.people(gallery)] == ["bob"]
    assert [each.id for each in staged.people(previous_copy(gallery))] == ["ada"]
    assert staged.gallery(gallery).version > version
    staged.add_samples(gallery, "bob", [sample(6)], NETWORK)
    assert len(staged.samples(gallery, "bob")) == 2


def test_a_switch_is_refused_where_anything_moved(staged: StagingStore, gallery: str) -> None:
    here, there = staged.version(gallery), staged.version(migration_copy(gallery))
    for expected, made in ((here + 1, there), (here, there + 1), (None, there)):
        with pytest.raises(SwitchConflict):
            staged.switch_gallery(gallery, migration_copy(gallery), expected, made, SWITCHED)
    with pytest.raises(SwitchConflict):
        staged.switch_gallery(gallery, import_copy(gallery), here, 0, SWITCHED)
    assert staged.gallery(gallery).network == NETWORK
    assert staged.gallery(migration_copy(gallery)).people == 1


def test_a_staging_copy_becomes_a_gallery_that_was_not_there(staged: StagingStore, gallery: str) -> None:
    staged.create_gallery(Gallery(import_copy("new"), NETWORK, D, 0.4))
    staged.put_people(import_copy("new"), [(ADA, [sample(1)])])
    staged.switch_gallery("new", import_copy("new"), None, staged.version(import_copy("new")), SWITCHED)
    assert [each.name for each in staged.galleries()] == sorted([gallery, "new"])
    assert staged.gallery("new").people == 1


def test_who_is_erased_is_erased_from_the_copies(staged: StagingStore, gallery: str) -> None:
    staged.create_person(gallery, "Ada", person_id="ada")
    staged.add_samples(gallery, "ada", [sample(1)], NETWORK)
    staged.delete_sample(gallery, "ada", sample(1).id)
    assert [each.id for each in staged.samples(migration_copy(gallery), "ada")] == [sample(2).id]
    np.testing.assert_array_equal(staged.centroids(migration_copy(gallery)).matrix, [descriptor(2)])
    staged.update_gallery(gallery, keep_crops=False)
    assert [each.crop for each in staged.samples(migration_copy(gallery), "ada", crops=True)] == [None]
    staged.delete_person(gallery, "ada")
    with pytest.raises(UnknownPerson):
        staged.person(migration_copy(gallery), "ada")
    staged.delete_gallery(gallery)
    for copy in copies_of(gallery):
        with pytest.raises(UnknownGallery):
            staged.gallery(copy)


def test_an_erasure_that_finds_nobody_still_clears_the_copies(staged: StagingStore, gallery: str) -> None:
    with pytest.raises(UnknownPerson):
        staged.delete_person(gallery, "ada")
    with pytest.raises(UnknownPerson):
        staged.person(migration_copy(gallery), "ada")


def test_who_expires_does_so_on_the_copies_and_after_a_switch(staged: StagingStore, gallery: str) -> None:
    copy = migration_copy(gallery)
    staged.create_person(gallery, "Ada", person_id="ada")
    staged.put_people(copy, [(Person("eve", "Eve", expires_at=3.5), []), (Person("bob", "Bob", expires_at=7.5), [])])
    staged.erase_expired(gallery)
    assert [each.id for each in staged.people(copy)] == ["ada"]
    staged.put_people(copy, [(Person("eve", "Eve", expires_at=3.5), []), (Person("bob", "Bob", expires_at=7.5), [])])
    staged.put_people(copy, [(Person("bob", "Bob"), [])])
    staged.switch_gallery(gallery, copy, staged.version(gallery), staged.version(copy), SWITCHED)
    assert staged.person(gallery, "ada").expires_at == 4e9
    assert staged.erase_expired(gallery).people == 1
    assert [each.id for each in staged.people(gallery)] == ["ada", "bob"]
    assert [each.id for each in staged.people(previous_copy(gallery))] == ["ada"]
    staged.update_person(gallery, "ada", expires_at=1.0)
    staged.erase_expired(gallery)
    assert not staged.people(previous_copy(gallery))


def test_who_is_merged_is_merged_on_the_copies(staged: StagingStore, gallery: str) -> None:
    copy = migration_copy(gallery)
    for key, number in (("ada", 1), ("bob", 5), ("eve", 6)):
        staged.create_person(gallery, key, person_id=key)
        staged.add_samples(gallery, key, [sample(number)], NETWORK)
    staged.put_people(copy, [(Person("bob", "Bob"), [sample(5)])])
    staged.merge_people(gallery, "ada", "bob")
    assert [each.id for each in staged.people(copy)] == ["ada"]
    assert sample(5).id in {each.id for each in staged.samples(copy, "ada")}
    staged.merge_people(gallery, "eve", "ada")
    assert not staged.people(copy)


def test_a_damaged_person_is_gone_from_the_copies_after_a_merger(staged: StagingStore, gallery: str, url: str) -> None:
    copy = migration_copy(gallery)
    for name in ("ada", "bob"):
        staged.create_person(gallery, name, person_id=name)
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as db:
            where = "id = 'ada' AND gallery = (SELECT key FROM galleries WHERE name = ?)"
            assert db.execute(f"UPDATE people SET metadata = '{{' WHERE {where}", (copy,)).rowcount == 1
    else:
        with closing(redis.Redis.from_url(url)) as client:
            assert client.hset(Keys.of(copy).people, "ada", b"{") == 0
    with pytest.raises(StoreInvalid):
        staged.person(copy, "ada")
    staged.merge_people(gallery, "bob", "ada")
    with pytest.raises(UnknownPerson):
        staged.person(copy, "ada")


def test_a_switch_keeps_the_log_and_the_keys_of_requests_and_copies_have_none(
    staged: StagingStore, gallery: str
) -> None:
    once = IdempotencyKey("key", "body")
    staged.create_person(gallery, "Bob", person_id="bob", once=once)
    copy = migration_copy(gallery)
    staged.put_people(copy, [(Person("bob", "Bob"), [])])
    staged.update_gallery(copy, threshold=0.6)
    staged.switch_gallery(gallery, copy, staged.version(gallery), staged.version(copy), SWITCHED, by=Origin("me"))
    log = staged.audit(gallery)
    assert [each.event.what for each in log] == ["created", "created", "switched"]
    assert (log[-1].event, log[-1].origin.actor) == (SWITCHED, "me")
    assert staged.create_person(gallery, "Bob", once=once).id == "bob"
    assert staged.gallery(gallery).people == 2
    staged.delete_gallery(previous_copy(gallery))
    assert len(staged.audit(gallery)) == 3
    assert not any(staged.audit(each) for each in copies_of(gallery))


def test_a_switch_is_no_loss(staged: StagingStore, gallery: str) -> None:
    losses = LossDetector(staged)
    losses.patrol()
    known = losses.look(gallery)
    for copy in (migration_copy(gallery), previous_copy(gallery), previous_copy(gallery)):
        staged.switch_gallery(gallery, copy, staged.version(gallery), staged.version(copy), SWITCHED)
        now = losses.look(gallery)
        assert now.version == now.born > (known.version or 0)
        known = now
    losses.patrol()
    assert not losses.lost
