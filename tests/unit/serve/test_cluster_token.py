"""The token of a cluster, and what its nodes derive from it."""

from pathlib import Path

import pytest

from facegroup.errors import InvalidSettings
from serve.cluster_token import derived, token

STRONG = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_head_makes_one_that_only_its_user_can_read(home: Path) -> None:
    made = token(create=True)
    path = home / ".ray" / "auth_token"
    assert (path.read_text(), len(made)) == (made, 64)
    assert [each.stat().st_mode & 0o777 for each in (path, path.parent)] == [0o600, 0o700]
    assert token(create=True) == token(create=False) == made


def test_others_say_where_it_must_be_copied_to(home: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"\.ray/auth_token.*copy"):
        token(create=False)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_one_that_others_can_read_is_refused(home: Path, mode: int) -> None:
    token(create=True)
    (home / ".ray" / "auth_token").chmod(mode)
    with pytest.raises(InvalidSettings, match="chmod 600"):
        token(create=False)


@pytest.mark.parametrize("weak", ["", "secret", STRONG[1:]])
def test_a_weak_one_is_refused(weak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", weak)
    with pytest.raises(InvalidSettings, match="shorter than 32"):
        token(create=True)


def test_another_file_can_be_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "mine" / "token"))
    assert token(create=True) == (home / "mine" / "token").read_text()
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/proc/nowhere")
    with pytest.raises(InvalidSettings, match="cannot be written"):
        token(create=True)


def test_all_nodes_derive_the_same_and_nobody_else_does() -> None:
    names = {derived(STRONG, "instance"), derived(f"{STRONG}\n", "instance")}
    assert len(names) == 1
    assert len(names | {derived(STRONG, "ingress"), derived(STRONG[::-1], "instance")}) == 3
    assert all(len(name) == 32 and STRONG not in name for name in names)
