"""Where keys come from: the setting, a file, a command; and what is said where there is none. Nothing shows a key."""

import logging
import os
from itertools import count
from pathlib import Path

import pytest

from facegroup.errors import InvalidSettings
from facegroup.settings import load
from facegroup.store import secret_key
from facegroup.store.encryption import new_key, read_keys
from facegroup.store.secret_key import secret_keys

KEY = new_key()
OWN = read_keys(KEY, "it").own


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    path.chmod(0o600)
    return path


def test_a_key_comes_from_the_setting_a_file_or_a_command(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert secret_keys(load()).own == "plain"
    assert secret_keys(load(secret_key=KEY)).own == OWN
    assert secret_keys(load(secret_key_file=file)).own == OWN
    assert secret_keys(load(secret_key_command=f"cat '{file}'")).own == OWN
    assert not caplog.records
    settings = load(secret_key=KEY)
    assert KEY not in f"{settings} {settings!r} {settings.model_dump(mode='json')}"


def test_a_file_that_others_can_read_is_used_and_told_of(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    for mode in (0o644, 0o640, 0o604):
        file.chmod(mode)
        with caplog.at_level(logging.WARNING):
            assert secret_keys(load(secret_key_file=file)).own == OWN
        assert "chmod 600" in caplog.text
        assert KEY not in caplog.text
        caplog.clear()


@pytest.mark.parametrize("content", [b"", b"\n", b"short\n", KEY[:-4].encode(), b"\xff\xfe", b"\0" * 44], ids=count())
def test_a_file_without_a_key_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(InvalidSettings) as caught:
        secret_keys(load(secret_key_file=file))
    assert KEY[:10] not in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path, Path("/proc/self/mem/x")):
        with pytest.raises(InvalidSettings, match="cannot be read"):
            secret_keys(load(secret_key_file=path))


@pytest.mark.parametrize(
    "command", ["false", "true", "/no/such/command", "", "'", "echo no key", f"sh -c 'echo {KEY}; exit 3'", "sleep 100",
                f"sh -c 'echo {KEY} >&2'"], ids=count(),
)  # fmt: skip
def test_a_command_that_gives_no_key_is_refused(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_key, "SECONDS", 0.3)
    with pytest.raises(InvalidSettings, match="SECRET_KEY_COMMAND") as caught:
        secret_keys(load(secret_key_command=command))
    assert KEY not in str(caught.value)
    assert KEY not in str(caught.value.__cause__)


def test_one_source_is_set_and_not_several(file: Path) -> None:
    with pytest.raises(InvalidSettings, match="not several") as caught:
        load(secret_key=KEY, secret_key_file=file)
    assert KEY not in str(caught.value)


def test_a_key_in_the_yaml_file_is_read_and_never_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "facegroup.yaml"
    monkeypatch.setenv("FACEGROUP_CONFIG", str(path))
    path.write_text(f"secret_key: {KEY}\n")
    assert secret_keys(load()).own == OWN
    for wrong in (f"secret_key: [{KEY}]", f"secret_key: {{a: {KEY}}}", f"secret_key: '{KEY}", f"secret_key: !x {KEY}"):
        path.write_text(wrong)
        with pytest.raises(InvalidSettings) as caught:
            load()
        assert KEY not in str(caught.value)


def test_an_empty_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "FACEGROUP_SECRET_KEY", "")
    with pytest.raises(InvalidSettings, match="holds no key"):
        secret_keys(load())
