"""Middleware in front of Ray Serve that refuses requests before Serve spends work on them.

Serve calls `middlewares` in each process that listens (RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH in ray_environment.py).
There is no application yet at that time, so the application registers its own check later, with `watch`. Without it, or
without the variable, the application refuses by itself, in the same words, for three times the work. The middleware also
removes headers that would command Serve, and turns Serve's plain-text answers into problems. Serve's proxies load this
module, so it imports little.
"""

import asyncio
import hmac
import json
import logging
import os
import re
import secrets
from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments import private_port
from serve.haproxy_config import ANSWERS, GUARD, HEADER, SECRET, problem
from serve.security_headers import secured

log = logging.getLogger("ray.serve")

_ID = b"x-request-id"
_ORIGIN = b"origin"
_NAME = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_INSTANCE = HEADER.encode()
_GUARD = GUARD.encode()
_COMMANDS = re.compile(
    rb"x-request-timeout-seconds|x-request-disconnect-disabled|x-session-id|serve[-_]multiplexed[-_]model[-_]id|"
    + _INSTANCE
    + b"|"
    + _GUARD
)
"""Headers that tell Serve how to handle a request, and those that HAProxy sets."""
_AS = {404: 503, 429: 503, 500: 502}
"""Statuses that replace Serve's own: it has no application yet, has no room, or lost the process with the request."""
_FALLBACK = {**_AS, 408: 503}
_WAIT = (b"x-request-timeout-seconds", b"65")
"""Serve's own proxy behind HAProxy gets requests while there is no ingress, and would wait for one for ever."""

_refuse: list[Callable[[Scope], ASGIApp | None]] = []


def watch(refuse: Callable[[Scope], ASGIApp | None]) -> None:
    """Register the check of every request in this process: it returns a refusal, or None to let the request in."""
    _refuse[:] = [refuse]


def middlewares() -> list[Middleware]:
    """Return the middleware for Serve to put in front of itself."""
    behind = os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1"
    secret = os.environ.get(SECRET, "") if behind else ""
    if behind:
        private_port.close_http()
    return [Middleware(EarlyRefusal, instance=os.environ.get("FACEGROUP_INSTANCE", ""), behind=behind, secret=secret)]


class EarlyRefusal:
    """Class that refuses requests early, and requests for another server, and replaces Serve's plain-text answers.

    It removes from every other answer the second request id that Serve adds.

    Args:
        app: Serve.
        instance: name of this server; an empty one is not checked.
        behind: whether HAProxy is in front.
        secret: that HAProxy sends; requests without it are refused, unless it is empty.
    """

    def __init__(self, app: ASGIApp, instance: str = "", *, behind: bool = False, secret: str = "") -> None:
        self._app = app
        self._instance = instance.encode()
        self._behind = behind
        self._secret = secret.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not self._behind:  # else HAProxy adds them
            send = secured(send)
        meant = self._is_meant(dict(scope["headers"]))
        headers, names = [], set()
        for header in scope["headers"]:
            name, value = header
            names.add(name)
            if not _COMMANDS.fullmatch(name) and (name != _ID or _NAME.fullmatch(value)):
                headers.append(header)
        fallback = self._behind and not _refuse
        scope["headers"] = [*headers, _WAIT] if fallback else headers
        if not meant:
            # It goes around HAProxy, or another server had this port before, and the sender does not know that it ended.
            await _answer(503, b"", send)
            return
        # Only the application knows what a page of another origin may read of a refusal.
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

    def _is_meant(self, headers: dict[bytes, bytes]) -> bool:
        """Return whether a request is for this server and, on a cluster, comes through HAProxy."""
        guarded = not self._secret or hmac.compare_digest(headers.get(_GUARD, b""), self._secret)
        return guarded and (not self._instance or headers.get(_INSTANCE, self._instance) == self._instance)


def _is_plain(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/plain") for name, value in headers)


async def _answer(own: int, name: bytes, send: Send) -> None:
    """Send the problem of a status (haproxy_config.py)."""
    status, *_, retry_after = ANSWERS[own]
    name = name or secrets.token_hex(8).encode()
    body = json.dumps(problem(own, name.decode("latin-1"))).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body)), (_ID, name)]
    if retry_after is not None:
        headers.append((b"retry-after", b"%d" % retry_after))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
