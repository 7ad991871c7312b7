"""The first key: made into a file, or taken from one."""

import asyncio
import errno
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from facegroup.access import first_key, secrets
from facegroup.access.checker import open_checker
from facegroup.access.registry import Registry, open_registry
from facegroup.access.types import Grant, Key
from facegroup.errors import InvalidSettings, StoreUnavailable
from facegroup.settings import load
from facegroup.store.rows.rows import Count, Drop


def test_the_first_start_makes_an_admin_key(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "admin.key"
    said = first_key.ensure(registry, path)
    assert str(path) in said
    assert path.stat().st_mode & 0o777 == 0o600
    secret = secrets.read(path.read_text().strip())
    assert secret is not None
    assert secret.text not in said
    (key,) = registry.all()
    assert (key.hash, key.grant) == (secret.hash, Grant(frozenset({"admin"})))
    assert first_key.ensure(registry, path) == ""
    assert len(registry.all()) == 1


def test_whoever_keeps_the_audit_log_is_told_of_the_key_once(registry: Registry, tmp_path: Path) -> None:
    told: list[Key] = []
    for _ in range(2):
        first_key.ensure(registry, tmp_path / "admin.key", told=told.append)
    assert told == registry.all()


@pytest.mark.parametrize("around", ["{}", "{}\n", "  {}\r\n\n"])
def test_a_file_that_exists_is_the_key(registry: Registry, tmp_path: Path, around: str) -> None:
    secret = secrets.make()
    path = tmp_path / "secret"
    path.write_text(around.format(secret.text))
    first_key.ensure(registry, path)
    assert registry.all()[0].hash == secret.hash


@pytest.mark.parametrize("content", [b"", b"hunter2", b"\x00" * 55, b"\xff\xfe", b"fg_" * 10_000])
def test_a_file_without_a_key_is_refused_and_not_shown(registry: Registry, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(InvalidSettings, match="holds no key") as error:
        first_key.ensure(registry, path)
    assert "hunter2" not in str(error.value)
    assert registry.version() == 0
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_written(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "admin.key", tmp_path):
        with pytest.raises(InvalidSettings, match=r"cannot be (written|read)"):
            first_key.ensure(registry, path)
    assert registry.version() == 0


def test_no_file_is_left_if_the_store_is_away(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(registry, "add_first", away)
    with pytest.raises(StoreUnavailable):
        first_key.ensure(registry, tmp_path / "admin.key")
    assert not (tmp_path / "admin.key").exists()


def test_many_that_start_at_once_make_one_key(url: str, tmp_path: Path) -> None:
    def start(number: int) -> str:
        registry = open_registry(url)
        try:
            return first_key.ensure(registry, tmp_path / f"machine-{number}.key")
        finally:
            registry.close()

    with ThreadPoolExecutor(4) as threads:
        said = [each for each in threads.map(start, range(4)) if each]
    assert len(said) == 1
    assert len(list(tmp_path.glob("*.key"))) == 1
    registry = open_registry(url)
    assert len(registry.all()) == 1
    registry.close()


def test_a_file_that_another_process_has_used_meanwhile_is_kept(
    registry: Registry, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "admin.key"
    plain = registry.add_first

    def late(*given: Any) -> Any:
        other = open_registry(url)
        assert str(path) in first_key.ensure(other, path)
        other.close()
        return plain(*given)

    monkeypatch.setattr(registry, "add_first", late)
    assert first_key.ensure(registry, path) == ""
    kept = secrets.read(path.read_text().strip())
    assert kept is not None
    assert [each.hash for each in registry.all()] == [kept.hash]


def test_a_server_makes_it_when_it_is_asked_first(url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "admin.key"
    checker = open_checker(load(store=url, access={"mode": "keys", "first_key": path}))
    assert not path.exists()
    with caplog.at_level(logging.WARNING):
        asyncio.run(checker.tell(None))
    assert str(path) in caplog.text
    assert path.read_text().strip() not in caplog.text
    assert asyncio.run(checker.identify(path.read_text().strip())).scopes == {"admin"}
    checker.close()


def lost(registry: Registry) -> None:
    keys = [Drop("keys", each.id) for each in registry.all()]
    assert registry._rows.apply([Count("version", registry.version(), 0), *keys])


@pytest.mark.parametrize("made", [True, False])
def test_a_key_that_was_used_is_not_the_first_one_again(registry: Registry, tmp_path: Path, made: bool) -> None:
    path = tmp_path / "admin.key"
    if not made:
        path.write_text(secrets.make().text)
    first_key.ensure(registry, path)
    assert path.read_text().strip() not in (tmp_path / "admin.key.used").read_text()
    lost(registry)
    for _ in range(2):
        with pytest.raises(InvalidSettings, match="used already") as error:
            first_key.ensure(registry, path)
        assert path.read_text().strip() not in str(error.value)
    assert registry.version() == 0
    newer = secrets.make()
    path.write_text(newer.text)
    first_key.ensure(registry, path)
    assert [each.hash for each in registry.all()] == [newer.hash]
    lost(registry)
    path.unlink()
    assert str(path) in first_key.ensure(registry, path)


def test_a_key_beside_a_store_that_has_others_is_not_the_first_one_later(registry: Registry, tmp_path: Path) -> None:
    """Another machine may have used and revoked it."""
    path = tmp_path / "admin.key"
    path.write_text(secrets.make().text)
    registry.add(Grant(frozenset({"admin"})))
    assert first_key.ensure(registry, path) == ""
    lost(registry)
    with pytest.raises(InvalidSettings, match="used already"):
        first_key.ensure(registry, path)


def test_what_is_no_key_is_not_looked_at_where_there_are_keys(registry: Registry, tmp_path: Path) -> None:
    registry.add(Grant(frozenset({"admin"})))
    (tmp_path / "admin.key").write_text("no key")
    assert first_key.ensure(registry, tmp_path / "admin.key") == ""
    assert first_key.ensure(registry, tmp_path) == ""


def test_a_mounted_secret_beside_which_nothing_can_be_noted(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "admin.key"
    path.write_text(secrets.make().text)

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", read_only)
    assert "it is the admin key again if the store loses its keys" in first_key.ensure(registry, path)
    assert len(registry.all()) == 1


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o644, 0o640, 0o604])
def test_who_can_read_a_file_that_was_there(registry: Registry, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "admin.key"
    path.write_text(secrets.make().text)
    path.chmod(mode)
    said = first_key.ensure(registry, path)
    assert "only its user can read" not in said
    assert ("others can read it" in said) == (mode & 0o077 != 0)


def test_the_file_is_there_as_a_whole_or_not_at_all(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "admin.key"

    def full(_: int) -> None:
        assert not path.exists()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(InvalidSettings, match="No space"):
            first_key.ensure(registry, path)
    assert not [each for each in tmp_path.iterdir() if "key" in each.name or each.name.startswith(".")]
    first_key.ensure(registry, path)
    assert sorted(each.name for each in tmp_path.iterdir() if "key" in each.name) == ["admin.key", "admin.key.used"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_of_another_user(registry: Registry, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InvalidSettings, match="cannot be written"):
        first_key.ensure(registry, tmp_path / "admin.key")
