"""ASGI middleware around all routes: a request's id, its size, its time. Ray Serve itself limits none of them."""

import asyncio
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facegroup.errors import BodyTooLarge, TimedOut
from facegroup.settings import Limits
from serve.api.problems import problem

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Guard:
    """Refuses bodies over the limit before they are read whole, gives up slow requests, and names every answer.

    Args:
        app: the routes.
        limits: of one request.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = headers.get("x-request-id", "")
        name = asked if _ID.fullmatch(asked) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = name
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["x-request-id"] = name
            await send(message)

        try:
            async with asyncio.timeout(self._limits.request_seconds):
                await self._app(scope, self._counted(headers, receive), named)
        except BodyTooLarge as error:
            if not started:
                await problem(error, name, close=True)(scope, receive, named)
        except TimeoutError:
            if not started:
                late = TimedOut(f"the request took longer than {self._limits.request_seconds:g} seconds")
                await problem(late, name, close=True)(scope, receive, named)

    def _counted(self, headers: Headers, receive: Receive) -> Receive:
        limit = self._limits.body_bytes
        announced = headers.get("content-length", "")
        too_large = BodyTooLarge(f"the body is larger than {limit:,} bytes (body_bytes); send fewer photos at once")
        read = 0

        async def counted() -> Message:
            nonlocal read
            if announced.isdecimal() and int(announced) > limit:
                raise too_large
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise too_large
            return message

        return counted
