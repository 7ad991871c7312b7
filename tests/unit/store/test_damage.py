"""Values that somebody else wrote: skipped, logged once by their key, counted, and the rest of the gallery serves."""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import redis

from facegroup.errors import StoreInvalid
from facegroup.gallery.snapshot import Snapshot
from facegroup.store import open_store
from facegroup.store.contract import Store
from facegroup.store.damage import Skipped
from facegroup.store.redis.keys import Keys
from facegroup.types import Gallery
from tests.unit.store.samples import NETWORK, D, counter, descriptor, mean_of, sample
from tests.unit.store.with_key import pytest_generate_tests  # noqa: F401 (pytest calls it)

Spoil = Callable[[str, str, bytes], None]
"""Write a value into a person's field: of "centroid", "descriptor" (of sample 1) or "record"."""


def vector(*, scale: float = 1.0, first: float | None = None, length: int = D) -> bytes:
    values = descriptor(7, length) * np.float32(scale)
    if first is not None:
        values[0] = first
    return values.astype("<f4").tobytes()


WRONG = {
    "shorter": vector(length=D - 1),
    "longer": vector(length=2 * D),
    "empty": b"",
    "not whole floats": vector()[:-1],
    "NaN": vector(first=np.nan),
    "infinite": vector(first=np.inf),
    "overflowing": vector(first=3e38),
    "not unit": vector(scale=1.5),
    "zero": bytes(4 * D),
    "text": b"hand-edited",
}


@pytest.fixture
def spoil(url: str) -> Iterator[Spoil]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as db:

            def write(who: str, what: str, value: bytes) -> None:
                if what == "descriptor":
                    person = "SELECT key FROM people WHERE id = ?"
                    statement = f"UPDATE samples SET descriptor = ? WHERE person = ({person}) AND id = ?"
                    assert db.execute(statement, (value, who, sample(1).id)).rowcount == 1
                    return
                blobs = {"centroid": "centroid", "counter-examples": "counter_rows"}
                column = blobs.get(what, "metadata")
                kept = value if what in blobs else value.decode("latin-1")
                assert db.execute(f"UPDATE people SET {column} = ? WHERE id = ?", (kept, who)).rowcount == 1

            yield write
        return
    with closing(redis.Redis.from_url(url)) as client:
        keys = Keys.of("group")

        def change(who: str, what: str, value: bytes) -> None:
            if what == "descriptor":
                field = f"{who}:{sample(1).id}"
                date = client.hget(keys.samples, field)
                assert isinstance(date, bytes)
                client.hset(keys.samples, field, date[:8] + value)
            else:
                blobs = {"centroid": keys.centroids, "counter-examples": keys.counters}
                client.hset(blobs.get(what, keys.people), who, value)

        yield change


@pytest.fixture
def group(store: Store, gallery: str) -> str:
    for who in ("ann", "bo", "cy"):
        store.create_person(gallery, who.title(), person_id=who)
        store.add_samples(gallery, who, [sample(1), sample(2)], NETWORK)
    return gallery


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_a_centroid_that_cannot_be_used_costs_its_person_only(
    store: Store, group: str, spoil: Spoil, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    spoil("bo", "centroid", value)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert store.centroids(group).ids == ("ann", "cy")
    (record,) = caplog.records
    assert "centroid" in record.getMessage()
    assert "bo" in record.getMessage()
    assert np.array2string(descriptor(7)[1:2])[1:7] not in record.getMessage()
    assert (store.gallery(group).damaged, store.galleries()[0].damaged, store.damaged()) == (1, 1, 1)
    (match,) = Snapshot.load(store, group).match(mean_of([1, 2])[None], np.zeros(1, int))
    assert match.person_id in ("ann", "cy")
    assert store.centroids(group, since=0).gone == ("bo",)
    store.add_samples(group, "bo", [sample(3)], NETWORK)  # which computes it anew
    read = store.centroids(group)
    assert read.ids == ("ann", "bo", "cy")
    assert np.allclose(read.matrix[1], mean_of([1, 2, 3]), atol=1e-6)
    assert (store.gallery(group).damaged, store.damaged()) == (0, 0)


@pytest.mark.parametrize("name", sorted(WRONG.keys() - {"empty"}))
def test_counter_examples_that_cannot_be_used_cost_their_person_only(
    store: Store, group: str, spoil: Spoil, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without them somebody else would get the name again."""
    store.add_samples(group, "bo", [counter(4)], NETWORK)
    spoil("bo", "counter-examples", WRONG[name])
    with caplog.at_level(logging.ERROR):
        read = store.centroids(group)
        assert (read.ids, read.counters) == (("ann", "cy"), {})
    (record,) = caplog.records
    assert "counter-examples" in record.getMessage()
    assert (store.gallery(group).damaged, store.damaged()) == (1, 1)
    store.add_samples(group, "bo", [counter(5)], NETWORK)  # which writes them anew
    assert len(store.centroids(group).counters["bo"]) == 2
    assert store.damaged() == 0


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_a_sample_that_cannot_be_used_is_left_out(
    store: Store, group: str, spoil: Spoil, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    spoil("bo", "descriptor", value)
    assert [one.id for one in store.samples(group, "bo")] == [sample(2).id]
    assert [one.id for one in store.samples(group, "bo")] == [sample(2).id]
    assert len(caplog.records) == 1
    assert f"bo:{sample(1).id}" in caplog.text
    store.add_samples(group, "bo", [sample(3)], NETWORK)
    read = store.centroids(group)
    assert np.allclose(read.matrix[read.ids.index("bo")], mean_of([2, 3]), atol=1e-6)
    assert store.gallery(group).damaged == 1
    store.merge_people(group, "ann", "bo")  # what is damaged is a duplicate here, and goes
    assert store.gallery(group).damaged == 0


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"7", b"[]", b'{"name": 3}', b"\xff\xfe", b"null", b'"' + b"[" * 5000],
    ids=["empty", "half", "number", "list", "other", "no UTF-8", "null", "deep"],
)
def test_a_record_that_cannot_be_read_costs_its_person_only(
    store: Store, group: str, spoil: Spoil, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    in_sqlite = type(store).__name__ == "SqliteStore"
    if in_sqlite and value == b'{"name": 3}':
        pytest.skip("is metadata like any other, there")
    spoil("bo", "record", value)
    assert [person.id for person in store.people(group)] == ["ann", "cy"]
    assert store.people(group, name="Cy")[0].id == "cy"
    # In SQLite the name stands beside what is damaged; in Redis nobody knows who it is.
    assert store.centroids(group).ids == (("ann", "bo", "cy") if in_sqlite else ("ann", "cy"))
    assert store.gallery(group).damaged == 1
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
    for ask in (
        lambda: store.person(group, "bo"),
        lambda: store.update_person(group, "bo", name="Bob"),
        lambda: store.add_samples(group, "bo", [sample(3)], NETWORK),
    ):
        if in_sqlite:
            continue
        with pytest.raises(StoreInvalid, match="bo is damaged"):
            ask()
    erased = store.delete_person(group, "bo")
    assert (erased.people, erased.samples, erased.crops) == (1, 2, 2)
    assert store.gallery(group).damaged == 0
    assert store.people(group, name="Bo") == []
    assert store.create_person(group, "Bo", person_id="bo").samples == 0
    assert store.samples(group, "bo") == []


def test_a_gallery_that_cannot_be_read_is_told_and_the_others_serve(url: str, store: Store, group: str) -> None:
    store.create_gallery(Gallery("other", NETWORK, D, 0.4))
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as db:
            db.execute("UPDATE galleries SET threshold = 'high' WHERE name = 'group'")
    else:
        with closing(redis.Redis.from_url(url)) as client:
            client.hset(Keys.of("group").gallery, "threshold", "high")
    assert [each.name for each in store.galleries()] == ["other"]
    assert store.damaged() == 1
    for ask in (store.gallery, store.centroids):
        with pytest.raises(StoreInvalid, match="damaged"):
            ask(group)
    assert store.gallery("other").people == 0


@pytest.mark.parametrize("key", sorted(set(Keys._fields) - {"born", "gallery"}))
def test_a_key_of_another_type_is_told_by_name_and_nothing_is_half_written(redis_url: str, key: str) -> None:
    with closing(open_store(redis_url)) as store, closing(redis.Redis.from_url(redis_url)) as client:
        store.create_gallery(Gallery("group", NETWORK, D, 0.4))
        store.create_person("group", "Ann", person_id="ann")
        store.add_samples("group", "ann", [sample(1)], NETWORK)
        name = getattr(Keys.of("group"), key)
        client.delete(name)
        client.set(name, "foreign")
        before = {each: client.dump(each) for each in client.scan_iter()}
        for write in (
            lambda: store.create_person("group", "Bo", person_id="bo"),
            lambda: store.update_gallery("group", threshold=0.5),
            lambda: store.delete_gallery("group"),
            lambda: store.centroids("group"),
        ):
            with pytest.raises(StoreInvalid) as caught:
                write()
            assert name in caught.value.detail
        assert {each: client.dump(each) for each in client.scan_iter()} == before
        assert store.version("group") == 2


def test_records_of_an_older_version_are_read(redis_url: str) -> None:
    with closing(open_store(redis_url)) as store, closing(redis.Redis.from_url(redis_url)) as client:
        store.create_gallery(Gallery("group", NETWORK, D, 0.4))
        store.create_person("group", "Ann", person_id="ann")
        store.add_samples("group", "ann", [sample(1)], NETWORK)
        key = Keys.of("group").people
        data = client.hget(key, "ann")
        assert isinstance(data, bytes)
        record = json.loads(data)
        del record["expires_at"]
        client.hset(key, "ann", json.dumps(record))
        assert store.person("group", "ann").expires_at is None
        assert store.update_person("group", "ann", expires_at=4e9).expires_at == 4e9
        assert store.centroids("group").ids == ("ann",)


def test_the_file_names_what_is_damaged_in_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "g.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        store.create_gallery(Gallery("group", NETWORK, D, 0.4))
        store.create_person("group", "Ann", person_id="ann")
        store.add_samples("group", "ann", [sample(1)], NETWORK)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE people SET centroid = 7, expires_at = 'soon'")
        assert store.centroids("group").ids == ()
        assert "centroid in people of gallery 1, ann" in caplog.text


def test_a_page_of_damaged_people_is_not_the_last(store: Store, group: str, spoil: Spoil) -> None:
    for number in range(6):
        store.create_person(group, "Di", person_id=f"d{number}")
    for who in ("ann", "bo", "d0", "d1", "d4"):
        spoil(who, "record", b"{")
    rows, after = [], ""
    while page := store.people(group, after, 2):
        assert len(page) == 2 or page[-1].id == "d5"
        rows += [each.id for each in page]
        after = page[-1].id
    assert rows == ["cy", "d2", "d3", "d5"]
    named = [person.id for person in store.people(group, name="Di", limit=3)]
    assert named == ["d2", "d3", "d5"]
    assert store.people(group, limit=0) == []


def test_the_damaged_are_named(store: Store, group: str, spoil: Spoil) -> None:
    assert not store.skipped(group)
    spoil("ann", "centroid", b"")
    spoil("bo", "record", b"{")
    spoil("cy", "descriptor", b"")
    store.centroids(group)
    store.people(group)
    store.samples(group, "cy")
    assert store.skipped(group) == Skipped(("bo",), (("cy", sample(1).id),))
    store.delete_person(group, "bo")
    assert store.skipped(group).people == ()
