"""Cameras over HTTP: MJPEG, playlists, files; passwords; and servers that lead somewhere else."""

import base64
import hashlib
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import av
import pytest

from facegroup.cameras.sources import ffmpeg_opening
from facegroup.cameras.sources.mjpeg import Splitter
from facegroup.cameras.sources.reader import look
from facegroup.cameras.types import Camera
from facegroup.errors import NoVideo
from facegroup.settings import Cameras
from tests import clips, photos
from tests.unit.cameras.watching import LOCAL, everything, until, watching
from tests.web_server import Answer, plain, serving

BOUNDARY = "--a camera's own"
PICTURES = [photos.encode(picture) for picture in clips.walk(10, (320, 180))]
CHALLENGE = 'Digest realm="camera", qop="auth", nonce="0123", algorithm=MD5'


def mjpeg(request: BaseHTTPRequestHandler) -> None:
    """Some twenty pictures a second, for ever."""
    request.send_response(200)
    request.send_header("Content-Type", f'multipart/x-mixed-replace; boundary="{BOUNDARY[2:]}"')
    request.end_headers()
    while True:
        for picture in PICTURES:
            head = f"\r\n{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            request.wfile.write(head.encode() + picture)
            time.sleep(0.05)


def hurt(request: BaseHTTPRequestHandler) -> None:
    """The same, of which no picture is one."""
    request.send_response(200)
    request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
    request.end_headers()
    while True:
        noise = PICTURES[0][:200] + bytes(500)
        head = f"--x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(noise)}\r\n\r\n"
        request.wfile.write(head.encode() + noise + b"\r\n")
        time.sleep(0.02)


def silent(_: BaseHTTPRequestHandler) -> None:
    """Nothing, for long."""
    threading.Event().wait(60)


def falls_silent(request: BaseHTTPRequestHandler) -> None:
    """Some pictures, then nothing."""
    request.send_response(200)
    request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
    request.end_headers()
    for picture in PICTURES:
        head = f"--x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
        request.wfile.write(head.encode() + picture + b"\r\n")
    threading.Event().wait(60)


def basic(request: BaseHTTPRequestHandler) -> None:
    """MJPEG for whoever knows the password."""
    if request.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:p@ss/hunter2").decode():
        mjpeg(request)
    else:
        request.send_response(401)
        request.send_header("WWW-Authenticate", 'Basic realm="camera"')
        request.end_headers()


def digest(request: BaseHTTPRequestHandler) -> None:
    """The same, as most cameras ask."""
    given = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("Authorization") or ""))
    first = hashlib.md5(b"me:camera:p@ss/hunter2").hexdigest()
    second = hashlib.md5(f"GET:{request.path}".encode()).hexdigest()
    whole = ":".join([first, "0123", given.get("nc", ""), given.get("cnonce", ""), "auth", second])
    if given.get("response") == hashlib.md5(whole.encode()).hexdigest():
        mjpeg(request)
    else:
        request.send_response(401)
        request.send_header("WWW-Authenticate", CHALLENGE)
        request.end_headers()


def by_digest(*challenges: str, works: str) -> Answer:
    """MJPEG for whoever answers one of several challenges with the algorithm that this camera means."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        header = request.headers.get("Authorization") or ""
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', header))
        made = hashlib.new(works.replace("-", "").lower())

        def hashed(text: str) -> str:
            other = made.copy()
            other.update(text.encode())
            return other.hexdigest()

        first, second = hashed("me:camera:p@ss/hunter2"), hashed(f"GET:{request.path}")
        whole = f"{first}:0123:{given.get('nc', '')}:{given.get('cnonce', '')}:auth:{second}"
        if given.get("response") == hashed(whole) and given.get("algorithm") == works:
            mjpeg(request)
            return
        request.send_response(401)
        for each in challenges:
            request.send_header("WWW-Authenticate", each)
        request.end_headers()

    return answer


def asking(algorithm: str) -> str:
    return f'Digest realm="camera", qop="auth", nonce="0123", algorithm={algorithm}'


def odd(kind: str | None, before: bytes, between: bytes, *, close: bool = True) -> Answer:
    """MJPEG as small cameras send it."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        if kind is not None:
            request.send_header("Content-Type", kind)
        request.end_headers()
        request.wfile.write(before)
        while True:
            for picture in PICTURES:
                request.wfile.write(picture + between.replace(b"LENGTH", str(len(picture)).encode()))
                time.sleep(0.05)

    return answer


THUMBED = photos.encode(photos.resized(photos.astronaut(), 96))
WITH_THUMBNAIL = PICTURES[0][:2] + b"\xff\xe1" + (len(THUMBED) + 2).to_bytes(2) + THUMBED + PICTURES[0][2:]
PARTS = "multipart/x-mixed-replace; boundary=frame"
ODD: dict[str, Answer] = {
    "no-boundary-first": odd(
        PARTS, b"Content-Type: image/jpeg\r\n\r\n", b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"
    ),
    "nothing-first": odd(PARTS, b"", b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: LENGTH\r\n\r\n"),
    "parts-without-type": odd(PARTS, b"--frame\r\n\r\n", b"\r\n--frame\r\n\r\n"),
    "no-type": odd(
        None, b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n", b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"
    ),
    "no-type-nor-parts": odd(None, b"", b""),
    "octets": odd("application/octet-stream", b"--x\r\nContent-Length: 1\r\n\r\n", b"\n--x\nX-Timestamp: 0.1\n\n"),
    "wrong-boundary": odd("multipart/x-mixed-replace;boundary=other", b"--frame\r\n\r\n", b"--frame\r\n\r\n"),
    "no-boundary-named": odd("multipart/x-mixed-replace", b"--frame\n\n", b"\n--frame\n\n"),
}
DIGESTS: dict[str, Answer] = {
    "sha": by_digest(asking("SHA-256"), works="SHA-256"),
    "sha-first": by_digest(asking("SHA-256"), asking("MD5"), works="SHA-256"),
    "sha-last": by_digest(asking("MD5"), asking("SHA-256"), works="SHA-256"),
    "one-header": by_digest(f"{asking('MD5')}, {asking('SHA-256')}", works="SHA-256"),
    "basic-too": by_digest('Basic realm="camera"', asking("SHA-256"), works="SHA-256"),
    "unheard-too": by_digest(asking("SHA3-512"), asking("MD5"), works="MD5"),
    "unheard": by_digest(asking("SHA3-512"), works="SHA-512"),
}


class Stills:
    """A camera with one picture at a time."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        data = PICTURES[self.asked % len(PICTURES)]
        self.asked += 1
        request.send_response(200)
        if request.path != "/still-bare":
            request.send_header("Content-Type", "image/jpeg")
            request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
        request.close_connection = True


def to(place: str) -> Answer:
    """A redirection."""
    return plain(b"", status=302, Location=place)


def playlist(*entries: str) -> Answer:
    """A playlist (HLS)."""
    lines = [line for entry in entries for line in ("#EXTINF:1,", entry)]
    text = "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:1", *lines, "#EXT-X-ENDLIST", ""])
    return plain(text.encode(), "application/vnd.apple.mpegurl")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hls")
    clips.video(folder / "walk.mp4", clips.walk(50, (320, 180)))
    with av.open(str(folder / "list.m3u8"), "w", "hls", options={"hls_time": "0.4"}) as out:
        stream = out.add_stream("libx264", 10)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 180, "yuv420p", 4
        for picture in clips.walk(20, (320, 180)):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(stream.encode(None))
    answers: dict[str, Answer] = {
        "/mjpeg": mjpeg,
        "/hurt": hurt,
        "/silent": silent,
        "/falls-silent": falls_silent,
        "/basic": basic,
        "/digest": digest,
        "/moved": to("/mjpeg"),
        "/still": Stills(),
        "/still-bare": Stills(),
        "/no-still": plain(b"no picture", "image/jpeg"),
        "/thumbnail": plain(WITH_THUMBNAIL, "image/jpeg"),
        **{f"/odd/{name}": answer for name, answer in ODD.items()},
        **{f"/digest/{name}": answer for name, answer in DIGESTS.items()},
        "/inside": to("http://127.0.0.2/"),
        "/file": to("file:///etc/passwd"),
        "/ring": to("/ring"),
        "/page": plain(b"<html>a camera's page</html>", "text/html"),
        "/fault": plain(b"", status=500),
        "/walk.mp4": plain((folder / "walk.mp4").read_bytes(), "video/mp4"),
        "/leads.m3u8": playlist("http://127.0.0.2/a.ts"),
        "/reads.m3u8": playlist("file:///etc/passwd.ts"),
        "/odd": playlist("list0.ts"),
    }
    for part in folder.glob("list*"):
        answers[f"/{part.name}"] = plain(part.read_bytes(), "application/octet-stream")
    with serving(answers) as url:
        yield url


def at(server: str, path: str, who: str = "") -> str:
    return server.replace("://", f"://{who}") + path


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/mjpeg", ""),
        ("/moved", ""),
        ("/basic", "me:p%40ss%2Fhunter2@"),
        ("/digest?channel=1", "me:p%40ss%2Fhunter2@"),
    ],
)
def test_mjpeg(server: str, path: str, who: str) -> None:
    with watching(at(server, path, who), fps=5) as reader:
        last = 35 if path == "/mjpeg" else 2
        status, frame = until(reader, lambda _, frame: frame is not None and frame.number > last)
    assert status.state == "live"
    assert frame is not None
    assert (frame.width, frame.height) == (320, 180)
    if path == "/mjpeg":
        assert frame.position == pytest.approx(frame.number / 20, rel=0.5)  # by the clock on the wall: it has none
        assert 5 < status.source_fps < 21


@pytest.mark.parametrize("name", ODD)
def test_mjpeg_as_small_cameras_send_it(server: str, name: str) -> None:
    with watching(at(server, f"/odd/{name}"), fps=5) as reader:
        status, frame = until(reader, lambda _, frame: frame is not None and frame.number > 10)
    assert (status.state, status.counts.damaged, status.counts.opened) == ("live", 0, 1)
    assert frame is not None
    assert (frame.width, frame.height) == (320, 180)


@pytest.mark.parametrize("name", [name for name in DIGESTS if name != "unheard"])
def test_digests(server: str, name: str) -> None:
    status, frame = look(Camera("a", at(server, f"/digest/{name}", "me:p%40ss%2Fhunter2@"), "g"), LOCAL, 20)
    assert frame is not None, status


@pytest.mark.parametrize(
    ("path", "who", "said"),
    [
        ("/digest/unheard", "me:p%40ss%2Fhunter2@", "a login of a kind that is not known here (Digest SHA3-512)"),
        ("/digest/sha", "me:hunter3@", "refuses the user and the password"),
        ("/digest/sha", "", "asks for a user and a password"),
    ],
)
def test_a_refusal_says_what_is_wrong(server: str, path: str, who: str, said: str) -> None:
    status, _ = look(Camera("a", at(server, path, who), "g"), LOCAL, 20)
    assert status.reason == "source_refused"
    assert said in str(status.detail)
    assert "hunter" not in str(status)


@pytest.mark.parametrize("path", ["/still", "/still-bare"])
def test_one_picture_every_so_many_seconds(server: str, path: str) -> None:
    with watching(at(server, path), fps=5, picture_seconds=0.3, stall_seconds=1) as reader:
        status, frame = until(reader, lambda _, frame: frame is not None and frame.number >= 4)
    assert (status.state, status.counts.opened) == ("live", 1)
    assert frame is not None
    assert frame.position == pytest.approx(0.3 * frame.number, rel=0.9)
    with watching(at(server, path), fps=5, picture_seconds=60, stall_seconds=1) as reader:  # silence is no stall
        until(reader, lambda _, frame: frame is not None)
        time.sleep(1.5)
        assert reader.status().state == "live"


def test_a_still_that_is_none(server: str) -> None:
    status, frame = look(Camera("a", at(server, "/no-still"), "g"), LOCAL, 20)
    assert (status.state, status.reason, frame) == ("failed", "not_a_video", None)


def test_pictures_are_found_in_any_pieces() -> None:
    """Thumbnails inside, rubbish between, one without an end, and whatever cuts the network makes."""
    pictures = [PICTURES[0], WITH_THUMBNAIL, PICTURES[1][:-2], PICTURES[2]]
    data = b"rubbish\xff\xd8".join([b"", *pictures])
    for size in (1, 7, 1000, len(data)):
        splitter = Splitter(10**6)
        found = [each for at in range(0, len(data), size) for each in splitter.split(data[at : at + size])]
        found += splitter.split(b"")
        assert found[0] == pictures[0]
        assert found[1] == pictures[1]
        assert found[2].startswith(pictures[2])
        assert found[-1] == pictures[3]
    with pytest.raises(NoVideo, match="1,000 bytes"):
        list(Splitter(1000).split(PICTURES[0][:-2] + bytes(2000)))


def test_playlists(server: str) -> None:
    for path in ("/list.m3u8", "/odd"):
        with watching(at(server, path), fps=5, realtime=False) as reader:
            frames = everything(reader)
            assert reader.status().state == "ended"
        assert len(frames) == (10 if path == "/list.m3u8" else 2)
        assert (frames[0].width, frames[0].height) == (320, 180)


def test_a_file_over_http_whose_index_is_at_its_end(server: str) -> None:
    with watching(at(server, "/walk.mp4"), fps=5, realtime=False) as reader:
        assert len(everything(reader)) == 10
        assert reader.status().state == "ended"


@pytest.mark.parametrize(
    ("path", "who", "reason"),
    [
        ("/basic", "me:hunter3@", "source_refused"),
        ("/basic", "", "source_refused"),
        ("/digest", "me:hunter3@", "source_refused"),
        ("/nothing", "me:hunter3@", "source_refused"),
        ("/page", "", "not_a_video"),
        ("/hurt", "", "not_a_video"),
        ("/fault", "me:hunter3@", "source_unreachable"),
        ("/ring", "", "source_refused"),
        ("/inside", "me:hunter3@", "source_not_allowed"),
        ("/file", "", "source_refused"),
        ("/leads.m3u8", "", "source_not_allowed"),
        ("/reads.m3u8", "", "invalid_source"),
    ],
)
def test_what_is_not_shown(server: str, path: str, who: str, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    camera = Camera("a", at(server, path, who), "g", stall_seconds=0.5)
    status, frame = look(camera, LOCAL, 20)
    assert (status.state, status.reason, frame) == ("failed", reason, None), status
    assert "hunter" not in repr(status) + "".join(capfd.readouterr())


def test_a_server_that_says_nothing(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg_opening, "OPENING", 1.0)
    silent, later = at(server, "/silent"), at(server, "/falls-silent")
    with watching(silent, stall_seconds=1) as never, watching(later, stall_seconds=1) as then:
        until(then, lambda _, frame: frame is not None)
        status, _ = until(then, lambda status, _: status.state == "stalled")
        assert status.reason == "source_stalled"
        until(then, lambda status, frame: status.counts.opened > 1 and frame is not None)  # and is opened anew
        status, _ = until(never, lambda status, _: status.state == "failed")
        assert status.reason == "source_unreachable"


def test_without_the_setting_nothing_at_home_is_opened(server: str) -> None:
    status, _ = look(Camera("a", at(server, "/mjpeg"), "g"), Cameras(), 20)
    assert status.reason == "source_not_allowed"
    assert "127.0.0.1/32" in str(status.detail)
