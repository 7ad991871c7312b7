"""The HTTP API in this process, and what holds for each of its answers, checked on each.

`Api` sends requests through httpx; `Api.raw` speaks ASGI itself, for what httpx is too polite to send, and counts the
bytes that the app took.
"""

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from serve.haproxy_config import SECURITY

_TOLD = {"unknown_path", "method_not_allowed"}
"""Codes of paths and methods that are no operations, so that no operation can list them."""

_BEFORE = {"host_not_allowed", "origin_not_allowed", "unsupported_encoding"}
"""Codes of what is refused before anybody looks whether there is such an operation."""


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer to `Api.raw`.

    Attributes:
        status: HTTP status.
        headers: of the answer.
        body: of the answer.
        taken: bytes of the request's body that the app asked for.
    """

    status: int
    headers: httpx.Headers
    body: bytes
    taken: int

    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """The app of `build_api`, asked as a client asks it."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.document: dict[str, Any] = json.loads(json.dumps(app.openapi()))

    def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Return the answer, having checked it."""

        async def once() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1"
            ) as client:
                return await client.request(method, path, **request)

        answer = asyncio.run(once())
        self._check(method, answer.request.url.path, answer.status_code, answer.headers, answer.content)
        return answer

    def refused(self, method: str, path: str, **request: Any) -> tuple[int, str]:
        """Return status and code of an answer that is an error."""
        answer = self(method, path, **request)
        return answer.status_code, answer.json().get("code", "none: it is no error")

    def raw(
        self, method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: Iterable[bytes] = (b"",)
    ) -> Raw:
        """Send one ASGI request: `path` as it is, `body` in its chunks, with these headers and no others."""
        chunks, taken, sent = list(body), 0, []

        async def receive() -> dict[str, Any]:
            nonlocal taken
            if not chunks:
                return {"type": "http.disconnect"}
            chunk = chunks.pop(0)
            taken += len(chunk)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

        async def send(message: Any) -> None:
            sent.append(message)

        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": where,
            "raw_path": where.encode("utf-8", "surrogateescape"),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
            "server": ("test", 80),
            "client": ("127.0.0.1", 1),
        }
        asyncio.run(self.app(scope, receive, send))
        answered = httpx.Headers(sent[0]["headers"])
        content = b"".join(message.get("body", b"") for message in sent[1:])
        self._check(method, where, sent[0]["status"], answered, content)
        return Raw(sent[0]["status"], answered, content, taken)

    def _check(self, method: str, path: str, status: int, headers: httpx.Headers, content: bytes) -> None:
        """Every answer is named and tells browsers to do less, every error is a documented problem, every other answer of
        its documented shape."""
        assert {name: len(headers.get_list(name)) for name in SECURITY} == dict.fromkeys(SECURITY, 1)
        assert headers["cache-control"] == "no-store" or not path.startswith("/v1")
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", headers["x-request-id"])
        if method == "HEAD":
            assert not content
            return
        operation = self._operation(method, path)
        if path == "/readyz":
            return  # its 503 is an answer, not a problem
        if status >= 400:
            self._check_problem(operation, status, headers, json.loads(content))
        elif operation is not None and headers.get("content-type") == "application/json":
            self._check_shape(operation["responses"][str(status)]["content"]["application/json"], json.loads(content))

    def _check_problem(self, operation: Any, status: int, headers: httpx.Headers, problem: dict[str, Any]) -> None:
        assert headers["content-type"] == "application/problem+json"
        assert set(problem) == {"type", "title", "status", "code", "detail", "request_id"}
        assert (problem["status"], problem["request_id"]) == (status, headers["x-request-id"])
        assert problem["title"]
        assert 0 < len(problem["detail"]) <= 1000
        if problem["code"] not in _TOLD and (operation is not None or problem["code"] not in _BEFORE):
            assert operation is not None
            self._check_shape(operation["responses"][str(status)]["content"]["application/problem+json"], problem)

    def _check_shape(self, media: dict[str, Any], content: Any) -> None:
        Draft202012Validator({**media["schema"], "components": self.document["components"]}).validate(content)

    def _operation(self, method: str, path: str) -> Any:
        paths = self.document["paths"].items()
        path = path.removesuffix("/")
        fits = [found for each, found in paths if re.fullmatch(re.sub(r"{\w+}", "[^/]+", each), path, re.DOTALL)]
        return next((found[method.lower()] for found in fits if method.lower() in found), None)
