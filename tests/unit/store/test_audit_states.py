"""What the check of an audit log says of a store that was encrypted, restored, upgraded or taken further."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from facegroup.errors import KeyMissing
from facegroup.store import open_store
from facegroup.store.audit import Event, Retention
from facegroup.store.audit_check import Head, verify
from facegroup.store.contract import Store
from facegroup.store.conversion import Converts
from facegroup.store.encryption import SecretKeys
from facegroup.store.sqlite import schema
from tests.unit.store.test_encryption import fill

KEY = SecretKeys([b"k" * 32])


def noted(store: Store, count: int) -> Head:
    """Write entries, and return the head after them."""
    for _ in range(count):
        store.note("group", Event("exported"))
    return Head.read(store.audit_chain("group").head)


def copied(url: str) -> Callable[[], None]:
    """Return what puts a store back to what it is now."""
    if url.startswith("sqlite"):
        path, backup = Path(url.removeprefix("sqlite:///")), Path(url.removeprefix("sqlite:///") + ".backup")
        with closing(open_store(url)) as store:
            cast(Any, store).copy_to(backup)

        def restore() -> None:
            for each in ("-wal", "-shm"):
                path.with_name(path.name + each).unlink(missing_ok=True)
            backup.replace(path)

        return restore
    with redis.Redis.from_url(url) as client:
        kept = {key: client.dump(key) for key in client.keys("*")}

    def put_back() -> None:
        with redis.Redis.from_url(url) as client:
            client.flushdb()
            for key, value in kept.items():
                client.restore(key, 0, cast(bytes, value))

    return put_back


def test_encryption_and_its_end_leave_the_chain_as_it_is(url: str) -> None:
    with closing(open_store(url)) as plain:
        fill(plain, "ann")
        head = noted(plain, 3)
    heads = [head]
    for keys in (KEY, KEY.decrypting()):
        with closing(open_store(url, keys=keys)) as store:
            assert cast(Converts, store).convert().complete
            assert (done := verify(store, "group", heads)).fault is None
            heads.append(noted(store, 1))
            assert verify(store, "group", heads).entries == done.entries + 1


def test_without_its_key_a_file_says_nothing_and_redis_says_what_is_plain(url: str) -> None:
    with closing(open_store(url, keys=KEY)) as store:
        fill(store, "ann")
    with closing(open_store(url)) as store:
        if url.startswith("sqlite"):
            with pytest.raises(KeyMissing):
                verify(store, "group")
        else:
            assert verify(store, "group").fault is None
        with pytest.raises(KeyMissing):
            store.note("group", Event("exported"))


def test_a_restored_backup_is_whole_and_lacks_what_was_noted_after_it(url: str) -> None:
    with closing(open_store(url)) as store:
        fill(store, "ann")
        before = noted(store, 2)
    restore = copied(url)
    with closing(open_store(url)) as store:
        after = noted(store, 2)
    restore()
    with closing(open_store(url)) as store:
        assert verify(store, "group", [before]).fault is None
        noted(store, 2)  # others with the same numbers
        assert verify(store, "group", [before]).fault is None
        found = verify(store, "group", [before, after]).fault
    assert found is not None
    assert (found.number, "the log was written anew" in found.why) == (after.number, True)


def test_entries_of_schema_6_stay_and_the_chain_begins_after_them(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        fill(store, "ann")
        older = len(store.audit("group"))
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "DROP TABLE chains;"
            + "".join(f"ALTER TABLE audit DROP COLUMN {name};" for name in ("address", "result", "number", "previous"))
            + "ALTER TABLE audit DROP COLUMN hash; PRAGMA user_version = 6"
        )
        assert {column[1] for column in db.execute("PRAGMA table_info(audit)")} == written_by(6)
    url = f"sqlite:///{path}"
    with closing(open_store(url)) as store:
        done = verify(store, "group")
        assert (done.older, done.entries, done.fault) == (older, 0, None)
        head = noted(store, 3)
        done = verify(store, "group", [head])
        assert (done.older, done.entries, done.fault) == (older, 3, None)
        assert {each.result for each in store.audit("group")} == {"done"}
    with closing(open_store(url, keep=Retention(entries=2))) as short:
        noted(short, 1)
        done = verify(short, "group", [head])
        assert (done.older, done.start.number, done.entries, done.fault) == (0, 2, 2, None)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM audit WHERE number = 3")
        db.commit()
    with closing(open_store(url)) as store:
        found = verify(store, "group").fault
    assert found is not None
    assert "entry 3 is missing" in found.why


def written_by(version: int) -> set[str]:
    """Return the columns of the audit log of a schema."""
    with closing(sqlite3.connect(":memory:")) as db:
        for statement in schema.TABLES:
            db.execute(statement)
        schema.upgrade(db, 1, version)
        return {column[1] for column in db.execute("PRAGMA table_info(audit)")}
