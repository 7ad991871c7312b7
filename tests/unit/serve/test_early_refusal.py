"""What stands in front of Ray Serve."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from serve import early_refusal
from serve.api.limits import refusal
from serve.early_refusal import EarlyRefusal, middlewares


@pytest.fixture(autouse=True)
def _nobody_else_is_asked() -> Iterator[None]:
    before = list(early_refusal._refuse)
    early_refusal._refuse.clear()
    yield
    early_refusal._refuse[:] = before


class Behind:
    """Serve, as far as the door sees it: answers, names the answer twice, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope)
        answer = PlainTextResponse("in", headers={"x-request-id": "ours", "x-other": "kept"})
        answer.raw_headers.append((b"X-Request-ID", b"Serve's"))
        if scope["type"] == "http":
            await answer(scope, receive, send)


def through(behind: Behind, **scope: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the door reads nothing")

    async def send(message: Any) -> None:
        sent.append(message)

    (middleware,) = middlewares()
    app = middleware.cls(behind, *middleware.args, **middleware.kwargs)
    assert isinstance(app, EarlyRefusal)
    asyncio.run(app({"type": "http", "method": "POST", "path": "/", "headers": [], **scope}, receive, send))
    if not sent:
        return 0, [], b""
    return sent[0]["status"], sent[0]["headers"], sent[1]["body"]


def test_who_is_refused_does_not_get_in() -> None:
    behind = Behind()
    early_refusal.watch(lambda scope: PlainTextResponse("out", 429) if scope["path"] == "/full" else None)
    assert through(behind, path="/full")[::2] == (429, b"out")
    assert behind.asked == []
    assert through(behind, path="/room")[::2] == (200, b"in")
    assert [scope["path"] for scope in behind.asked] == ["/room"]


def test_a_page_is_refused_by_the_application_which_knows_what_it_may_read() -> None:
    behind = Behind()
    early_refusal.watch(lambda scope: PlainTextResponse("out", 429))
    assert through(behind, headers=[(b"origin", b"https://app.example.org")])[::2] == (200, b"in")
    assert through(behind, headers=[(b"x-origin", b"https://app.example.org")])[::2] == (429, b"out")


@pytest.mark.parametrize(
    ("method", "path", "kind", "shed"),
    [
        ("POST", "/v1/videos", b"multipart/form-data", False),
        ("POST", "/v1/videos/", b"multipart/form-data", False),
        ("POST", "/v1/videos/", b"application/octet-stream", False),
        ("POST", "/v1/detect", b"image/jpeg", True),
        ("POST", "/v1/detect/", b"image/jpeg", True),
        ("POST", "/v1/detect", b"application/json", False),
        ("GET", "/v1/videos/", b"", False),
        ("POST", "/v1/galleries/videos/people", b"multipart/form-data", True),
    ],
)
def test_only_photos_are_shed_as_photos(method: str, path: str, kind: bytes, shed: bool) -> None:
    scope = {"type": "http", "method": method, "path": path, "headers": [(b"content-type", kind)]}
    assert (refusal(scope, lambda count: False) is not None) == shed


def test_nobody_is_refused_where_nobody_refuses_and_the_last_who_does_is_asked() -> None:
    behind = Behind()
    assert through(behind)[0] == 200
    early_refusal.watch(lambda scope: PlainTextResponse("first", 429))
    early_refusal.watch(lambda scope: PlainTextResponse("second", 503))
    assert through(behind)[::2] == (503, b"second")


def test_an_answer_has_one_id_the_applications() -> None:
    status, headers, body = through(Behind())
    assert (status, body) == (200, b"in")
    assert [value for name, value in headers if name.lower() == b"x-request-id"] == [b"ours"]
    assert (b"x-other", b"kept") in headers
    assert dict(headers)[b"content-length"] == b"2"


def test_what_is_no_request_goes_through() -> None:
    behind = Behind()
    early_refusal.watch(lambda scope: PlainTextResponse("out", 429))
    through(behind, type="lifespan")
    assert [scope["type"] for scope in behind.asked] == ["lifespan"]


SECRET = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "guard", [[], [b""], [b"x"], [SECRET[:-1].encode()], [SECRET.upper().encode()], [SECRET.encode(), b"x"], [b"\xff"]]
)
def test_on_a_cluster_nobody_goes_around_haproxy(guard: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "1")
    monkeypatch.setenv("HAPROXY_SECRET", SECRET)
    behind = Behind()
    for path in ("/v1/galleries", "/healthz", "/-/routes"):
        status, _, body = through(behind, path=path, headers=[(b"x-facegroup-guard", each) for each in guard])
        assert status == 503
        assert b"stage_unavailable" in body
        assert SECRET.encode() not in body
    assert behind.asked == []


def test_what_haproxy_sends_gets_in_and_the_secret_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "1")
    monkeypatch.setenv("HAPROXY_SECRET", SECRET)
    behind = Behind()
    assert through(behind, headers=[(b"x-facegroup-guard", SECRET.encode())])[0] == 200
    assert not [value for _, value in behind.asked[0]["headers"] if value == SECRET.encode()]
