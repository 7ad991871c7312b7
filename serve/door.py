"""Middleware in front of Ray Serve: what Serve takes to handle a request is not spent on one that is refused.

Serve calls `middlewares` in each process that listens, as RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH says (launch.py). It
knows no application then, so whoever can refuse says so later, to `watch`. Where nobody does, or the variable is not set,
the application refuses by itself, in the same words and for three times the work. Nothing of ours is imported here:
Serve's proxies load it, too.
"""

from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ID = b"x-request-id"

_refuse: list[Callable[[Scope], ASGIApp | None]] = []


def watch(refuse: Callable[[Scope], ASGIApp | None]) -> None:
    """Ask this, from now on, of every request of the process: it returns the answer, or None for one to let in."""
    _refuse[:] = [refuse]


def middlewares() -> list[Middleware]:
    """Return what Serve puts in front of itself."""
    return [Middleware(Door)]


class Door:
    """Answers what is refused, and takes from every other answer the second request id that Serve gives it.

    Args:
        app: Serve.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        for refuse in _refuse:
            refusal = refuse(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return

        async def named_once(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                ids = [header for header in headers if header[0].lower() == _ID]
                others = [header for header in headers if header[0].lower() != _ID]
                message = {**message, "headers": others + ids[:1]}
            await send(message)

        await self._app(scope, receive, named_once)
