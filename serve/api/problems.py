"""Errors → RFC 9457 problem+json, in one table: every `FacegroupError` by its own code and status, the rest here."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from facegroup.errors import FacegroupError, MalformedRequest, ServiceError

log = logging.getLogger("ray.serve")

MEDIA_TYPE = "application/problem+json"

_CODES = {404: "unknown_path", 405: "method_not_allowed"}
"""Of what the framework refuses before a route is reached."""


class Problem(JSONResponse):
    """A problem+json answer."""

    media_type = MEDIA_TYPE


def problem(error: FacegroupError, request_id: str, *, close: bool = False) -> Problem:
    """Return the answer that an error is."""
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, ServiceError) else {}
    if close:
        headers["connection"] = "close"
    return _answer(error.status, error.code, error.detail, request_id, headers)


def install(app: FastAPI) -> None:
    """Make the app answer every error as a problem."""

    async def known(request: Request, error: Exception) -> Problem:
        assert isinstance(error, FacegroupError)
        return problem(error, _id(request))

    async def invalid(request: Request, error: Exception) -> Problem:
        assert isinstance(error, RequestValidationError)
        faults = [f"{'.'.join(map(str, each['loc'][1:])) or each['loc'][0]}: {each['msg']}" for each in error.errors()]
        return problem(MalformedRequest("; ".join(faults)), _id(request))

    async def framework(request: Request, error: Exception) -> Problem:
        assert isinstance(error, HTTPException)
        code = _CODES.get(error.status_code, MalformedRequest.code)
        return _answer(error.status_code, code, str(error.detail), _id(request), dict(error.headers or {}))

    async def unknown(request: Request, error: Exception) -> Problem:
        # The text of an unforeseen error may hold anything; it goes to the log, its name to the caller.
        log.error("request %s failed", _id(request), exc_info=error)
        text = "the server failed; its log says more under this request id"
        return _answer(500, FacegroupError.code, text, _id(request), {})

    app.add_exception_handler(FacegroupError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, unknown)


def _answer(status: int, code: str, detail: str, request_id: str, headers: dict[str, str]) -> Problem:
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
    }
    return Problem(content, status, headers)


def _id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))
