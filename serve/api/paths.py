"""ASGI middleware in front of all routes: `HEAD` is answered wherever `GET` is, and a slash at the end changes nothing."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Paths:
    """Asks the routes for what a request means.

    Args:
        app: the rest.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            if scope["path"].endswith("/") and scope["path"] != "/":
                scope = {**scope, "path": scope["path"][:-1]}
            if scope["method"] == "HEAD":
                scope, send = {**scope, "method": "GET"}, _bodiless(send)
        await self._app(scope, receive, send)


def _bodiless(send: Send) -> Send:
    async def head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body"})
        elif message.get("more_body"):
            raise ClientDisconnect  # which ends what is read or told bit by bit, maybe for ever

    return head
