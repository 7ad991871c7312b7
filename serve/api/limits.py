"""ASGI middleware around all routes: a request's id, its size, its time. Ray Serve itself limits none of them.

Its word is the last: whatever a route makes of a body that was cut off, of the time that ran out or of an error that
nobody foresaw, the answer is the problem that is told here.
"""

import asyncio
import logging
import re
import secrets
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facegroup.errors import BodyTooLarge, FacegroupError, ImageTooLarge, Overloaded, TimedOut
from facegroup.settings import Limits
from serve.api.body_memory import BodyMemory
from serve.api.problems import problem

log = logging.getLogger("ray.serve")

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PHOTO = ("image/", "application/octet-stream")
_PHOTOS = (*_PHOTO, "multipart/")
_ENDLESS = frozenset({"/v1/sightings/stream", "/v1/videos"})
"""Answers that go on until the caller leaves, and bodies that may take long to come."""
_VIDEOS = "/v1/videos"


def refusal(scope: Scope, has_room: Callable[[int], bool]) -> ASGIApp | None:
    """Return the answer to photos for which there is no room, None to whatever is to be let in.

    They are refused before they are read or any route is looked for: what is shed must cost next to nothing, or shedding
    takes the time that answers need.

    Args:
        scope: of an HTTP request.
        has_room: whether so many more photos would be taken now; asked only of photos, as who is told no counts as shed.
    """
    if scope["method"] != "POST" or scope["path"].rstrip("/") == _VIDEOS:
        return None
    headers = Headers(scope=scope)
    if not headers.get("content-type", _PHOTOS[0]).lower().startswith(_PHOTOS) or has_room(1):
        return None
    name = request_id(headers)
    full = problem(Overloaded("the server has too much to do; try again later"), name)
    full.headers["x-request-id"] = name
    return full


class Guard:
    """Refuses bodies over the limit before they are read whole, gives up slow requests, and names every answer.

    So it does with bodies for which there is no room beside those of other requests.

    Photos for which there is no room it refuses, too, where nothing in front of Serve does (serve/early_refusal.py).

    Args:
        app: the routes.
        limits: of one request.
        has_room: whether so many more photos would be taken now.
        room: for the bodies of all requests.
    """

    def __init__(self, app: ASGIApp, limits: Limits, has_room: Callable[[int], bool], room: BodyMemory) -> None:
        self._app = app
        self._limits = limits
        self._has_room = has_room
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        full = refusal(scope, self._has_room)
        if full is not None:
            await full(scope, receive, send)
            return
        headers = Headers(scope=scope)
        name = request_id(headers)
        scope.setdefault("state", {})["request_id"] = name
        body = _Body(receive, scope, self._limits, self._room)
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["x-request-id"] = name
            await send(message)

        async def unless_refused(message: Message) -> None:
            if body.refused is None or started:
                await named(message)

        failure: FacegroupError | None = None
        try:
            async with asyncio.timeout(None if scope["path"] in _ENDLESS else self._limits.request_seconds):
                await self._app(scope, body, unless_refused)
        except ClientDisconnect:
            return
        except TimeoutError:
            failure = TimedOut(f"the request took longer than {self._limits.request_seconds:g} seconds")
        except Exception as error:
            if started:
                raise
            if body.refused is None:
                # The text of an unforeseen error may hold anything; it goes to the log, its name to the caller.
                log.error("request %s failed", name, exc_info=error)
                failure = FacegroupError("the server failed; its log says more under this request id")
        finally:
            body.release()
        failure = body.refused or failure
        if failure is not None and not started:
            await problem(failure, name, close=True)(scope, receive, named)


def request_id(headers: Headers) -> str:
    """Return the id of a request: the caller's own where it can be one, else a new one."""
    asked = headers.get("x-request-id", "")
    return asked if _ID.fullmatch(asked) else secrets.token_hex(8)


class _Body:
    """A request's body, as long as it is no larger than it may be, alone and beside all others.

    Attributes:
        refused: the error, once the body was too large. It is raised to whoever reads, too; but frameworks catch what is
            raised while they read.
    """

    def __init__(self, receive: Receive, scope: Scope, limits: Limits, room: BodyMemory) -> None:
        self.refused: FacegroupError | None = None
        self._receive = receive
        headers = Headers(scope=scope)
        self._setting = _setting(scope, headers, limits)
        self._limit = getattr(limits, self._setting)
        announced = headers.get("content-length", "")
        digits = announced.lstrip("0")
        # Of a number of any length: more than 18 digits are too many bytes, whatever they are.
        self._announced = (10**18 if len(digits) > 18 else int(digits or "0")) if announced.isdecimal() else 0
        self._read = 0
        self._room = None if self._setting == "video_bytes" else room  # videos are not kept in memory
        self._taken = 0

    async def __call__(self) -> Message:
        """Receive the next part."""
        self._check(self._announced)
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._check(self._read)
        return message

    def release(self) -> None:
        """Say that nothing of it is in memory any more."""
        if self._room is not None:
            self._room.give(self._taken)
        self._taken = 0

    def _check(self, size: int) -> None:
        """Refuse a body of so many bytes, or take the room for it."""
        if size > self._limit and self.refused is None:
            kind, what = (ImageTooLarge, "image") if self._setting == "image_bytes" else (BodyTooLarge, "body")
            self.refused = kind(
                f"the {what} is larger than {self._limit:,} bytes ({self._setting}); send "
                + ("a smaller one" if kind is ImageTooLarge else "less at once")
            )
        more = size - self._taken
        if self.refused is None and more > 0 and self._room is not None:
            if self._room.has(more, self._taken):
                self._room.take(more)
                self._taken = size
            else:
                self.refused = Overloaded("the server holds as many bodies as it has room for; try again later")
        if self.refused is not None:
            raise self.refused


def _setting(scope: Scope, headers: Headers, limits: Limits) -> str:
    """Return the name of the limit that holds for a body: of several the least."""
    if scope["path"] == _VIDEOS:
        return "video_bytes"
    kind = headers.get("content-type", "").lower()
    settings = ["body_bytes"]
    if "json" in kind:
        settings.append("json_bytes")
    elif scope["method"] == "POST" and (not kind or kind.startswith(_PHOTO)):
        settings.append("image_bytes")
    return min(settings, key=lambda setting: getattr(limits, setting))
