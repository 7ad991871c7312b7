"""A full disk: nothing can be added, everybody can be erased, and no message names the file."""

import errno
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegroup.errors import FacegroupError, StoreFull, StoreInvalid, StoreUnavailable, UnknownPerson
from facegroup.networks.embedder import unit
from facegroup.store import check_store
from facegroup.store.contract import Erased
from facegroup.store.rows.rows import Drop, Put
from facegroup.store.rows.sqlite_rows import SqliteRows
from facegroup.store.sqlite import people, rows
from facegroup.store.sqlite import reserve as sqlite_reserve
from facegroup.store.sqlite.store import SqliteStore
from facegroup.store.staging import migration_copy
from facegroup.types import CohortMember, Gallery, Sample

NETWORK, DIMENSION = "test", 2048
random = np.random.default_rng(0)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root, to mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], check=False).returncode:
        pytest.skip("a disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Take all that is left of the disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as out:
        for size in (1 << 16, 4096, 1):
            with suppress(OSError):
                while True:
                    out.write(bytes(size))
    return filler


def samples(count: int) -> list[Sample]:
    descriptors = unit(random.normal(size=(count, DIMENSION)).astype(np.float32))
    return [Sample(os.urandom(32).hex(), each, os.urandom(9000), 1.0) for each in descriptors]


def filled(path: Path, people: int = 6, photos: int = 20) -> SqliteStore:
    store = SqliteStore(path)
    store.create_gallery(Gallery("g", NETWORK, DIMENSION, 0.4))
    for number in range(people):
        store.create_person("g", f"P{number}", person_id=f"p{number}")
        for _ in range(photos // 5):
            store.add_samples("g", f"p{number}", samples(5), NETWORK)
    return store


def added(store: SqliteStore) -> int:
    """Add until there is no room; return how many photos."""
    for count in range(10_000):
        try:
            store.add_samples("g", "p0", samples(1), NETWORK)
        except StoreFull:
            return count
    raise AssertionError("the disk never got full")


def secrets(store: SqliteStore) -> list[bytes]:
    kept = store.samples("g", "p1", crops=True)
    return [sample.crop[100:132] for sample in kept if sample.crop]


def test_who_is_on_a_full_disk_can_be_erased(disk: Path) -> None:
    store = filled(disk / "gallery.db")
    filler = fill(disk)
    added(store)
    with pytest.raises(StoreFull):
        store.check_writes()
    gone = secrets(store)
    erased = store.delete_person("g", "p1")
    assert (erased.people, erased.samples, erased.crops) == (1, 20, 20)
    (photo, *_) = store.samples("g", "p2")
    assert store.delete_sample("g", "p2", photo.id).samples == 1
    left = b"".join(path.read_bytes() for path in disk.iterdir() if path != filler)
    assert not [secret for secret in gone if secret in left]
    assert [person.id for person in store.people("g")] == ["p0", "p2", "p3", "p4", "p5"]
    erased = store.delete_gallery("g")
    assert erased.people == 5
    assert store.galleries() == []
    filler.unlink()
    store.check_writes()
    store.create_gallery(Gallery("g", NETWORK, DIMENSION, 0.4))
    store.close()


@pytest.mark.parametrize("what", ["gallery", "person", "expired"])
def test_what_is_larger_than_the_room_that_is_kept_is_erased_in_parts(
    disk: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_reserve, "_LARGEST", 3 << 19)
    store = filled(disk / "gallery.db", people=2, photos=130)
    if what == "expired":
        store.update_person("g", "p0", expires_at=1.0)
    fill(disk)
    erase: dict[str, Callable[[], Erased]] = {
        "gallery": lambda: store.delete_gallery("g"),
        "person": lambda: store.delete_person("g", "p0"),
        "expired": lambda: store.erase_expired("g"),
    }
    erased = erase[what]()
    assert (erased.people, erased.samples) == ((2, 260) if what == "gallery" else (1, 130))
    store.close()


@pytest.mark.parametrize("what", ["one", "all", "gallery"])
def test_a_cohort_on_a_full_disk_can_be_erased(disk: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_reserve, "_LARGEST", 3 << 19)
    store = filled(disk / "gallery.db", people=1, photos=5)
    descriptors = unit(random.normal(size=(700, DIMENSION)).astype(np.float32))
    cohort = [CohortMember(f"{number:064x}", row) for number, row in enumerate(descriptors)]
    for start in range(0, len(cohort), 50):
        store.add_cohort("g", cohort[start : start + 50], NETWORK)
    filler = fill(disk)
    added(store)
    with pytest.raises(StoreFull):
        store.add_cohort("g", [replace(each, id=f"{each.id[1:]}f") for each in cohort], NETWORK)
    assert store.cohort("g").ids == tuple(each.id for each in cohort)
    erase: dict[str, Callable[[], Erased]] = {
        "one": lambda: store.erase_cohort("g", [cohort[0].id]),
        "all": lambda: store.erase_cohort("g"),
        "gallery": lambda: store.delete_gallery("g"),
    }
    assert erase[what]().cohort == (1 if what == "one" else 700)
    left = b"".join(path.read_bytes() for path in disk.iterdir() if path != filler)
    assert descriptors[0].tobytes() not in left
    store.close()


def test_another_process_erases_too(disk: Path) -> None:
    store = filled(disk / "gallery.db")
    fill(disk)
    added(store)
    other = SqliteStore(disk / "gallery.db")
    assert other.delete_person("g", "p3").people == 1
    other.close()
    store.close()


def test_writes_go_on_when_there_is_room_again(disk: Path) -> None:
    store = filled(disk / "gallery.db", people=1, photos=5)
    filler = fill(disk)
    added(store)
    filler.unlink()
    store.check_writes()
    assert store.add_samples("g", "p0", samples(3), NETWORK).added
    assert (disk / "gallery.db-reserve").stat().st_size
    store.close()


def test_a_system_that_cannot_allocate_takes_the_room_by_writing(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    store = filled(disk / "gallery.db")
    reserve = (disk / "gallery.db-reserve").stat()
    assert reserve.st_blocks * 512 >= reserve.st_size > 0
    fill(disk)
    added(store)
    with pytest.raises(StoreFull, match="Free some space or delete people"):
        store.check_writes()
    assert store.delete_person("g", "p3").people == 1
    store.close()


def test_a_limit_of_the_files_size_is_a_full_disk(tmp_path: Path) -> None:
    store = filled(tmp_path / "gallery.db", people=2, photos=10)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "gallery.db").stat().st_size + (64 << 10), hard))
    try:
        added(store)
        with pytest.raises(StoreFull):
            store.check_writes()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.check_writes()
    assert store.delete_person("g", "p1").people == 1
    store.close()


def test_a_journal_on_a_full_disk_drops_what_is_erased(disk: Path) -> None:
    rows = SqliteRows(disk / "journal.db", "journal of cameras", 0x66676A6F)
    rows.apply([Put("sightings", str(number), number, os.urandom(9000)) for number in range(200)])
    fill(disk)
    with suppress(StoreFull):
        for number in range(1000):
            rows.apply([Put("sightings", f"more {number}", number, os.urandom(9000))])
    assert rows.size("sightings") < 1200
    with rows.making_room():
        rows.apply([Drop("sightings", str(number)) for number in range(20)])
        rows.scrub()
    assert rows.size("sightings") >= 180
    rows.close()


def test_no_error_of_an_open_store_names_its_file(tmp_path: Path) -> None:
    store = filled(tmp_path / "gallery.db", people=1, photos=5)
    other = SqliteStore(tmp_path / "gallery.db", timeout=0.01)
    told: list[FacegroupError] = []
    with store._file.write(), pytest.raises(StoreUnavailable) as locked:
        other.create_person("g", "late")
    told.append(locked.value)
    store.close()
    with pytest.raises(StoreUnavailable) as closed:
        store.ping()
    told.append(closed.value)
    other.close()
    damaged = SqliteStore(tmp_path / "gallery.db")
    content = bytearray((tmp_path / "gallery.db").read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    (tmp_path / "gallery.db").write_bytes(content)
    with pytest.raises((StoreInvalid, StoreUnavailable)) as broken:
        damaged.gallery("g")
    told.append(broken.value)
    assert not [each.detail for each in told if str(tmp_path) in each.detail or "gallery.db" in each.detail]


@pytest.mark.parametrize("where", ["/proc/none/gallery.db", "/proc/gallery.db", "/dev/null", "/sys/gallery.db"])
def test_a_place_where_nothing_can_be_written_is_told_before_a_server_starts(where: str) -> None:
    with pytest.raises(StoreInvalid, match=where):
        check_store(f"sqlite:///{where}")


def test_a_read_only_disk_is_told_before_a_server_starts(disk: Path) -> None:
    filled(disk / "gallery.db", people=1, photos=5).close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(StoreInvalid, match="cannot be written"):
        check_store(f"sqlite:///{disk / 'gallery.db'}")


def test_a_server_starts_on_a_full_disk(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    filled(disk / "gallery.db", people=1, photos=5).close()
    fill(disk)
    check_store(f"sqlite:///{disk / 'gallery.db'}")
    assert "disk is full" in caplog.text


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EIO, errno.EACCES, errno.ESTALE, errno.ENOSYS])
def test_a_disk_that_does_not_say_how_full_it_is_is_not_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def away(path: Path) -> None:
        raise OSError(code, os.strerror(code))

    store = filled(tmp_path / "gallery.db", people=1, photos=5)
    monkeypatch.setattr("os.statvfs", away)
    assert not sqlite_reserve.Reserve(tmp_path / "gallery.db").is_full()
    store.add_samples("g", "p0", samples(1), NETWORK)
    store.check_writes()
    store.close()


def test_room_is_made_for_the_gallery_before_its_copies_are_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copies would use up the room that is kept for erasing."""
    with closing(SqliteStore(tmp_path / "gallery.db")) as store:
        store.create_gallery(Gallery("group", NETWORK, DIMENSION, 0.4))
        store.create_gallery(Gallery(migration_copy("group"), NETWORK, DIMENSION, 0.4))
        ada = store.create_person("group", "Ada", person_id="ada")
        store.put_people(migration_copy("group"), [(ada, [])])
        tried: list[str] = []
        find = rows.find_gallery

        def full_at_first(db: sqlite3.Connection, name: str) -> sqlite3.Row:
            tried.append(name)
            if len(tried) == 1:
                raise StoreFull("the disk is full")
            return find(db, name)

        monkeypatch.setattr(people, "find_gallery", full_at_first)
        store.delete_person("group", "ada")
        assert tried[:2] == ["group", "group"]
        with pytest.raises(UnknownPerson):
            store.person(migration_copy("group"), "ada")
