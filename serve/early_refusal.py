"""Middleware in front of Ray Serve: what Serve takes to handle a request is not spent on one that is refused.

Serve calls `middlewares` in each process that listens, as RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH says (launch.py). It
knows no application then, so whoever can refuse says so later, to `watch`. Where nobody does, or the variable is not set,
the application refuses by itself, in the same words and for three times the work. What this imports is small: Serve's
proxies load it, too. It takes from requests what would command Serve, and makes problems of Serve's own answers.
"""

import asyncio
import json
import logging
import os
import re
import secrets
from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.haproxy_config import ANSWERS, HEADER, problem

log = logging.getLogger("ray.serve")

_ID = b"x-request-id"
_ORIGIN = b"origin"
_NAME = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_INSTANCE = HEADER.encode()
_COMMANDS = re.compile(
    rb"x-request-timeout-seconds|x-request-disconnect-disabled|x-session-id|serve[-_]multiplexed[-_]model[-_]id|"
    + _INSTANCE
)
"""Headers by which a client would tell Serve how to handle its request, and HAProxy's own."""
_AS = {404: 503, 429: 503, 500: 502}
"""Statuses of Serve that mean another: it has no application yet, no room, or lost the process that had the request."""
_FALLBACK = {**_AS, 408: 503}
_WAIT = (b"x-request-timeout-seconds", b"65")
"""Behind HAProxy, Serve's own proxy has a request when there is no ingress, and would wait for one without end."""

_refuse: list[Callable[[Scope], ASGIApp | None]] = []


def watch(refuse: Callable[[Scope], ASGIApp | None]) -> None:
    """Ask this, from now on, of every request of the process: it returns the answer, or None for one to let in."""
    _refuse[:] = [refuse]


def middlewares() -> list[Middleware]:
    """Return what Serve puts in front of itself."""
    behind = os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1"
    return [Middleware(EarlyRefusal, instance=os.environ.get("FACEGROUP_INSTANCE", ""), behind=behind)]


class EarlyRefusal:
    """Answers what is refused or is another server's, and what Serve would answer in plain text.

    From every other answer it takes the second request id that Serve gives it.

    Args:
        app: Serve.
        instance: name of this server; empty: nobody asks.
        behind: whether HAProxy is in front.
    """

    def __init__(self, app: ASGIApp, instance: str = "", *, behind: bool = False) -> None:
        self._app = app
        self._instance = instance.encode()
        self._behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        meant = self._instance
        headers, names = [], set()
        for header in scope["headers"]:
            name, value = header
            names.add(name)
            if name == _INSTANCE:
                meant = value
            if not _COMMANDS.fullmatch(name) and (name != _ID or _NAME.fullmatch(value)):
                headers.append(header)
        fallback = self._behind and not _refuse
        scope["headers"] = [*headers, _WAIT] if fallback else headers
        if self._instance and meant != self._instance:
            # A port was another server's before, and whoever sent this does not know yet.
            await _answer(503, b"", send)
            return
        # What a page of another origin may read of a refusal, the application says.
        for refuse in () if _ORIGIN in names else _refuse:
            refusal = refuse(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        started = replaced = False

        async def own(message: Message) -> None:
            nonlocal started, replaced
            if replaced:
                return
            if message["type"] == "http.response.start":
                started = True
                headers = list(message.get("headers", ()))
                ids = [header for header in headers if header[0].lower() == _ID]
                status = (_FALLBACK if fallback else _AS).get(message["status"], message["status"])
                if status in ANSWERS and _is_plain(headers):
                    replaced = True
                    await _answer(status, ids[0][1] if ids else b"", send)
                    return
                others = [header for header in headers if header[0].lower() != _ID]
                message = {**message, "headers": others + ids[:1]}
            await send(message)

        lost = 502
        try:
            await self._app(scope, receive, own)
        except asyncio.CancelledError:
            pass  # so Serve ends a request whose process was lost, with or without an answer
        except Exception:
            if started:
                raise
            log.exception("Serve failed")
            lost = 500
        if not started:
            await _answer(lost, b"", send)


def _is_plain(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/plain") for name, value in headers)


async def _answer(own: int, name: bytes, send: Send) -> None:
    """Send the problem that is told under a status (haproxy_config.py)."""
    status, *_, retry_after = ANSWERS[own]
    name = name or secrets.token_hex(8).encode()
    body = json.dumps(problem(own, name.decode("latin-1"))).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body)), (_ID, name)]
    if retry_after is not None:
        headers.append((b"retry-after", b"%d" % retry_after))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
