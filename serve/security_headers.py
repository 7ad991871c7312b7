"""ASGI middleware around all others: headers that tell a browser to do less, on every answer that does not have its own."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.haproxy_config import SECURITY

_HEADERS = [(name.encode(), value.encode()) for name, value in SECURITY.items()]


class SecurityHeaders:
    """Adds headers to each answer that does not have them.

    Args:
        app: the rest.
        changed: values that differ from those of `SECURITY`.
    """

    def __init__(self, app: ASGIApp, changed: Mapping[str, str]) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in {**SECURITY, **changed}.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, secured(send, self._headers) if scope["type"] == "http" else send)


def secured(send: Send, headers: list[tuple[bytes, bytes]] = _HEADERS) -> Send:
    """Return what sends an answer with these headers, where it has not its own."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            there = {name.lower() for name, _ in own}
            message = {**message, "headers": own + [header for header in headers if header[0] not in there]}
        await send(message)

    return sent
