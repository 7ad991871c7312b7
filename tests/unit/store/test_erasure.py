"""What is erased is gone from the bytes of the database, and its size is told; nothing biometric is ever logged."""

import base64
import logging
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from facegroup.store import open_store
from facegroup.store.contract import Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.types import Floats, Gallery, Sample
from tests.unit.store.samples import NETWORK, descriptor, photo_id

D = 2048


def sample(number: int) -> Sample:
    return Sample(photo_id(number), descriptor(number, D), b"\xff\xd8\xffjpeg of %d" % number * 400)


def as_counter(number: int) -> Sample:
    return replace(sample(number), counter=True)


@pytest.fixture
def group(store: Store) -> str:
    store.create_gallery(Gallery("group", NETWORK, D, 0.4))
    for who, numbers in {"ann": (1, 2, 3), "bo": (4, 5)}.items():
        store.create_person("group", f"{who} Secret", {"note": "Secret"}, who)
        store.add_samples(
            "group", who, [sample(number) for number in numbers], NETWORK, once=IdempotencyKey.of(who, who)
        )
    return "group"


def raw(url: str) -> bytes:
    """Every byte that the database holds of us, as it lies there: in all files, or under all keys."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    parts: list[bytes] = []
    with closing(redis.Redis.from_url(url)) as opened:
        client: Any = opened
        for key in client.scan_iter():
            kind = client.type(key)
            if kind == b"hash":
                words = [word for pair in client.hgetall(key).items() for word in pair]
            elif kind == b"zset":
                words = client.zrange(key, 0, -1)
            elif kind == b"stream":
                words = [word for _, fields in client.xrange(key) for pair in fields.items() for word in pair]
            else:
                words = [client.get(key)]
            parts += [key, *words]
    return b"\0".join(parts)


def traces(data: bytes, numbers: tuple[int, ...], centroid: Floats) -> list[str]:
    """Return what of some samples and their centroid can be found: any 64 bytes of a descriptor, any of a crop."""
    found = []
    vectors = {f"descriptor {number}": descriptor(number, D) for number in numbers} | {"centroid": centroid}
    for name, vector in vectors.items():
        kept = vector.astype("<f4").tobytes()
        found += [name for start in range(0, len(kept), 64) if kept[start : start + 64] in data]
    return found + [f"crop {number}" for number in numbers if b"jpeg of %d" % number in data]


@pytest.mark.parametrize(
    "how", ["person", "samples", "gallery", "expiry", "duplicates of a merger", "counter-examples"]
)
def test_nothing_of_the_erased_is_left_in_the_bytes(url: str, store: Store, group: str, how: str) -> None:
    centroid = store.centroids(group).matrix[0]
    with closing(open_store(url)) as reader:  # another process, with the file open all the while
        reader.ping()
        assert len(set(traces(raw(url), (1, 2, 3), centroid))) == 7
        if how == "person":
            erased = store.delete_person(group, "ann")
            assert (erased.people, erased.samples, erased.crops) == (1, 3, 3)
        elif how == "samples":
            assert [store.delete_sample(group, "ann", photo_id(number)).crops for number in (1, 2, 3)] == [1, 1, 1]
        elif how == "counter-examples":
            store.delete_person(group, "ann")
            store.create_person(group, "Ann", person_id="ann")
            store.add_samples(group, "ann", [sample(6), *(as_counter(number) for number in (1, 2, 3))], NETWORK)
            centroid = store.centroids(group).counters["ann"].ravel()
            assert len(set(traces(raw(url), (1, 2, 3), centroid))) == 7
            store.delete_sample(group, "ann", photo_id(1), counter=True)
            assert traces(raw(url), (1,), descriptor(1, D)) == []
            store.merge_people(group, "bo", "ann")
            assert store.delete_person(group, "bo").counters == 2
        elif how == "gallery":
            erased = store.delete_gallery(group)
            assert (erased.people, erased.samples, erased.crops) == (2, 5, 5)
        elif how == "expiry":
            store.update_person(group, "ann", expires_at=1)
            erased = store.erase_expired(group)
            assert (erased.people, erased.samples, erased.crops) == (1, 3, 3)
        else:
            store.merge_people(group, "bo", "ann")
            store.delete_person(group, "bo")
        data = raw(url)
        assert traces(data, (1, 2, 3), centroid) == []
        if how != "samples":
            assert b"ann Secret" not in data
            assert not any(photo_id(number).encode() in data for number in (1, 2, 3))
        if how in ("person", "samples", "expiry"):
            assert len(store.samples(group, "bo", crops=True)) == 2
            assert len(set(traces(data, (4, 5), store.centroids(group).matrix[-1]))) == 5


def test_switching_crops_off_erases_their_bytes(url: str, store: Store, group: str) -> None:
    store.update_gallery(group, keep_crops=False)
    assert not re.search(rb"jpeg of", raw(url))
    erased = store.delete_person(group, "ann")
    assert (erased.samples, erased.crops) == (3, 0)


def test_a_reader_in_the_middle_delays_the_overwriting_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path / 'g.db'}"
    with closing(open_store(url)) as store:
        store.create_gallery(Gallery("group", NETWORK, D, 0.4))
        store.create_person("group", "Ann", person_id="ann")
        store.add_samples("group", "ann", [sample(1)], NETWORK)
        with closing(sqlite3.connect(tmp_path / "g.db", isolation_level=None)) as db:
            db.execute("BEGIN")
            db.execute("SELECT * FROM people").fetchall()
            assert store.delete_person("group", "ann").samples == 1
            assert "still holds what was erased" in caplog.text
        assert store.erase_expired("group").people == 0  # the next sweep
        assert traces(raw(url), (1,), descriptor(1, D)) == []


def test_nothing_biometric_and_no_name_is_logged(
    url: str, store: Store, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        store.centroids(group)
        store.samples(group, "ann", crops=True)
        store.merge_people(group, "ann", "bo")
        store.update_person(group, "ann", name="Secret Ann", expires_at=1)
        if url.startswith("redis"):  # a failing write, whose command holds all of it
            with closing(redis.Redis.from_url(url)) as client:
                (key,) = client.keys("*:requests")
                client.delete(key)
                client.set(key, "foreign")
                with pytest.raises(Exception, match="requests") as caught:
                    store.add_samples(group, "ann", [sample(9)], NETWORK, once=IdempotencyKey.of("k", "x"))
                logging.getLogger("test").exception("failed", exc_info=caught.value)
                client.delete(key)
        store.erase_expired(group)
    told = caplog.text + repr(store.audit(group))
    numbers = [f"{value:.4f}" for value in np.abs(descriptor(1, D)[:40])]
    assert not [number for number in numbers if number in told and number not in ("0.0000", "0.4000")]
    assert "Secret" not in told
    assert "jpeg of" not in told
    assert base64.b64encode(b"\xff\xd8\xffjpeg")[:8].decode() not in told
    assert "\\xff\\xd8" not in told
    for number in (1, 2, 3, 4, 5, 9):
        assert descriptor(number, D).tobytes()[:8].hex() not in told
        assert repr(descriptor(number, D).tobytes()[:6])[2:-1] not in told
        assert photo_id(number) not in told
