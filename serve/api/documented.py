"""Which answers a route may give: the library's errors and the schemas' models in, OpenAPI's `responses` out."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from facegroup import errors
from facegroup.errors import FacegroupError
from facegroup.pipeline.quality_policies import LIMITS
from facegroup.wire.problem import Problem
from serve.api import cookies
from serve.api.problems import MEDIA_TYPE
from serve.api.requirements import TABLE

Responses = dict[int | str, dict[str, Any]]

_CHECKED = (
    errors.Unauthorised,
    errors.Forbidden,
    errors.WrongCsrfToken,
    errors.AccessUnavailable,
    errors.RateLimited,
)
_EVERY: tuple[type[FacegroupError], ...] = (
    FacegroupError,
    *_CHECKED,
    errors.MalformedRequest,
    errors.HostNotAllowed,
    errors.OriginNotAllowed,
    errors.UnknownParameter,
    errors.UnsupportedEncoding,
    errors.BodyTooLarge,
    errors.TimedOut,
    errors.Overloaded,
    errors.StageUnavailable,
)

STORED = (
    errors.InvalidName,
    errors.UnknownGallery,
    errors.StoreUnavailable,
    errors.StoreFull,
    errors.StoreInvalid,
    errors.StoreWentBack,
)
"""Of a route on what is in a gallery."""

IMAGES = (
    errors.EmptyBody,
    errors.NotAnImage,
    errors.TruncatedImage,
    errors.UnsupportedFormat,
    errors.TooManyPixels,
    errors.ImageTooLarge,
    errors.TooManyImages,
)
"""Of a route that takes photos."""

ONE_FACE = (errors.NoFace, errors.MultipleFaces, errors.InvalidDescriptor)
"""Of a route that takes photos of one person each."""

POOR = tuple(dict.fromkeys(limit.error for limit in LIMITS))
"""Of a route that takes only photos that meet a quality policy."""


_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "a key: `Authorization: Bearer fg_…`"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "the same, in a header of its own"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": cookies.NAME,
        "description": "of the page; changes need x-csrf-token, too (`GET /v1/session`)",
    },
}


def before(*, checked: bool = False) -> Responses:
    """Return the answers of a route outside /v1 that another than the route may give; `checked` if it needs a key."""
    return _problems(errors.HostNotAllowed, errors.StageUnavailable, *(_CHECKED if checked else ()))


def of(model: type[BaseModel] | Any, *may_fail: type[FacegroupError], status: int = 200) -> Responses:
    """Return the answers of a route: one of `model` with `status`, and a problem for each error and those of every route."""
    return {status: {"model": model}, **_problems(*_EVERY, *may_fail)}


def crop(*may_fail: type[FacegroupError]) -> Responses:
    """Return the answers of a route that shows an aligned face."""
    picture = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
    return {**of(None, *may_fail), 200: {"description": "the aligned face", "content": picture}}


def redirect(*may_fail: type[FacegroupError]) -> Responses:
    """Return the answers of a route that sends a browser elsewhere."""
    return {303: {"description": "See Other"}, **_problems(*_EVERY, *may_fail)}


def _problems(*may_fail: type[FacegroupError]) -> Responses:
    codes: dict[int, list[str]] = {}
    for error in may_fail:
        codes.setdefault(error.status, []).append(error.code)
    return {each: _problem(each, sorted(codes[each])) for each in sorted(codes)}


def file(media: str, description: str, *may_fail: type[FacegroupError]) -> Responses:
    """Return the answers of a route that sends a file."""
    content = {media: {"schema": {"type": "string", "format": "binary"}}}
    return {**of(None, *may_fail), 200: {"description": description, "content": content}}


def _problem(status: int, codes: list[str]) -> dict[str, Any]:
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "properties": {"status": {"const": status}, "code": {"enum": codes}},
    }
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
        "content": {MEDIA_TYPE: {"schema": schema}},
    }


def install(app: FastAPI, *, closed: bool) -> None:
    """Let the app's document tell what a problem is, and which routes need a key.

    Args:
        app: with all routes.
        closed: whether the server answers nobody without a key.
    """
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("Problem", Problem.model_json_schema())
        # FastAPI's own answer to a request that does not validate, which this app never gives.
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        document["components"]["securitySchemes"] = _SCHEMES
        for path, method, operation in (
            (path, *each) for path, all_ in document["paths"].items() for each in all_.items()
        ):
            wanted = TABLE[(method.upper(), path)]
            if not wanted.open:
                operation["security"] = [{name: []} for name in _SCHEMES] + ([] if closed else [{}])
                operation["x-scopes"] = list(wanted.scopes)
                if wanted.also:
                    operation["x-scopes-also"] = list(wanted.also)
            if "HTTPValidationError" in str(operation["responses"].get("422", "")):
                del operation["responses"]["422"]
        return document

    app.openapi = openapi  # type: ignore[method-assign]
