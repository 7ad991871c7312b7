"""What may be opened, and what may be shown of it."""

import socket
from pathlib import Path
from typing import Any

import pytest

from facegroup.cameras.address import at, check, check_url, has_secret, resolve, shown, split
from facegroup.errors import FacegroupError, InvalidSettings, InvalidSource, SourceNotAllowed, SourceUnreachable
from facegroup.settings import Cameras

HOME = Cameras(networks=("192.168.1.0/24", "127.0.0.1/32", "fd00::/8"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("rtsp://user:hunter2@8.8.8.8:554/live", None),
        ("rtsps://8.8.8.8/live", None),
        ("http://user:hunter2@192.168.1.20/video", None),
        ("https://[2606:4700::1111]/a.m3u8", None),
        ("http://[fd00::1]/", None),
        ("http://127.0.0.1:8080/", None),
        ("gopher://8.8.8.8/hunter2", InvalidSource),
        ("concat:/etc/hunter2", InvalidSource),
        ("/etc/passwd", InvalidSource),
        ("", InvalidSource),
        ("rtsp:///hunter2", InvalidSource),
        ("rtsp://user:hunter2@", InvalidSource),
        ("http://user:hunter2@8.8.8.8:99999/", InvalidSource),
        ("http://user:hunter2@8.8.8.8:0/", InvalidSource),
        ("http://[hunter2/", InvalidSource),
        ("http://8.8.8.8/hunter2\r\nHost: x", InvalidSource),
        ("http://8.8.8.8/hunter2 x", InvalidSource),
        ("http://8.8.8.8/" + "hunter2" * 400, InvalidSource),
        ("file://8.8.8.8/hunter2", InvalidSource),
        ("file:///etc/hunter2%00.mp4", InvalidSource),
        ("v4l2:///dev/hunter2", InvalidSource),
        ("v4l2:///dev/video0/../sda", InvalidSource),
        ("rtsp://user:hunter2@10.0.0.1/", SourceNotAllowed),
        ("rtsp://192.168.2.1/hunter2", SourceNotAllowed),
        ("http://user:hunter2@169.254.169.254/latest", SourceNotAllowed),
        ("http://127.0.0.2/hunter2", SourceNotAllowed),
        ("http://2130706434/hunter2", SourceNotAllowed),  # 127.0.0.2
        ("http://0x7f.2/hunter2", SourceNotAllowed),
        ("http://0.0.0.0/hunter2", SourceNotAllowed),
        ("http://100.64.0.1/hunter2", SourceNotAllowed),  # a carrier's own
        ("http://224.0.1.1/hunter2", SourceNotAllowed),
        ("http://240.0.0.1/hunter2", SourceNotAllowed),
        ("http://255.255.255.255/hunter2", SourceNotAllowed),
        ("http://[::1]/hunter2", SourceNotAllowed),
        ("http://[::]/hunter2", SourceNotAllowed),
        ("http://[fe80::1]/hunter2", SourceNotAllowed),
        ("http://[ff02::1]/hunter2", SourceNotAllowed),
        ("http://[::ffff:10.0.0.1]/hunter2", SourceNotAllowed),
        ("http://[64:ff9b::10.0.0.1]/hunter2", SourceNotAllowed),
        ("http://[2002:a00:1::]/hunter2", SourceNotAllowed),  # 6to4 of 10.0.0.1
        ("http://[::ffff:192.168.1.9]/", None),
        ("file:///etc/passwd", SourceNotAllowed),
        ("v4l2:///dev/video0", SourceNotAllowed),
        ("http://user:hunter2@camera.invalid/", SourceUnreachable),
    ],
)
def test_check(source: str, expected: type[FacegroupError] | None) -> None:
    if expected is None:
        check(source, HOME)
        return
    with pytest.raises(expected) as caught:
        check(source, HOME)
    assert "hunter2" not in repr((caught.value, caught.value.__cause__, caught.value.__context__))


def test_the_error_names_a_setting_that_allows_it() -> None:
    with pytest.raises(SourceNotAllowed) as caught:
        check("http://10.1.2.3/", HOME)
    ready = """FACEGROUP_CAMERAS__NETWORKS='["192.168.1.0/24", "127.0.0.1/32", "fd00::/8", "10.1.2.0/24"]'"""
    assert ready in str(caught.value)
    check("http://10.1.2.3/", HOME.model_copy(update={"networks": (*HOME.networks, "10.1.2.0/24")}))


def test_every_address_of_a_host_must_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers a public and a private address, in either order."""
    answers = ["8.8.8.8", "10.0.0.1"]

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in answers]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    for _ in range(2):
        with pytest.raises(SourceNotAllowed, match=r"10\.0\.0\.0/24"):
            check("rtsp://two.example/", Cameras())
        answers.reverse()
    answers.remove("10.0.0.1")
    assert resolve(split("rtsp://two.example/", ["rtsp"]), Cameras()) == ["8.8.8.8"]


def test_files_stay_in_the_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.mp4").touch()
    (inside / "a b.mp4").touch()
    (inside / "link.mp4").symlink_to(outside / "secret.mp4")
    (inside / "ring").symlink_to(inside / "ring")
    settings = Cameras(folder=inside)
    check(f"file://{inside}/a%20b.mp4", settings)
    check(f"file://{inside}", settings)
    for name in ("link.mp4", "../outside/secret.mp4", "%2e%2e/outside/secret.mp4", "../inside2"):
        with pytest.raises(SourceNotAllowed, match="FACEGROUP_CAMERAS__FOLDER"):
            check(f"file://{inside}/{name}", settings)
    with pytest.raises(FacegroupError):
        check(f"file://{inside}/ring", Cameras(folder=outside))


def test_webcams_where_they_are_allowed() -> None:
    check("v4l2:///dev/video12", Cameras(devices=True))


def test_receivers() -> None:
    check_url("https://8.8.8.8/hook", Cameras())
    with pytest.raises(InvalidSource):
        check_url("rtsp://8.8.8.8/", Cameras())
    with pytest.raises(InvalidSource):
        check_url("http://8.8.8.8/", Cameras(), ("https",))
    with pytest.raises(SourceNotAllowed):
        check_url("http://localhost/", Cameras())


def test_a_network_that_is_none() -> None:
    with pytest.raises(InvalidSettings, match="NETWORKS"):
        check("http://8.8.8.8/", Cameras(networks=("home",)))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("rtsp://8.8.8.8:554/live?channel=1&subtype=0", None),
        ("file:///videos/a%20b.mp4", None),
        ("v4l2:///dev/video0", None),
        ("rtsp://me:hunter2@h/live", "rtsp://h/live"),
        ("rtsp://me@h/live", "rtsp://h/live"),
        ("rtsp://me:p@ss@h/live", "rtsp://h/live"),
        ("http://h/v?user=me&pwd=hunter2&channel=3", "http://h/v?user=***&pwd=***&channel=3"),
        ("http://h/v?hunter2", "http://h/v?***"),
        ("http://h/v#hunter2", "http://h/v"),
        ("rtsp://h/user=me_password=hunter2_channel=1.sdp", "rtsp://h/user=***_password=***_channel=1.sdp"),
        ("https://h/api/webhook/abcDEF0123456789abcdef", "https://h/api/webhook/***"),
        ("hunter2", "***"),
        ("http://[hunter2", "***"),
    ],
)
def test_shown(source: str, expected: str | None) -> None:
    assert shown(source) == (expected or source)
    assert has_secret(source) == (expected is not None and expected != "http://h/v")


def test_the_address_that_is_opened_leads_to_the_address_that_was_checked() -> None:
    parts = split("rtsp://me:p%40ss%2Fw:d@camera:8554/live?channel=1", ["rtsp"])
    assert at(parts, "10.0.0.1") == "rtsp://me:p%40ss%2Fw%3Ad@10.0.0.1:8554/live?channel=1"
    assert at(split("rtsp://camera/live", ["rtsp"]), "fd00::1") == "rtsp://[fd00::1]/live"
