"""ASGI middleware in front of the routes: a compressed body is refused by name, as nothing here would unpack it."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from facegroup.errors import UnsupportedEncoding
from serve.api.problems import problem


class Encodings:
    """Refuses bodies with a `Content-Encoding`: a few bytes can unpack to any number, before a limit can be asked.

    Args:
        app: the routes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        encoding = Headers(scope=scope).get("content-encoding", "") if scope["type"] == "http" else ""
        if encoding.strip().lower() in ("", "identity"):
            await self._app(scope, receive, send)
            return
        fault = UnsupportedEncoding(
            f"a body with content-encoding {encoding[:50]!r} is not taken; send it as it is, without that header"
        )
        refusal = problem(fault, scope["state"]["request_id"], close=True)
        refusal.headers["accept-encoding"] = "identity"
        await refusal(scope, receive, send)
