"""Requests while the server ends: those under way are answered, those that come then are refused with 503."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from facegroup.errors import StageUnavailable
from serve.api.limits import request_id
from serve.api.problems import problem

_ENDLESS = "/v1/sightings/stream"


class Drain:
    """Whether a process of the server ends, and what it still has to answer.

    Attributes:
        ending: whether new requests are refused.
        under_way: requests that have begun and are not answered yet, without answers that never end.
    """

    def __init__(self) -> None:
        self.ending = False
        self.under_way = 0


class Draining:
    """ASGI middleware that refuses requests while the process ends.

    Args:
        app: everything else.
        drain: says whether it ends.
    """

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._drain.ending:
            name = request_id(Headers(scope=scope))
            refused = problem(StageUnavailable("the server is being stopped; try again later", 5), name, close=True)
            refused.headers["x-request-id"] = name
            await refused(scope, receive, send)
            return
        counts = scope["path"] != _ENDLESS
        self._drain.under_way += counts
        try:
            await self._app(scope, receive, send)
        finally:
            self._drain.under_way -= counts
