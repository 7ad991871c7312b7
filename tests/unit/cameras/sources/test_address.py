"""What may be opened, and what may be shown of it."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest

from facegroup.cameras.sources.address import at, check, check_url, has_secret, resolve, shown, split
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
        ("http://[2001:0:808:808::f5ff:fffe]/hunter2", SourceNotAllowed),  # Teredo of 10.0.0.1
        ("http://[64:ff9b:1::808:808]/hunter2", SourceNotAllowed),  # a NAT64 of somebody's own
        ("http://[::10.0.0.1]/hunter2", SourceNotAllowed),
        ("http://[fec0::1]/hunter2", SourceNotAllowed),  # site-local
        ("http://[feff::1]/hunter2", SourceNotAllowed),
        ("http://[100::1]/hunter2", SourceNotAllowed),  # discard
        ("http://[2001:db8::1]/hunter2", SourceNotAllowed),  # documentation
        ("http://[3fff::1]/hunter2", SourceNotAllowed),
        ("http://[4000::1]/hunter2", SourceNotAllowed),  # nobody's
        ("http://0.1.2.3/hunter2", SourceNotAllowed),
        ("http://192.0.0.8/hunter2", SourceNotAllowed),
        ("http://192.88.99.1/hunter2", SourceNotAllowed),  # relays of 6to4
        ("http://198.18.0.1/hunter2", SourceNotAllowed),  # measurements
        ("http://203.0.113.1/hunter2", SourceNotAllowed),
        ("http://239.255.255.250/hunter2", SourceNotAllowed),
        ("http://8.8.8.8/v?user=me&pwd=a#hunter2", InvalidSource),
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


def test_the_refusal_says_what_allows_it_and_not_what_is_allowed() -> None:
    with pytest.raises(SourceNotAllowed) as caught:
        check("http://10.1.2.3/", HOME)
    assert 'add "10.1.2.0/24" to FACEGROUP_CAMERAS__NETWORKS' in str(caught.value)
    assert "192.168" not in str(caught.value)
    check("http://10.1.2.3/", HOME.model_copy(update={"networks": (*HOME.networks, "10.1.2.0/24")}))


def test_every_address_of_a_host_must_be_allowed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A name server that answers a public and a private address, in either order."""
    answers = ["8.8.8.8", "10.0.0.1"]

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in answers]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    for _ in range(2):
        with pytest.raises(SourceNotAllowed) as caught:
            check("rtsp://two.example/", HOME)
        assert "two.example" in str(caught.value)
        assert not re.search(r"10\.|192\.|fd00", str(caught.value))  # whoever asks learns nothing of names inside
        assert "10.0.0.0/24" in caplog.text  # but whoever runs the server does
        answers.reverse()
    answers.remove("10.0.0.1")
    assert resolve(split("rtsp://two.example/", ["rtsp"]), Cameras()) == ["8.8.8.8"]


PIECES = ("hunter2", "1234", "a.b-c")


@pytest.mark.parametrize(
    "sign", [*"@/#?:[]\\", "@/", "/@", "#@?", "?@", ":/", "1/", "／", "＠", "//", "@@", "[::1]@", "%2F/"]
)
@pytest.mark.parametrize(
    "place", ["me:{}@8.8.8.8:554/live", "{}@8.8.8.8/live", "me:@8.8.8.8/user=me_password={}_channel=1"]
)
def test_a_password_that_is_not_escaped(
    sign: str, place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is read as it was meant, or refused with the way to write it; no piece of it is looked up, said or logged."""
    asked: list[str] = []

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    caplog.set_level("DEBUG")
    for scheme in ("rtsp", "https"):
        for first, second in zip(PIECES, PIECES[1:] + PIECES[:1], strict=True):
            source = f"{scheme}://{place.format(first + sign + second)}"
            text = shown(source) + _refusal(source)
            assert not any(piece in text for piece in PIECES)
            assert has_secret(source)
    assert set(asked) <= {"8.8.8.8"}
    assert not any(piece in caplog.text for piece in PIECES)


def _refusal(source: str) -> str:
    try:
        check(source, Cameras())
    except InvalidSource as error:
        refusal = error
    else:
        return ""
    assert refusal.__context__ is None
    assert re.search("%2F|%23", str(refusal))
    return str(refusal)


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
        ("rtsp://h/h264Preview_01_sub", None),
        ("rtsp://h/h264Preview_02_main", None),
        ("rtsp://h:554/Streaming/Channels/102/httpPreview", None),
        ("rtsp://h/onvif-media/media.amp?profile=profile_1_h264&sessiontimeout=60&streamtype=unicast", None),
        ("rtsp://h/cam/realmonitor?channel=1&subtype=01&unicast=true&proto=Onvif", None),
        ("http://h/nphMotionJpeg?Resolution=640x480&Quality=Standard", None),
        ("http://h/axis-cgi/mjpg/video.cgi?resolution=640x480&camera=1", None),
        ("http://h/cgi-bin/snapshot.cgi?cmd=Snap&channel=0", None),
        ("rtsp://h:8554/front_door_camera_2_detect", None),
        ("rtsp://h/live/%E5%A4%A7%E9%97%A8%E5%8F%A3", None),
        ("rtsp://[fe80::1%25eth0]/live", None),
        ("file:///videos/1700000000abcdef0123/a@b.mp4", None),
        ("rtsps://h:7441/wEUkk0VjBgDz8TkA?enableSrtp", "rtsps://h:7441/***?enableSrtp"),
        ("http://h/c?cmd=Snap&rs=wuuPhkmUCeI9WG7C&channel=0", "http://h/c?cmd=Snap&rs=***&channel=0"),
        ("https://h/hook/550e8400-e29b-41d4-a716-446655440000", "https://h/hook/***"),
        ("https://h/api/webhook/-mnT4hS9_k2Lq8vX-z1Yw3aB5", "https://h/api/webhook/***"),
        ("https://h/v?api_key=12&pin=1234&loginpas=1", "https://h/v?api_key=***&pin=***&loginpas=***"),
        ("rtsp://me:p/ss@h/live", "***"),
        ("rtsp://me:1/ss@h/live", "***"),
        ("v4l2://hunter2/dev/video0", "***"),
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
        ("http://h/v?id=2&q=80&size=640x480&name=main&fps=12.5&resolution=720p&quality=best", None),
        ("http://h/v?codec=h265&transport=tcp&audio=none&res=4CIF&ch=", None),
        ("http://h/v?name=admin:hunter2&ch=1", "http://h/v?name=***&ch=1"),
        ("http://h/v?id=hunter2", "http://h/v?id=***"),
        ("http://h/v?q=PASSW0RD", "http://h/v?q=***"),
        ("http://h/v?size=1,pwd=hunter2", "http://h/v?size=***"),
        ("http://h/v?channel=1;pwd=hunter2", "http://h/v?channel=***"),
        ("http://h/v?id=1234-5678-9012", "http://h/v?id=***"),
        ("http://h/v?stream=%68unter2", "http://h/v?stream=***"),
        ("http://h/v?quirk=1", "http://h/v?quirk=***"),
        ("http://h/v?hunter2=", "http://h/v?***"),
        ("http://h/v?admin:hunter2=1", "http://h/v?***=***"),
        ("rtsp://h/admin:hunter2/x", "rtsp://h/***/x"),
        ("rtsp://h/admin%3Ahunter2/x", "rtsp://h/***/x"),
        ("rtsp://h/user/admin/password/Secret12/ch1", "rtsp://h/user/***/password/***/ch1"),
        ("rtsp://h/stream/key/1234567890123", "rtsp://h/stream/key/***"),
        ("rtsp://h/api-tokens//hunter2/live", "rtsp://h/api-tokens//***/live"),
        ("rtsp://h/PWD/hunter2?hunter3", "rtsp://h/PWD/***?***"),
        ("rtsp://h/p%61ssword/hunter2/1", "rtsp://h/p%61ssword/***/1"),
        *(
            (f"http://h/v?{name}=1234", f"http://h/v?{name}=***")
            for name in ("psk", "pas", "pincode", "credential", "access", "otp", "apikey", "PassPhrase", "x")
        ),
    ],
)
def test_shown(source: str, expected: str | None) -> None:
    assert shown(source) == (expected or source)
    assert has_secret(source) == (expected is not None and expected != "http://h/v")


def test_the_address_that_is_opened_leads_to_the_address_that_was_checked() -> None:
    parts = split("rtsp://me:p%40ss%2Fw:d@camera:8554/live?channel=1", ["rtsp"])
    assert at(parts, "10.0.0.1") == "rtsp://me:p%40ss%2Fw%3Ad@10.0.0.1:8554/live?channel=1"
    assert at(split("rtsp://camera/live", ["rtsp"]), "fd00::1") == "rtsp://[fd00::1]/live"
