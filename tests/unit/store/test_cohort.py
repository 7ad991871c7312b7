"""The cohort of a gallery: strangers as descriptors, added, read and erased in every store."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import redis

from facegroup.errors import (
    IdempotencyConflict,
    InvalidDescriptor,
    MalformedRequest,
    NetworkMismatch,
    UnknownGallery,
)
from facegroup.store import open_store
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.redis.keys import Keys
from facegroup.store.staging import StagingStore, import_copy, previous_copy
from facegroup.types import Gallery
from tests.unit.store.samples import NETWORK, D, descriptor, photo_id, sample, strangers
from tests.unit.store.test_contract import WRONG

KEY = IdempotencyKey.of("key-1", "a cohort")


def ids(*numbers: int) -> tuple[str, ...]:
    return tuple(photo_id(number) for number in numbers)


def test_a_cohort_is_empty_at_first(store: Store, gallery: str) -> None:
    found = store.cohort(gallery)
    assert (found.version, found.network, found.ids, found.matrix.shape) == (0, NETWORK, (), (0, D))
    assert store.gallery(gallery).cohort_size == store.centroids(gallery).cohort_version == 0
    assert store.erase_cohort(gallery).cohort == 0
    assert store.version(gallery) == 0


def test_members_are_added_once_and_come_back_as_they_went_in(store: Store, gallery: str) -> None:
    one, two, three = strangers(3, 1, 2)
    two = replace(two, source="unknown", detector="yunet", created_at=1000.5)
    done = store.add_cohort(gallery, [one, two, one], NETWORK)
    assert (done.added, done.duplicates, done.size, done.version) == (ids(3, 1), ids(3), 2, 1)
    again = store.add_cohort(gallery, [two, three], NETWORK)
    assert (again.added, again.duplicates, again.size, again.version) == (ids(2), ids(1), 3, 2)
    nothing = store.add_cohort(gallery, [one, two], NETWORK)
    assert (nothing.added, nothing.duplicates, nothing.size, nothing.version) == ((), ids(3, 1), 3, 2)
    assert store.add_cohort(gallery, [], NETWORK).version == 2
    found = store.cohort(gallery)
    assert (found.version, found.ids, found.sources) == (2, ids(1, 2, 3), ("unknown", "given", "given"))
    assert found.detectors == ("yunet", "", "")
    assert found.dates[0] == 1000.5
    assert (found.dates[1:] > 1.7e9).all()
    assert found.matrix.dtype == np.float32
    np.testing.assert_array_equal(found.matrix, [descriptor(number) for number in (1, 2, 3)])
    kept = {each.id: each for each in found.members()}
    assert (kept[two.id].source, kept[two.id].detector, kept[two.id].created_at) == ("unknown", "yunet", 1000.5)
    about = store.gallery(gallery)
    assert (about.cohort_size, about.cohort_version, about.people) == (3, 2, 0)
    assert store.galleries() == [about]


def test_a_reader_is_told_that_the_cohort_changed(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    assert store.centroids(gallery, since=0).cohort_version == 0
    store.add_cohort(gallery, strangers(1, 2), NETWORK)
    read = store.centroids(gallery, since=1)
    assert (read.version, read.cohort_version, read.ids, read.gone) == (2, 2, (), ())
    store.add_samples(gallery, "ann", [sample(1)], NETWORK)
    assert store.centroids(gallery, since=2).cohort_version == 2
    assert [each.cohort_version for each in store.centroid_pages(gallery)] == [2]
    store.erase_cohort(gallery, ids(1))
    assert store.centroids(gallery).cohort_version == store.cohort(gallery).version == 4


def test_members_are_erased_one_by_one_or_all(store: Store, gallery: str) -> None:
    store.add_cohort(gallery, strangers(1, 2, 3, 4), NETWORK)
    erased = store.erase_cohort(gallery, [*ids(2, 9), "%", "\udc80", "", *ids(2)])
    assert (erased.cohort, erased.people, erased.samples, erased.version) == (1, 0, 0, 2)
    assert store.cohort(gallery).ids == ids(1, 3, 4)
    assert (store.erase_cohort(gallery, ids(2)).version, store.erase_cohort(gallery, []).version) == (2, 2)
    assert store.erase_cohort(gallery).cohort == 3
    assert store.cohort(gallery).ids == ()
    assert (store.gallery(gallery).cohort_size, store.version(gallery)) == (0, 3)
    store.add_cohort(gallery, strangers(5, 6), NETWORK)
    erased = store.delete_gallery(gallery)
    assert (erased.cohort, erased.people, erased.samples) == (2, 0, 0)
    made = store.create_gallery(Gallery(gallery, NETWORK, D, 0.4))
    assert (made.cohort_size, made.cohort_version, store.cohort(gallery).ids) == (0, 0, ())


def test_the_cohort_is_in_the_audit_log_without_its_ids(store: Store, gallery: str) -> None:
    by = Origin("http 127.0.0.1", "r-1")
    store.add_cohort(gallery, strangers(1, 2, 1), NETWORK, by=by)
    store.add_cohort(gallery, strangers(1), NETWORK, by=by)
    store.erase_cohort(gallery, ids(1, 7), by=by)
    store.erase_cohort(gallery, ids(7), by=by)
    _, *entries = store.audit(gallery)
    assert [(each.event, each.origin) for each in entries] == [
        (Event("cohort_added", None, {"cohort": 2, "duplicates": 1}), by),
        (Event("cohort_erased", None, {"cohort": 1}), by),
    ]


@pytest.mark.parametrize("vector", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_descriptor_is_refused_and_nothing_of_its_company_stays(
    store: Store, gallery: str, vector: Any
) -> None:
    one, two = strangers(1, 2)
    with pytest.raises(InvalidDescriptor):
        store.add_cohort(gallery, [one, replace(two, descriptor=vector)], NETWORK)
    assert (store.cohort(gallery).ids, store.version(gallery)) == ((), 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "ann"},
        {"id": photo_id(10).upper()},
        {"id": 7},
        {"source": "camera"},
        {"source": None},
        {"source": []},
        {"detector": "a\0b"},
        {"detector": None},
    ],
)
def test_a_wrong_member_is_refused(store: Store, gallery: str, wrong: dict[str, Any]) -> None:
    one, two = strangers(1, 2)
    with pytest.raises(MalformedRequest):
        store.add_cohort(gallery, [one, replace(two, **wrong)], NETWORK)
    assert (store.cohort(gallery).ids, store.version(gallery)) == ((), 0)


def test_another_networks_members_and_other_galleries_are_refused(store: Store, gallery: str) -> None:
    with pytest.raises(NetworkMismatch):
        store.add_cohort(gallery, strangers(1), "another")
    for ask in (store.cohort, store.erase_cohort, lambda name: store.add_cohort(name, strangers(1), NETWORK)):
        for name in ("nobody's", "", "a/b", "\ud800"):
            with pytest.raises(UnknownGallery):
                cast(Callable[[str], Any], ask)(name)
    store.create_gallery(Gallery("other", NETWORK, D, 0.4))
    store.add_cohort("other", strangers(1), NETWORK)
    assert (store.cohort(gallery).ids, store.cohort("other").ids) == ((), ids(1))


def test_an_addition_sent_again_is_done_once(store: Store, gallery: str) -> None:
    store.add_cohort(gallery, strangers(2), NETWORK)
    first = store.add_cohort(gallery, strangers(1, 2, 3), NETWORK, once=KEY)
    assert (first.added, first.duplicates, first.version) == (ids(1, 3), ids(2), 2)
    store.erase_cohort(gallery, ids(3))
    again = store.add_cohort(gallery, strangers(1, 2, 3), NETWORK, once=KEY)
    assert again == replace(first, size=2)
    assert store.cohort(gallery).ids == ids(1, 2)
    with pytest.raises(IdempotencyConflict):
        store.add_cohort(gallery, strangers(4), NETWORK, once=IdempotencyKey.of("key-1", "another"))
    nothing = IdempotencyKey.of("key-2", "a cohort")
    assert store.add_cohort(gallery, strangers(1), NETWORK, once=nothing).added == ()
    store.erase_cohort(gallery)
    again = store.add_cohort(gallery, strangers(1), NETWORK, once=nothing)
    assert (again.added, again.duplicates, store.cohort(gallery).ids) == ((), ids(1), ())
    with pytest.raises(IdempotencyConflict):
        store.create_person(gallery, "Ann", once=IdempotencyKey.of("key-1", "a person"))


def test_many_who_add_and_erase_at_once_lose_nothing(url: str, store: Store, gallery: str) -> None:
    def work(first: int) -> None:
        own = open_store(url)
        for number in range(first, first + 10):
            own.add_cohort(gallery, strangers(number, 1000), NETWORK)
        own.erase_cohort(gallery, ids(first))
        own.close()

    threads = [threading.Thread(target=work, args=(number * 100,)) for number in range(1, 5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert store.cohort(gallery).ids == ids(*sorted([1000] + [100 * k + n for k in range(1, 5) for n in range(1, 10)]))
    added = [each.event.detail["cohort"] for each in store.audit(gallery) if each.event.what == "cohort_added"]
    assert (sum(added), store.version(gallery)) == (41, 40 + 4)


def spoil(url: str, number: int, **values: Any) -> None:
    """Write other values into the row of a member."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as db:
            for column, value in values.items():
                db.execute(f"UPDATE cohort SET {column} = ? WHERE id = ?", (value, photo_id(number)))
        return
    with closing(redis.Redis.from_url(url)) as client:
        client.hset(Keys.of("group").cohort, photo_id(number), values["descriptor"])


@pytest.mark.parametrize(
    "values",
    [
        *(
            {"descriptor": value}
            for value in (b"", b"x", bytes(4 * D), descriptor(1, D - 1).tobytes(), b"given\0\0" * 9)
        ),
        {"descriptor": b"given\0\0" + bytes(8) + (2 * descriptor(1)).tobytes()},
        {"descriptor": b"camera\0\0" + bytes(8) + descriptor(1).tobytes(), "source": "camera"},
        {"descriptor": b"given\0\0" + b"\xff" * 8 + descriptor(1).tobytes(), "created_at": float("inf")},
        {"descriptor": b"given\0" + descriptor(1).tobytes()[:-8], "detector": b"\xff"},
    ],
)
def test_a_damaged_member_is_skipped_told_and_erased(
    url: str, store: Store, gallery: str, values: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    store.add_cohort(gallery, strangers(1, 2, 3), NETWORK)
    spoil(url, 2, **values)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert store.cohort(gallery).ids == ids(1, 3)
    (record,) = caplog.records
    assert "cohort" in record.getMessage()
    assert photo_id(2) in record.getMessage()
    assert (store.gallery(gallery).damaged, store.damaged()) == (1, 1)
    told = store.skipped(gallery)
    assert (told.people, told.samples, told.cohort) == ((), (), ids(2))
    assert store.centroids(gallery).ids == ()
    assert store.erase_cohort(gallery, ids(2)).cohort == 1
    assert (store.damaged(), store.skipped(gallery).cohort) == (0, ())
    assert store.add_cohort(gallery, strangers(2), NETWORK).added == ids(2)
    np.testing.assert_array_equal(store.cohort(gallery).matrix[1], descriptor(2))


def test_what_is_erased_is_gone_from_the_bytes_and_from_the_copies(url: str, store: Store, gallery: str) -> None:
    staged = cast(StagingStore, store)
    for copy in (import_copy(gallery), previous_copy(gallery)):
        staged.create_gallery(Gallery(copy, NETWORK, D, 0.4))
    for name in (gallery, import_copy(gallery), previous_copy(gallery)):
        staged.add_cohort(name, strangers(1, 2, 3), NETWORK)
    store.erase_cohort(gallery, ids(1))
    assert store.cohort(import_copy(gallery)).ids == store.cohort(previous_copy(gallery)).ids == ids(2, 3)
    assert (descriptor(1).tobytes() in raw(url), descriptor(2).tobytes() in raw(url)) == (False, True)
    store.erase_cohort(gallery)
    assert store.cohort(import_copy(gallery)).ids == store.cohort(previous_copy(gallery)).ids == ()
    assert descriptor(2).tobytes() not in raw(url)
    staged.add_cohort(import_copy(gallery), strangers(4), NETWORK)
    staged.add_cohort(gallery, strangers(5), NETWORK)
    store.delete_gallery(gallery)
    with pytest.raises(UnknownGallery):
        store.cohort(import_copy(gallery))
    assert descriptor(4).tobytes() not in raw(url)
    assert descriptor(5).tobytes() not in raw(url)


def raw(url: str) -> bytes:
    from tests.unit.store.test_erasure import raw

    return raw(url)


def test_what_an_older_facegroup_left_of_an_erased_gallery_is_not_a_cohort(redis_url: str) -> None:
    with closing(open_store(redis_url)) as store, closing(redis.Redis.from_url(redis_url)) as client:
        store.create_gallery(Gallery("group", NETWORK, D, 0.4))
        store.add_cohort("group", strangers(1, 2), NETWORK)
        client.hdel(Keys.of("group").gallery, "cohort_version")  # as it makes a gallery of the name anew
        assert (store.cohort("group").ids, store.gallery("group").cohort_size) == ((), 0)
        assert store.erase_cohort("group").cohort == 0
        done = store.add_cohort("group", strangers(2, 3), NETWORK)
        assert (done.added, done.size, store.cohort("group").ids) == (ids(2, 3), 2, ids(2, 3))


def test_a_switch_takes_the_cohort_along_and_readers_read_it_again(store: Store, gallery: str) -> None:
    staged = cast(StagingStore, store)
    store.add_cohort(gallery, strangers(1, 2), NETWORK)
    copy = import_copy(gallery)
    staged.create_gallery(Gallery(copy, NETWORK, D, 0.4))
    staged.add_cohort(copy, strangers(3), NETWORK)
    assert store.cohort(gallery).version == store.cohort(copy).version == 1
    version = staged.switch_gallery(gallery, copy, 1, 1, Event("imported"))
    found = store.cohort(gallery)
    assert (found.ids, found.version, store.centroids(gallery).cohort_version) == (ids(3), version, version)
    assert store.cohort(previous_copy(gallery)).ids == ids(1, 2)
    assert store.gallery(gallery).cohort_size == 1
    accepted = store.accept(gallery, version + 7).version
    assert store.centroids(gallery).cohort_version == store.cohort(gallery).version == accepted
