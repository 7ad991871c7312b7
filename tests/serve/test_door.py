"""What the door makes of requests and of Serve's answers; Serve itself is a few lines here."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from serve import early_refusal
from serve.early_refusal import EarlyRefusal
from serve.haproxy_config import HEADER


class Serve:
    """Answers what it is told to, as Serve would.

    Attributes:
        asked: headers of the last request, as it got them.
    """

    def __init__(self, status: int = 200, kind: str = "application/json", error: BaseException | None = None) -> None:
        self._status = status
        self._kind = kind
        self._error = error
        self.asked: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        if self._error:
            raise self._error
        headers = [(b"content-type", self._kind.encode()), (b"X-Request-ID", b"inner"), (b"x-request-id", b"outer")]
        start: Message = {"type": "http.response.start", "status": self._status, "headers": headers}
        await send(start)
        for more in (True, False):
            await send({"type": "http.response.body", "body": b"[]", "more_body": more})


async def _ask(serve: Serve, instance: str = "", *, behind: bool = False, **headers: str) -> httpx.Response:
    given = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(EarlyRefusal(serve, instance, behind=behind))) as client:
        return await client.get("http://x/", headers=given)


def ask(serve: Serve, instance: str = "", *, behind: bool = False, **headers: str) -> httpx.Response:
    return asyncio.run(_ask(serve, instance, behind=behind, **headers))


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (400, 400, "malformed_request"),
        (404, 503, "stage_unavailable"),
        (408, 408, "timed_out"),
        (429, 503, "stage_unavailable"),
        (500, 503, "stage_unavailable"),
        (502, 503, "stage_unavailable"),
        (503, 503, "stage_unavailable"),
        (504, 503, "stage_unavailable"),
    ],
)
def test_serves_own_answers_are_problems(status: int, told: int, code: str) -> None:
    answer = ask(Serve(status, "text/plain; charset=utf-8"))
    assert answer.status_code == told
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["code"], answer.json()["request_id"]) == (told, code, "inner")
    assert answer.headers.get_list("x-request-id") == ["inner"]
    assert ("retry-after" in answer.headers) == (told == 503)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, "text/plain"),
        (503, "application/json"),
        (404, "application/problem+json"),
        (500, "application/problem+json"),
        (499, "text/plain"),
    ],
)
def test_the_applications_answers_stay(status: int, kind: str) -> None:
    answer = ask(Serve(status, kind))
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (status, kind, b"[][]")
    assert answer.headers.get_list("x-request-id") == ["inner"]


def test_what_serve_raises_is_a_problem_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    answer = ask(Serve(error=UnicodeDecodeError("utf-8", b"secret", 0, 1, "no")))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert "Serve failed" in caplog.text


def test_a_request_whose_process_was_lost_may_be_sent_again() -> None:
    answer = ask(Serve(error=asyncio.CancelledError()))
    assert (answer.status_code, answer.json()["code"]) == (503, "stage_unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    "name",
    [
        "x-request-timeout-seconds",
        "x-request-disconnect-disabled",
        "x-session-id",
        "serve-multiplexed-model-id",
        "X-Request-Timeout-Seconds",
    ],
)
def test_nobody_outside_commands_serve(name: str) -> None:
    serve = Serve()
    given: dict[str, Any] = {name: "0.000001", "accept": "x/y"}
    assert ask(serve, **given).status_code == 200
    assert name.lower() not in serve.asked
    assert serve.asked["accept"] == "x/y"


def test_nothing_waits_for_an_ingress_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    serve = Serve(408, "text/plain")
    answer = ask(serve, behind=True)
    assert float(serve.asked["x-request-timeout-seconds"]) > 60, "an ingress that came must have its time"
    assert (answer.status_code, answer.json()["code"]) == (503, "stage_unavailable")
    monkeypatch.setattr(early_refusal, "_refuse", [lambda _: None])  # this is an ingress
    assert ask(serve, behind=True).status_code == 408
    assert "x-request-timeout-seconds" not in serve.asked


@pytest.mark.parametrize(("given", "taken"), [("a.b-c_1", True), ("é", False), ("x" * 65, False), ('"', False)])
def test_a_request_id_that_cannot_be_one_goes_no_further(given: str, taken: bool) -> None:
    serve = Serve()
    ask(serve, x_request_id=given)
    assert ("x-request-id" in serve.asked) == taken


@pytest.mark.parametrize(
    ("mine", "meant", "status"), [("a", "a", 200), ("a", None, 200), ("a", "b", 503), ("a", "", 503), ("", "b", 200)]
)
def test_a_request_for_another_server_is_refused(mine: str, meant: str | None, status: int) -> None:
    serve = Serve()
    headers: dict[str, Any] = {} if meant is None else {HEADER: meant}
    answer = ask(serve, mine, **headers)
    assert answer.status_code == status
    assert HEADER not in serve.asked
    if status == 503:
        assert json.loads(answer.content)["code"] == "stage_unavailable"
        assert answer.headers["retry-after"]
