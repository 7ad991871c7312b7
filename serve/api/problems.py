"""Errors → RFC 9457 problem+json, in one table: every `FacegroupError` by its own code and status, the rest here."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from facegroup.errors import FacegroupError, MalformedRequest, RateLimited, ServiceError
from facegroup.wire.problem import Problem
from serve.api.auditing import origin

MEDIA_TYPE = "application/problem+json"

_CODES = {404: "unknown_path", 405: "method_not_allowed"}
"""Of what the framework refuses before a route is reached."""


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_DETAIL = 500
_SHOWN = 200


class ProblemResponse(JSONResponse):
    """A problem+json answer."""

    media_type = MEDIA_TYPE


def problem(error: FacegroupError, request_id: str, *, close: bool = False) -> ProblemResponse:
    """Return the answer that an error is."""
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, ServiceError) else {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, RateLimited):
        headers |= rate_fields(error.left)
    if close:
        headers["connection"] = "close"
    return _answer(error.status, error.code, error.detail, request_id, headers)


def rate_fields(left: Sequence[Any]) -> dict[str, str]:
    """Return the fields of draft-ietf-httpapi-ratelimit-headers-10 that tell what a caller may still use.

    Args:
        left: of each limit, as `facegroup.access.rates.Left`.
    """
    if not left:
        return {}
    return {
        "ratelimit-policy": ", ".join(f'"{each.what}";q={each.most};w={each.seconds}' for each in left),
        "ratelimit": ", ".join(f'"{each.what}";r={each.remaining};t={each.reset}' for each in left),
    }


def faults(found: Sequence[Any]) -> str:
    """Return what pydantic found wrong, as one sentence: where and what, the first few."""
    told = [f"{'.'.join(map(str, each['loc'][1:]))[:100] or each['loc'][0]}: {each['msg'][:200]}" for each in found[:3]]
    return "; ".join(told) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")


def install(app: FastAPI) -> None:
    """Make the app answer every error as a problem."""

    async def known(request: Request, error: Exception) -> ProblemResponse:
        assert isinstance(error, FacegroupError)
        what = getattr(request.state, "refusal", "refused")
        request.app.state.auditor.refused(error, origin(request), request.method, what)
        answer = problem(error, _id(request))
        answer.headers.update(rate_fields(getattr(request.state, "left", ())))
        return answer

    async def invalid(request: Request, error: Exception) -> ProblemResponse:
        assert isinstance(error, RequestValidationError)
        return problem(MalformedRequest(faults(error.errors())), _id(request))

    async def framework(request: Request, error: Exception) -> ProblemResponse:
        assert isinstance(error, HTTPException)
        code = _CODES.get(error.status_code, MalformedRequest.code)
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        asked, detail = f"{request.method} {request.url.path[:_SHOWN]}", str(error.detail)
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = f"there is no {asked}; /docs and /openapi.json list what there is"
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["allow"] = _allowed(app, request) or headers.get("allow", "")
            detail = f"there is no {asked}; this path takes {headers['allow']}"
        return _answer(error.status_code, code, detail, _id(request), headers)

    app.add_exception_handler(FacegroupError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, framework)


def _allowed(app: FastAPI, request: Request) -> str:
    """Return all methods of a path: the framework knows only those of the first route on it, and not of `paths.Paths`."""
    scopes = ((method, {**request.scope, "method": method}) for method in _METHODS)
    fits = [method for method, scope in scopes if any(route.matches(scope)[0] is Match.FULL for route in app.routes)]
    return ", ".join(fits).replace("GET", "GET, HEAD")


def _answer(status: int, code: str, detail: str, request_id: str, headers: dict[str, str]) -> ProblemResponse:
    made = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        # Halves of surrogate pairs, which JSON can spell, are echoed in messages and cannot be sent.
        detail=detail[:_DETAIL].encode("utf-8", "backslashreplace").decode(),
        request_id=request_id,
    )
    return ProblemResponse(made.model_dump(), status, headers)


def _id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))
