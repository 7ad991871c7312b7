"""ASGI middleware that counts requests: by route, method and status, how long they took, and how many bytes they had."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.api import requirements

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class HttpMetrics:
    """Counts requests.

    Args:
        app: the rest.
        registry: where the metrics are made.
        timed: templates of the routes whose time is told for each; that of all others is told together, as `other`.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, timed: frozenset[str]) -> None:
        self._app = app
        self._timed = timed
        self._requests = Counter(
            "facegroup_http_requests",
            "Requests that were answered. `route` is empty where there is none for the path; `status` 0: the caller left.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "facegroup_http_request_seconds",
            "Time from a request's headers to the end of its answer.",
            ["route"],
            registry=registry,
            buckets=_BOUNDS,
        )
        self._received = Counter("facegroup_http_received_bytes", "Bytes of requests' bodies.", registry=registry)
        self._sent = Counter("facegroup_http_sent_bytes", "Bytes of answers' bodies.", registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def counted_receive() -> Message:
            message = await receive()
            self._received.inc(len(message.get("body", b"")))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                self._sent.inc(len(message.get("body", b"")))
            await send(message)

        try:
            await self._app(scope, counted_receive, counted_send)
        finally:
            route = requirements.full_path(getattr(scope.get("route"), "path", ""))
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.labels(route, method, status).inc()
            self._seconds.labels(route if route in self._timed else "other").observe(time.perf_counter() - begun)
