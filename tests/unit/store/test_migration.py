"""A file of the first schema, with what it made: it becomes one of the present schema in one step, or stays as it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.store.sqlite import schema as sqlite_schema
from facegroup.store.sqlite.file import APPLICATION
from facegroup.store.sqlite.store import SqliteStore
from facegroup.store.vectors import to_bytes
from tests.unit.store.samples import NETWORK, D, descriptor, photo_id, sample

FIRST = """
CREATE TABLE galleries (
    key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, network TEXT NOT NULL, dimension INTEGER NOT NULL,
    threshold REAL NOT NULL, keep_crops INTEGER NOT NULL, version INTEGER NOT NULL, born INTEGER NOT NULL,
    created_at REAL NOT NULL);
CREATE TABLE people (
    key INTEGER PRIMARY KEY, gallery INTEGER NOT NULL REFERENCES galleries ON DELETE CASCADE, id TEXT NOT NULL,
    name TEXT NOT NULL, metadata TEXT NOT NULL, samples INTEGER NOT NULL, created_at REAL NOT NULL,
    updated_at REAL NOT NULL, centroid BLOB, UNIQUE (gallery, id));
CREATE INDEX people_by_name ON people (gallery, name, id);
CREATE TABLE samples (
    key INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE, id TEXT NOT NULL,
    created_at REAL NOT NULL, descriptor BLOB NOT NULL, crop BLOB, UNIQUE (person, id));
CREATE TABLE changes (
    gallery INTEGER NOT NULL REFERENCES galleries ON DELETE CASCADE, person TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (gallery, person)) WITHOUT ROWID;
CREATE INDEX changes_by_version ON changes (gallery, version);
CREATE TABLE erased (version INTEGER NOT NULL);
INSERT INTO erased VALUES (0);
PRAGMA application_id = {application};
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""
"""The statements of the first release, kept here as they were."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "gallery.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FIRST.format(application=APPLICATION))
        db.execute("INSERT INTO galleries VALUES (1, 'group', ?, ?, 0.4, 1, 2, 0, 1.7e9)", (NETWORK, D))
        row = (to_bytes(descriptor(1)),)
        db.execute("INSERT INTO people VALUES (1, 1, 'ann', 'Ann', '{\"a\": 1}', 1, 1.7e9, 1.7e9, ?)", row)
        db.execute("INSERT INTO samples VALUES (1, 1, ?, 1.7e9, ?, x'ffd8')", (photo_id(1), *row))
        db.execute("INSERT INTO changes VALUES (1, 'ann', 2)")
        db.commit()
    return path


def schema(path: Path) -> tuple[int, list[str]]:
    with closing(sqlite3.connect(path)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return db.execute("PRAGMA user_version").fetchone()[0], names


def test_a_file_of_the_first_schema_is_brought_up_with_all_that_is_in_it(old: Path, tmp_path: Path) -> None:
    with closing(SqliteStore(old)) as store:
        person = store.person("group", "ann")
        assert (person.name, person.metadata, person.samples, person.expires_at) == ("Ann", {"a": 1}, 1, None)
        assert store.centroids("group", since=1).ids == ("ann",)
        (kept,) = store.samples("group", "ann", crops=True)
        assert (kept.id, kept.crop) == (photo_id(1), b"\xff\xd8")
        assert store.audit("group") == []
        assert store.update_person("group", "ann", expires_at=4e9).expires_at == 4e9
        assert store.add_samples("group", "ann", [sample(2)], NETWORK).version == 4
        assert len(store.audit("group")) == 2
    with closing(SqliteStore(tmp_path / "new.db")):
        pass
    assert schema(old) == schema(tmp_path / "new.db")
    with closing(SqliteStore(old)) as store:
        assert store.person("group", "ann").samples == 2


def test_a_migration_that_fails_leaves_the_file_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = schema(old)
    broken = (*sqlite_schema.UPGRADES[2], "CREATE TABLE people (again)")
    with monkeypatch.context() as patch:
        patch.setitem(sqlite_schema.UPGRADES, 2, broken)
        with pytest.raises(StoreUnavailable):
            SqliteStore(old)
    assert schema(old) == before
    with closing(SqliteStore(old)) as store:
        assert store.person("group", "ann").samples == 1


def test_an_old_file_that_cannot_be_written_says_so_and_stays(old: Path) -> None:
    data = bytearray(old.read_bytes())
    data[18] = 3  # a file format that this SQLite may read and not write
    old.write_bytes(data)
    with pytest.raises(StoreInvalid, match="readonly"):
        SqliteStore(old)
    assert schema(old)[0] == 1


def test_the_audit_log_is_append_only(old: Path) -> None:
    with closing(SqliteStore(old)) as store:
        store.update_person("group", "ann", name="Anna")
    with closing(sqlite3.connect(old)) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("UPDATE audit SET actor = 'somebody else'")


def test_the_present_schema_is_refused_by_what_came_before(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteStore(old).close()
    monkeypatch.setattr("facegroup.store.sqlite.file.SCHEMA", 1)
    with pytest.raises(StoreInvalid, match="newer facegroup"):
        SqliteStore(old)
