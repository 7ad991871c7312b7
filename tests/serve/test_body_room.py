"""How many bytes the bodies of all requests may take together: who has no room is refused before anything is read."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from facegroup.settings import Limits
from serve.api.body_memory import BodyMemory
from serve.api.limits import Guard

SIZE = 64 * 1000
"""Of the room: bodies of up to 1,000 bytes are small, and larger ones get 48,000 together."""


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


class Server:
    """A guard before a route that reads the body and answers when it is told to."""

    def __init__(self, **limits: float) -> None:
        self.room = BodyMemory(SIZE)
        self.open = asyncio.Event()
        self.guard = Guard(self._route, Limits.model_validate(limits), lambda count: True, self.room)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        if scope["path"] == "/v1/broken":
            raise RuntimeError("a bug")
        await self.open.wait()
        await PlainTextResponse(str(len(body)))(scope, receive, send)

    def ask(
        self,
        size: int,
        announced: int | None = -1,
        method: str = "POST",
        path: str = "/v1/detect",
        kind: str = "image/jpeg",
    ) -> "Asked":
        return Asked(self, size, size if announced == -1 else announced, method, path, kind)


class Asked:
    """One request."""

    def __init__(self, server: Server, size: int, announced: int | None, method: str, path: str, kind: str) -> None:
        self.taken = 0
        self.sent: list[Message] = []
        self._left = size
        headers = [(b"content-type", kind.encode())]
        if announced is not None:
            headers.append((b"content-length", str(announced).encode()))
        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
        self.task = asyncio.ensure_future(server.guard(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        part = min(500, self._left)
        self._left -= part
        self.taken += part
        await asyncio.sleep(0)
        return {"type": "http.request", "body": bytes(part), "more_body": self._left > 0}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"]) if self.sent else 0

    def refused(self) -> bool:
        """Say whether it was refused as the server has no room, having looked at the answer."""
        if self.status != 429:
            return False
        headers = dict(self.sent[0]["headers"])
        assert int(headers[b"retry-after"]) >= 1
        assert json.loads(self.sent[1]["body"])["code"] == "overloaded"
        return True


async def settle() -> None:
    for _ in range(500):
        await asyncio.sleep(0)


def test_bodies_that_have_no_room_are_refused_unread() -> None:
    async def scenario() -> None:
        server = Server()
        asked = [server.ask(10_000) for _ in range(8)]
        await settle()
        assert [each.refused() for each in asked] == [False] * 4 + [True] * 4
        assert [each.taken for each in asked] == [10_000] * 4 + [0] * 4
        server.open.set()
        await asyncio.gather(*(each.task for each in asked))
        assert [each.status for each in asked] == [200] * 4 + [429] * 4
        assert server.room.taken == 0
        again = [server.ask(10_000) for _ in range(4)]
        await asyncio.gather(*(each.task for each in again))
        assert [each.status for each in again] == [200] * 4

    run(scenario)


@pytest.mark.parametrize("announced", [None, 10], ids=["chunked", "lying"])
def test_bytes_that_nobody_announced_are_counted(announced: int | None) -> None:
    async def scenario() -> None:
        server = Server()
        asked = [server.ask(40_000, announced), server.ask(20_000, announced)]
        await settle()
        assert [each.refused() for each in asked].count(True) == 1
        assert sum(each.taken for each in asked) <= 49_000
        server.open.set()
        await asyncio.gather(*(each.task for each in asked))
        assert server.room.taken == 0

    run(scenario)


def test_the_last_quarter_is_for_small_bodies() -> None:
    async def scenario() -> None:
        server = Server()
        large = [server.ask(16_000) for _ in range(4)]
        await settle()
        assert [each.refused() for each in large] == [False, False, False, True]
        small = [server.ask(1_000) for _ in range(17)]
        await settle()
        assert [each.refused() for each in small] == [False] * 16 + [True]
        server.open.set()

    run(scenario)


def test_one_body_alone_is_taken_however_large() -> None:
    async def scenario() -> None:
        server = Server()
        server.open.set()
        for announced in (-1, None):
            alone = server.ask(200_000, announced)
            await alone.task
            assert alone.status == 200
        assert server.room.taken == 0

    run(scenario)


@pytest.mark.parametrize(
    ("size", "limits", "path", "kind", "status"),
    [
        (10_000, {"image_bytes": 9_000}, "/v1/detect", "image/png", 413),
        (10_000, {"body_bytes": 9_000}, "/v1/detect", "multipart/form-data", 413),
        (10_000, {"json_bytes": 9_000}, "/v1/detect", "application/json", 413),
        (10_000, {"request_seconds": 0.05}, "/v1/detect", "image/png", 503),
        (10_000, {}, "/v1/broken", "image/png", 500),
    ],
)
def test_the_room_of_a_body_is_free_again_however_its_request_ends(
    size: int, limits: dict[str, float], path: str, kind: str, status: int
) -> None:
    async def scenario() -> None:
        server = Server(**limits)
        for announced in (size, None):
            asked = server.ask(size, announced, path=path, kind=kind)
            await asked.task
            assert (asked.status, server.room.taken) == (status, 0)
        gone = server.ask(size, path="/v1/detect", kind="text/plain")
        await asyncio.sleep(0.01)
        gone.task.cancel()
        await asyncio.gather(gone.task, return_exceptions=True)
        assert server.room.taken == 0

    run(scenario)


def test_videos_take_no_room() -> None:
    async def scenario() -> None:
        server = Server()
        asked = [server.ask(60_000, path="/v1/videos", kind="video/mp4") for _ in range(3)]
        await settle()
        assert [each.taken for each in asked] == [60_000] * 3
        assert server.room.taken == 0
        server.open.set()

    run(scenario)
