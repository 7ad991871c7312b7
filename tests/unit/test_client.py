"""The client against a server that says no: what it asks again, how it cuts what is too large, what is a photo's own."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from facegroup.client import Client
from facegroup.errors import (
    BodyTooLarge,
    FacegroupError,
    ImageTooLarge,
    InvalidName,
    NoFace,
    NotAnImage,
    Overloaded,
    StageUnavailable,
    StoreUnavailable,
    StoreWentBack,
    TimedOut,
    TooManyImages,
)
from facegroup.pipeline.messages import PhotoResult

PERSON = {"id": "ada", "name": "Ada", "metadata": {}, "photos": 1, "created_at": 0, "updated_at": 0, "expires_at": None}
GALLERY = {
    "name": "g",
    "network": "n",
    "dimension": 2,
    "threshold": 0.4,
    "keep_crops": True,
    "gallery_version": 1,
    "people": 1,
    "created_at": 0,
    "damaged": 0,
    "quality": "off",
    "probe_quality": "off",
    "calibration": None,
}

Judge = Callable[[str, str, list[bytes]], FacegroupError | str | None]


class Asked:
    """One request: method, path, key and photos."""

    def __init__(self, method: str, path: str, key: str | None, photos: list[bytes]) -> None:
        self.method, self.path, self.key, self.photos = method, path, key, photos


class Stub:
    """A server that judges each request, and answers the good ones as facegroup's does."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.judge: Judge = lambda method, path, photos: None
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                stub.answer(self)

            do_GET = do_PUT = do_PATCH = do_DELETE = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        mark = handler.headers.get("content-type", "").partition("boundary=")[2].encode()
        parts = body.split(b"--" + mark)[1:-1] if mark else []
        photos = [part.partition(b"\r\n\r\n")[2][:-2] for part in parts]
        path = handler.path.partition("?")[0]
        self.asked.append(Asked(handler.command, path, handler.headers.get("Idempotency-Key"), photos))
        verdict = self.judge(handler.command, path, photos)
        if verdict == "cut":
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        kind = "application/json"
        headers = {}
        if isinstance(verdict, FacegroupError):
            status, kind = verdict.status, "application/problem+json"
            said = json.dumps({"code": verdict.code, "status": status, "detail": verdict.detail})
            headers = {"retry-after": str(getattr(verdict, "retry_after", ""))}
        elif isinstance(verdict, str):
            status, said, kind = int(verdict), "<html>no</html>", "text/html"
        else:
            status, said = 200, json.dumps(self._good(path, photos))
        handler.send_response(status)
        for name, value in {**headers, "content-type": kind, "content-length": str(len(said))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(said.encode())

    def _good(self, path: str, photos: list[bytes]) -> Any:
        if path.endswith(("identify", "embed")):
            images = [{"name": "x", "width": len(each), "height": 1, "faces": []} for each in photos]
            return {"gallery": "g", "network": "n", "images": images, "gallery_version": 1, "degraded_reason": None}
        if path.endswith(("photos", "counter-examples")):
            kept, key = ("enrolled", "photo_id") if path.endswith("photos") else ("kept", "id")
            rows = [{"name": "x", key: each.decode(), "duplicate": False} for each in photos]
            return {"person": PERSON, "gallery_version": 1, kept: rows, "refused": [], "warnings": []}
        return GALLERY if path.count("/") == 3 else PERSON

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each wait was."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def first(times: int, *answers: FacegroupError | str, of: str = "POST") -> Judge:
    left = [answers[place % len(answers)] for place in range(times)]
    return lambda method, path, photos: left.pop(0) if method == of and left else None


@pytest.mark.parametrize(
    "refusals",
    [
        [Overloaded("full", 7)],
        [StageUnavailable("starting", 2), StoreUnavailable("away", 3)],
        ["503", "502", "429"],
        ["cut"],
        [StageUnavailable("starting", 2), "cut"],
    ],
)
def test_later_is_waited_for_and_nothing_is_done_twice(
    server: Stub, pauses: list[float], refusals: list[FacegroupError | str]
) -> None:
    server.judge = first(len(refusals), *refusals)
    with Client(server.url) as client:
        client.gallery("g")
        done = client.enrol("g", [("a", b"1"), ("b", b"22")], "ada")
        assert done.enrolled.added == ("1", "22")
        enrolments = [each for each in server.asked if each.path.endswith("/photos")]
        assert len(enrolments) == len(refusals) + 1
        assert len({each.key for each in enrolments}) == 1
        assert enrolments[0].key
        for pause, refusal in zip(pauses, refusals, strict=True):
            assert pause >= getattr(refusal, "retry_after", 1)
        server.judge = first(len(refusals), *refusals)
        assert client.create_person("g", "Ada").id == "ada"
        created = [each.key for each in server.asked if each.path.endswith("/people")]
        assert len(created) == len(refusals) + 1
        assert len(set(created)) == 1
        server.judge = first(len(refusals), *refusals)
        assert len(client.identify([b"1"], "g")) == 1


@pytest.mark.parametrize(
    ("refusal", "method", "call"),
    [
        (StoreWentBack("lost"), "GET", lambda client: client.gallery("g")),
        (StageUnavailable("lost"), "DELETE", lambda client: client.delete_person("g", "ada")),
        (StageUnavailable("lost"), "POST", lambda client: client.merge_people("g", "ada", "eve")),
        (InvalidName("no"), "POST", lambda client: client.create_person("g", "x")),
        (Overloaded("full", 61), "GET", lambda client: client.gallery("g")),
        (StageUnavailable("starting"), "GET", lambda client: client.about()),
    ],
)
def test_what_waiting_does_not_help_is_raised_at_once(
    server: Stub, pauses: list[float], refusal: FacegroupError, method: str, call: Callable[[Client], object]
) -> None:
    server.judge = first(1, refusal, of=method)
    with Client(server.url) as client, pytest.raises(type(refusal)):
        call(client)
    assert not pauses


def test_patience_ends(server: Stub, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegroup.remote.connection.time.monotonic", lambda: float(sum(pauses)))
    server.judge = first(1000, Overloaded("full", 9))
    with Client(server.url, patience=30) as client, pytest.raises(Overloaded):
        client.identify([b"1"], "g")
    assert 18 <= sum(pauses) <= 30
    with Client(server.url, patience=0) as client, pytest.raises(Overloaded):
        client.identify([b"1"], "g")


@pytest.mark.parametrize(
    ("answer", "where"),
    [(b"<html>hello</html>", "the body"), (b"[]", "the body"), (b'{"name": "g"}', "network"), (b"", "the body")],
)
def test_another_programs_answer_is_an_error_that_says_so(
    answer: bytes, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client("http://127.0.0.1:9") as client:
        monkeypatch.setattr(client._connection, "send", lambda *_, **__: httpx.Response(200, content=answer))
        with pytest.raises(FacegroupError, match=f"not understood \\({where}: ") as caught:
            client.gallery("g")
    assert "same version" in caught.value.detail


def test_a_wrong_address_is_said_at_once(pauses: list[float]) -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(StageUnavailable, match="no server answers"):
        client.gallery("g")
    assert not pauses


@pytest.mark.parametrize("refusal", [BodyTooLarge("no"), "413"])
@pytest.mark.parametrize("most", [40, 100, 1000])
def test_what_is_too_large_is_cut(server: Stub, most: int, refusal: FacegroupError | str) -> None:
    server.judge = lambda method, path, photos: refusal if sum(map(len, photos)) > most else None
    photos = [b"x" * size for size in (10, 20, 30, 90, 5, 5, 5, 39, 41, 10)]
    with Client(server.url) as client:
        seen = client.identify(photos, "g")
        done = client.enrol("g", [(str(place), data) for place, data in enumerate(photos)], "ada", key="mine")
        assert [each.width if isinstance(each, PhotoResult) else type(each) for each in seen] == [
            len(each) if len(each) <= most else BodyTooLarge for each in photos
        ]
        assert [len(key) for key in done.enrolled.added] == [len(each) for each in photos if len(each) <= most]
        assert [each.name for each in done.refused] == [str(i) for i, each in enumerate(photos) if len(each) > most]
        asked = [each for each in server.asked if each.path.endswith("/photos")]
        assert len({each.key for each in asked}) == len({tuple(each.photos) for each in asked})
        before = len(server.asked)
        client.identify(photos[:3], "g")
        assert all(sum(map(len, each.photos)) <= most for each in server.asked[before:]), "it has not learned"


def test_requests_have_a_limit_in_bytes_and_in_number(server: Stub) -> None:
    large = b"x" * (12 << 20)
    with Client(server.url) as client:
        assert len(client.identify([large] * 5, "g")) == 5
        assert len(client.describe([b"x"] * 250)) == 250
    assert [len(each.photos) for each in server.asked] == [2, 2, 1, 100, 100, 50]


@pytest.mark.parametrize("refusal", [TooManyImages("no"), TimedOut("no")])
def test_too_many_and_too_slow_are_halved(server: Stub, refusal: FacegroupError) -> None:
    server.judge = lambda method, path, photos: refusal if len(photos) > 3 else None
    with Client(server.url) as client:
        assert len(client.identify([b"x"] * 30, "g")) == 30


@pytest.mark.parametrize("refusal", [ImageTooLarge("no"), NotAnImage("no"), NoFace("no"), TimedOut("no")])
def test_the_refusal_of_a_single_photo_is_its_own(server: Stub, refusal: FacegroupError) -> None:
    server.judge = lambda method, path, photos: refusal if photos == [b"bad"] else None
    with Client(server.url) as client:
        (seen,) = client.identify([b"bad"], "g")
        (described,) = client.describe([b"bad"])
        done = client.enrol("g", [("bad.jpg", b"bad")], "ada")
    assert type(seen) is type(described) is type(refusal)
    assert [(each.name, type(each.error)) for each in done.refused] == [("bad.jpg", type(refusal))]
    assert done.enrolled.added == ()
