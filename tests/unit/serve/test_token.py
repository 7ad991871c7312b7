"""Tests of the token that guards Ray's ports."""

import os
from pathlib import Path

import pytest

from facegroup.errors import InvalidSettings
from serve.instance import _token

STRONG = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)


def test_own_token_is_private(tmp_path: Path) -> None:
    path = Path(_token(tmp_path)["RAY_AUTH_TOKEN_PATH"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text()) == 64


@pytest.mark.parametrize("weak", ["", "secret", " " * 40, STRONG[1:], f"{STRONG[1:]}\n"])
def test_weak_token_is_refused(weak: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", weak)
    with pytest.raises(InvalidSettings, match="shorter than 32 characters"):
        _token(tmp_path)
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    (tmp_path / "given").write_text(weak)
    (tmp_path / "given").chmod(0o600)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "given"))
    with pytest.raises(InvalidSettings, match="shorter than 32 characters"):
        _token(tmp_path)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o602])
def test_token_that_others_can_read_is_refused(mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "given").write_text(STRONG)
    (tmp_path / "given").chmod(mode)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "given"))
    with pytest.raises(InvalidSettings, match="chmod 600"):
        _token(tmp_path)


def test_token_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (tmp_path / "missing", tmp_path):
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(place))
        with pytest.raises(InvalidSettings, match="cannot be read"):
            _token(tmp_path)


def test_strong_token_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", STRONG)
    assert _token(tmp_path) == {}
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    (tmp_path / "given").write_text(f"{STRONG}\n")
    (tmp_path / "given").chmod(0o600)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "given"))
    assert _token(tmp_path) == {}


@pytest.mark.parametrize(
    ("mode", "group", "good"),
    [(0o400, 0, True), (0o440, 2000, True), (0o444, 2000, False), (0o644, 0, False), (0o440, 0, False)],
)
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_mounted_secret(mode: int, group: int, good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount of Kubernetes is links to a folder with a date, and fsGroup gives its files to a group."""
    folder = tmp_path / "..2030_01_31"
    folder.mkdir()
    (folder / "token").write_text(STRONG)
    (folder / "token").chmod(mode)
    os.chown(folder / "token", 0, group)
    (tmp_path / "..data").symlink_to(folder.name)
    (tmp_path / "token").symlink_to("..data/token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    if good:
        assert _token(tmp_path) == {}
        return
    with pytest.raises(InvalidSettings, match="defaultMode or mode to 0400"):
        _token(tmp_path)
