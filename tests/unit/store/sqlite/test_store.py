"""What only a file can be: someone else's, newer, damaged, read-only, locked, full."""

import os
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.store.sqlite.store import SqliteStore
from facegroup.types import Gallery
from tests.unit.store.samples import NETWORK, D, sample

GROUP = Gallery("group", NETWORK, D, 0.4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one gallery, one person and one photo in it."""
    path = tmp_path / "gallery.db"
    with closing(SqliteStore(path)) as store:
        store.create_gallery(GROUP)
        store.create_person("group", "Ann", person_id="ann")
        store.add_samples("group", "ann", [sample(1)], NETWORK)
    return path


def test_the_file_is_made_with_its_folders_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "曾 %20?x#y" / "b" / "gallery.db"
    with closing(SqliteStore(str(path))) as store:
        store.create_gallery(GROUP)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(SqliteStore(path)) as store:
        assert store.gallery("group").network == NETWORK


def test_writes_are_on_disk_when_they_return(path: Path) -> None:
    with closing(SqliteStore(path)) as store, store._file.read() as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
        assert db.execute("PRAGMA user_version").fetchone()[0] == 7


def test_what_is_erased_is_not_left_in_the_file(path: Path) -> None:
    descriptor = sample(1).descriptor.tobytes()
    assert descriptor in path.read_bytes()
    with closing(SqliteStore(path)) as store:
        store.delete_person("group", "ann")
    assert descriptor not in path.read_bytes()
    assert b"jpeg 1" not in path.read_bytes()


def test_a_newer_schema_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 8")
    before = path.read_bytes()
    with pytest.raises(StoreInvalid, match="newer"):
        SqliteStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, 1, 8])
def test_another_programs_database_is_left_alone(tmp_path: Path, version: int) -> None:
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE galleries (name TEXT)")
        db.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(StoreInvalid, match="another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"\xff\xd8\xff" * 1000, b"SQLite format 3\0" + b"\xaa" * 4096, b"x"])
def test_garbage_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gallery.db"
    path.write_bytes(content)
    with pytest.raises(StoreInvalid):
        SqliteStore(path)
    assert path.read_bytes() == content


def test_an_empty_file_becomes_a_gallery(tmp_path: Path) -> None:
    (tmp_path / "gallery.db").touch()
    with closing(SqliteStore(tmp_path / "gallery.db")) as store:
        assert store.galleries() == []


def test_damage_is_told_when_it_is_met(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xaa" * (len(data) - 4096)  # every page but the first
    path.write_bytes(data)
    with pytest.raises(StoreInvalid, match="damaged"), closing(SqliteStore(path)) as store:
        store.person("group", "ann")


def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "gallery.db"):
        with pytest.raises(StoreInvalid):
            SqliteStore(path)


def test_a_read_only_file_is_read_and_not_written(path: Path) -> None:
    path.chmod(0o400)
    if os.geteuid() == 0:  # whom permissions do not stop; this byte of the header stops everyone
        data = bytearray(path.read_bytes())
        data[18] = 3
        path.write_bytes(data)
    with closing(SqliteStore(path)) as store:
        assert store.person("group", "ann").samples == 1
        with pytest.raises(StoreUnavailable, match="readonly"):
            store.create_person("group", "Bo")


def test_a_locked_file_is_read_and_writes_wait(path: Path) -> None:
    with closing(SqliteStore(path, timeout=0.05)) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                store.create_person("group", "Bo")
            assert store.person("group", "ann").samples == 1
        assert store.create_person("group", "Bo").name == "Bo"


def test_a_full_disk_loses_nothing(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        with store._file.read() as db:
            pages = int(db.execute("PRAGMA page_count").fetchone()[0])
        with store._file.read() as db:
            db.execute(f"PRAGMA max_page_count = {pages}")  # of this connection, which is the only idle one
        with pytest.raises(StoreUnavailable, match="full"):
            store.add_samples("group", "ann", [sample(number) for number in range(2, 400)], NETWORK)
        assert store.person("group", "ann").samples == 1
        assert store.version("group") == 2
        assert len(store.add_samples("group", "ann", [sample(2)], NETWORK).added) == 1


def test_a_write_that_the_system_refuses_loses_nothing(path: Path) -> None:
    """As on a full disk: the system takes so many bytes of a file and no more."""
    with closing(SqliteStore(path)) as store:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 8192, hard))
        try:
            with pytest.raises(StoreUnavailable):
                store.add_samples("group", "ann", [sample(number) for number in range(2, 4000)], NETWORK)
            assert store.person("group", "ann").samples == 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert store.version("group") == 2
        assert len(store.audit("group")) == 3
        assert len(store.add_samples("group", "ann", [sample(2)], NETWORK).added) == 1
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_two_servers_on_one_file_lose_nothing_and_see_each_other(path: Path) -> None:
    root = Path(__file__).parents[4]
    words = [sys.executable, "-m", "tests.unit.store.writer", f"sqlite:///{path}", "group", "ann"]
    with closing(SqliteStore(path)) as here:
        writers = [subprocess.Popen([*words, first, "20"], cwd=root) for first in ("100", "200")]
        for number in range(300, 320):
            here.add_samples("group", "ann", [sample(number)], NETWORK)
        assert [writer.wait() for writer in writers] == [0, 0]
        assert here.person("group", "ann").samples == 61
        assert here.version("group") == 62
        assert len(here.audit("group")) == 63


def test_a_closed_store_says_so(path: Path) -> None:
    store = SqliteStore(path)
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.ping()


def test_connections_do_not_outlive_their_threads(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        for _ in range(20):
            thread = threading.Thread(target=store.ping)
            thread.start()
            thread.join()
        assert len(store._file._idle or []) == 1


def test_many_processes_may_make_the_file_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from facegroup.store.sqlite.store import SqliteStore as S; s = S(sys.argv[1]); s.ping(); s.close()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "gallery.db")]
    root = Path(__file__).parents[4]
    processes = [subprocess.Popen(command, cwd=root) for _ in range(6)]
    assert [process.wait() for process in processes] == [0] * 6
