"""The first key: made into a file, or taken from one."""

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from facegroup.access import first_key, secrets
from facegroup.access.checker import open_checker
from facegroup.access.registry import Registry, open_registry
from facegroup.access.types import Grant
from facegroup.errors import InvalidSettings, StoreUnavailable
from facegroup.settings import load


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_of_another_user(registry: Registry, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InvalidSettings, match="cannot be written"):
        first_key.ensure(registry, tmp_path / "admin.key")
