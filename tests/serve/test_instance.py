"""The folder of a server: whose it is, what it may be called, and that it goes when the server is gone."""

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegroup.errors import SetupError
from facegroup.settings import INSTANCE, Settings, load
from serve import instance_folder
from serve.instance import own
from serve.instance_folder import LONGEST
from serve.node import variables


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="i") as folder:
        yield Path(folder)


@pytest.fixture
def settings(place: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (place / "r").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place / "r"))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    return load(cache_dir=place / "cache", port=18_123)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_only_the_user_may_enter(settings: Settings) -> None:
    with own(settings) as mine:
        assert mine.folder.parent == settings.cache_dir / "run"
        assert {mode(mine.folder), mode(mine.folder.parent)} == {0o700}
        token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
        assert mode(token) == 0o600
        assert token.parent == mine.folder
        assert len(token.read_text()) >= 32
        assert os.environ[INSTANCE] == mine.name
        assert Path(os.environ["RAY_SERVE_HAPROXY_SOCKET_PATH"]).parent == mine.folder
    assert INSTANCE not in os.environ
    assert "RAY_AUTH_TOKEN_PATH" not in os.environ


def test_what_ray_opens_to_everybody_is_closed(settings: Settings) -> None:
    with own(settings) as mine:
        session = mine.temporary / "session_x" / "sockets"
        session.mkdir(parents=True)
        session.chmod(0o777)
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(session / "raylet"))
            mine.seal()
            assert (mode(session), mode(session / "raylet")) == (0o700, 0o600)


def test_a_token_that_is_given_stays(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "given"
    given.write_text("0123456789abcdef" * 2)
    given.chmod(0o600)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(given))
    with own(settings):
        assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(given)
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(given)


def test_folders_of_servers_that_ended_go_and_of_those_that_run_stay(settings: Settings) -> None:
    with own(settings) as first:
        (first.folder / "left").write_text("")
        with own(settings.model_copy(update={"port": 18_124})) as second:
            assert first.folder != second.folder
            assert (first.folder / "left").exists()
        assert second.folder.exists()  # with Ray's logs
        with own(settings.model_copy(update={"port": 18_124})):
            assert not second.folder.exists()
            assert first.folder.exists()


def test_what_is_no_servers_folder_is_left_alone(settings: Settings, place: Path) -> None:
    base = settings.cache_dir / "run"
    (place / "precious").mkdir()
    base.mkdir(parents=True)
    (base / "abcd").symlink_to(place / "precious")
    (base / "notes").mkdir()
    with own(settings):
        pass
    assert (place / "precious").is_dir()
    assert (base / "notes").is_dir()


def longer(path: Path) -> Path:
    return path / ("x" * LONGEST)


def test_a_long_cache_folder_gives_way_to_the_runtime_folder(settings: Settings, place: Path) -> None:
    with own(settings.model_copy(update={"cache_dir": longer(place)})) as mine:
        assert mine.folder.is_relative_to(place / "r")


def test_a_folder_of_ones_own_in_tmp_comes_last(
    settings: Settings, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(longer(place)))
    with own(settings.model_copy(update={"cache_dir": longer(place)})) as mine:
        assert mine.folder.parent == Path(f"/tmp/facegroup-{os.getuid()}")
        assert mode(mine.folder.parent) == 0o700


def test_a_cache_that_cannot_be_written_gives_way(settings: Settings, place: Path) -> None:
    (place / "file").write_text("")
    with own(settings.model_copy(update={"cache_dir": place / "file"})) as mine:
        assert mine.folder.is_relative_to(place / "r")


def test_a_folder_that_others_may_rename_gives_way(settings: Settings, place: Path) -> None:
    settings.cache_dir.mkdir()
    settings.cache_dir.chmod(0o777)
    with own(settings) as mine:
        assert mine.folder.is_relative_to(place / "r")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(settings: Settings, place: Path) -> None:
    (settings.cache_dir / "run").mkdir(parents=True)
    os.chown(settings.cache_dir / "run", 12345, 12345)
    with own(settings) as mine:
        assert mine.folder.is_relative_to(place / "r")


def test_a_link_is_not_followed(settings: Settings, place: Path) -> None:
    settings.cache_dir.mkdir()
    (place / "theirs").mkdir()
    (settings.cache_dir / "run").symlink_to(place / "theirs")
    with own(settings) as mine:
        assert mine.folder.is_relative_to(place / "r")


def test_where_nothing_will_do_one_line_says_what_was_tried(
    settings: Settings, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance_folder, "LONGEST", 10)
    with pytest.raises(SetupError) as refused, own(settings):
        pass
    assert "\n" not in refused.value.detail
    for words in (str(settings.cache_dir), "XDG_RUNTIME_DIR", "bytes", "/tmp/facegroup-"):
        assert words in refused.value.detail


def test_a_node_of_a_cluster_sets_every_variable_that_a_server_does(settings: Settings, place: Path) -> None:
    before = set(os.environ)
    with own(settings):
        names = set(os.environ) - before - {"RAY_AUTH_TOKEN_PATH"}  # a cluster's is where Ray's commands look for it
    assert len(names) > 10
    assert names <= variables(settings, place, "t" * 32, head=False).keys()
