"""Who sends a request, and whether they may: checked for each route when it is found, before the body is read."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers

from facegroup.access.checker import Checker
from facegroup.access.types import STRANGER, Caller
from facegroup.errors import Forbidden, InvalidName, Unauthorised
from facegroup.store.names import clean_name
from serve.api import cookies, requirements, signed_urls, usage
from serve.api.problems import rate_fields
from serve.api.requirements import TABLE, Requirement

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_HEADERS = ("authorization", "x-api-key")
_HOW = "send one as `Authorization: Bearer fg_…`, or as `x-api-key`"


class CheckedRoute(APIRoute):
    """A route that answers only to callers who meet its requirement; `request.state.caller` is who it is."""

    def get_route_handler(self) -> _Handler:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def checked(request: Request) -> Response:
            row = requirements.named(request.scope["method"], self.path)
            assert row is not None  # build_api has checked it
            request.state.caller = await admitted(request, TABLE[row])
            if TABLE[row].open:
                response = await answer(request)
                await request.app.state.auditor.changed(request, row, response)
                return response
            await usage.spend(request, "requests", 1)
            body = usage.CountedBody(request)
            try:
                asked = Request(request.scope, body)
                response = await answer(asked)
            except Exception:
                if body.refused is not None:  # frameworks make another error of it
                    raise body.refused from None
                raise
            await request.app.state.auditor.changed(asked, row, response)
            response.headers.update(rate_fields(getattr(request.state, "left", ())))
            return response

        return checked


def check(routes: Iterable[object]) -> None:
    """Check that each route has a requirement and checks it, and each requirement a route; raise RuntimeError if not."""
    used = set()
    for route in routes:
        if not isinstance(route, APIRoute):
            continue
        for method in route.methods or ():
            row = requirements.named(method, route.path)
            if row is None or not isinstance(route, CheckedRoute):
                raise RuntimeError(f"{method} {route.path} asks nothing of its caller: serve/api/requirements.py")
            used.add(row)
    if unused := TABLE.keys() - used:
        raise RuntimeError(f"there are no such routes: {sorted(unused)}")


async def admitted(request: Request, wanted: Requirement) -> Caller:
    """Return who sends a request, if they may; on a route that is open the store is not asked who it is.

    Raises:
        AccessUnavailable: the store is away, and keys cannot be checked.
        RateLimited: the address sent too many keys that do not hold. One that holds is admitted all the same.
        Forbidden: the key is not for this, or not for a gallery or camera that the path or the query names.
        Unauthorised: there is no key or session that holds, or it is not clear which one is meant.
        WrongCsrfToken: a change has a session, and not its token.
    """
    if wanted.open:
        return STRANGER
    checker: Checker = request.app.state.checker
    try:
        if wanted.signed and signed_urls.is_signed(request):
            caller = await signed_urls.signer(request, checker)
        else:
            caller = await checker.identify(key_of(request.headers), token := cookies.token(request))
            if caller.session and token is not None:
                cookies.check_csrf(request, token)
    except Unauthorised:
        if signed_urls.is_signed(request) or any(name in request.headers for name in _HEADERS):
            await usage.note_wrong_key(request)
        raise
    request.state.caller = caller  # also where it is refused, for the audit log
    if not wanted.allows(caller.grant):
        raise Forbidden(_lacking(caller, wanted))
    if caller.galleries is not None or caller.cameras is not None:
        _check_names(request, caller)
    return caller


async def told(request: Request) -> Caller:
    """Return who sends a request to a route that is open: `STRANGER` without a key that holds."""
    checker: Checker = request.app.state.checker
    try:
        key = key_of(request.headers)
    except Unauthorised:
        key = None
    return await checker.tell(key, cookies.token(request))


def key_of(headers: Headers) -> str | None:
    """Return the key of a request as it was sent, None if there is none.

    Raises:
        Unauthorised: there are several different ones, or one is sent in another way.
    """
    found: set[str] = set()
    for name in _HEADERS:
        sent = headers.getlist(name)
        if len(sent) > 1:
            raise Unauthorised(f"the header {name} is sent {len(sent)} times; {_HOW}")
        for value in sent:
            if name == "x-api-key":
                found.add(value.strip(" \t"))
                continue
            scheme, _, rest = value.strip(" \t").partition(" ")
            if scheme.lower() == "bearer":
                found.add(rest.strip(" \t"))
            elif "x-api-key" not in headers:  # else that of a proxy in front
                raise Unauthorised(f"only keys are taken in the header authorization; {_HOW}")
    if len(found) > 1:
        raise Unauthorised("the headers authorization and x-api-key have different keys; send one of them")
    return found.pop() if found else None


def _lacking(caller: Caller, wanted: Requirement) -> str:
    if wanted.suits(caller.grant):
        return f"This key is limited to some {' and '.join(wanted.whole)}, and this covers all of them."
    scopes = " and ".join(" or ".join(each) for each in (wanted.scopes, wanted.also) if each)
    return f"This key does not allow this. It needs the scope {scopes}."


def _check_names(request: Request, caller: Caller) -> None:
    """Refuse a gallery or a camera in the path or the query that a limited caller may not use."""
    for name, value in (*request.path_params.items(), *request.query_params.multi_items()):
        if name == "gallery":
            try:
                caller.require(clean_name(value, "gallery name"))
            except InvalidName:
                raise Forbidden("This key is not for a gallery of this name.") from None
        elif name == "camera":
            caller.require_camera(value)
