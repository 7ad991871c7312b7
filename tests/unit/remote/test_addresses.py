"""Passwords in addresses of every kind: whoever does not escape them is told how, and nobody else is told anything."""

import pytest
import typer
from typer.testing import CliRunner

from facegroup.cli import cameras, video
from facegroup.client import Client
from facegroup.errors import FacegroupError, MalformedRequest, StageUnavailable, StoreInvalid
from facegroup.remote.addresses import ESCAPED, parted, without_secrets
from facegroup.store.redis.address import connect

SIGNS = ["hunter@12", "hunter/12", "hunter#12", "12?hunter", "12#hunter", "12/hunter", "a@b/hunter", "hunter[12"]


@pytest.mark.parametrize("password", SIGNS)
@pytest.mark.parametrize("url", ["redis://:{}@h:6379/0", "redis+sentinel://me:{}@a:1,b:2/main/0"])
def test_of_a_store(password: str, url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    try:
        where = connect(url.format(password)).where
    except StoreInvalid as error:
        where = str(error)
        assert ESCAPED in where
    said = where + without_secrets(url.format(password)) + caplog.text
    assert not {"hunter", "12"} & {said[i : i + n] for i in range(len(said)) for n in (2, 6)}


@pytest.mark.parametrize("password", SIGNS)
def test_of_a_server(password: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises((MalformedRequest, StageUnavailable)) as caught:
        Client(f"http://me:{password}@127.0.0.1:9").call("GET", "/v1/cameras")
    text = str(caught.value) + caplog.text
    assert "hunter" not in text
    assert ESCAPED in text or "no server answers at http://127.0.0.1:9" in text


@pytest.mark.parametrize("password", SIGNS)
def test_on_the_command_line(password: str) -> None:
    source = f"rtsp://me:{password}@127.0.0.1:9/live"
    app = typer.Typer()
    cameras.add_commands(app)
    video.add_commands(app)
    for words in (["camera", "test", source], ["camera", "test", source, "--json"], ["video", source]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code != 0
        assert isinstance(done.exception, FacegroupError | SystemExit)
        assert "hunter" not in done.output + repr(done.exception)


def test_what_is_read() -> None:
    assert parted("http://[::1]:80/a?b=c@d") is None
    assert parted("http://[::1]:80/a?b=c%40d") is not None
    assert parted("sqlite:////a@b/c") is not None
    assert parted("http://h:99999/") is None
    assert parted("http://a b/") is None
