"""Backup and restore as docs/gallery.md has them, on the real stores: the copy serves the same answers."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import redis

from facegroup.errors import MalformedRequest
from facegroup.store import open_store
from facegroup.store.contract import Store
from facegroup.store.sqlite.store import SqliteStore
from facegroup.types import Gallery
from tests.conftest import RedisProcess
from tests.unit.store.samples import NETWORK, D, sample


def fill(store: Store) -> None:
    store.create_gallery(Gallery("group", NETWORK, D, 0.4))
    for number in range(20):
        store.create_person("group", f"P{number}", {"n": number}, f"p{number}")
        store.add_samples("group", f"p{number}", [sample(number)], NETWORK)


def same(one: Store, other: Store) -> None:
    assert one.galleries() == other.galleries()
    assert one.people("group") == other.people("group")
    mine, theirs = one.centroids("group"), other.centroids("group")
    assert (mine.version, mine.ids, mine.names) == (theirs.version, theirs.ids, theirs.names)
    np.testing.assert_array_equal(mine.matrix, theirs.matrix)
    assert one.samples("group", "p3", crops=True)[0].crop == other.samples("group", "p3", crops=True)[0].crop


def test_a_sqlite_store_is_copied_while_somebody_writes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "g.db")
    fill(store)
    enough = threading.Event()

    def write() -> None:
        number = 100
        while not enough.is_set():
            store.add_samples("group", "p1", [sample(number)], NETWORK)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    store.copy_to(tmp_path / "copy.db")
    enough.set()
    writer.join()
    copy = SqliteStore(tmp_path / "copy.db")
    count = len(copy.samples("group", "p1"))
    assert copy.person("group", "p1").samples == count  # of one moment
    assert copy.version("group") == 40 + count - 1
    copy.add_samples("group", "p2", [sample(900)], NETWORK)
    with pytest.raises(MalformedRequest):
        store.copy_to(tmp_path / "copy.db")
    store.copy_to(tmp_path / "last.db")
    last = SqliteStore(tmp_path / "last.db")
    same(store, last)
    for each in (store, copy, last):
        each.close()


def test_a_redis_store_comes_back_from_its_snapshot(
    redis_url: str, redis_process: RedisProcess, tmp_path: Path
) -> None:
    store = open_store(redis_url)
    fill(store)
    with redis.Redis(port=redis_process.port) as client:
        client.save()
        folder = Path(client.config_get("dir")["dir"])
    (tmp_path / "new").mkdir()
    shutil.copy(folder / "dump.rdb", tmp_path / "new" / "dump.rdb")
    fresh = RedisProcess(tmp_path / "new", "--appendonly", "no")  # with it, Redis would not look at the snapshot
    fresh.start()
    try:
        copy = open_store(fresh.url)
        same(store, copy)
        with redis.Redis(port=fresh.port) as client:
            client.config_set("appendonly", "yes")
            while client.info("persistence")["aof_rewrite_in_progress"]:
                pass
        copy.close()
        fresh.kill()
        fresh = _again(tmp_path / "new")
        copy = open_store(fresh.url)
        same(store, copy)
        copy.close()
    finally:
        fresh.kill()
    store.close()


def _again(folder: Path) -> RedisProcess:
    """Return a server on the same folder, with the append-only file on, as it is to run from then on."""
    process = RedisProcess(folder)
    process.start()
    return process
