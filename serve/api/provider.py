"""Routes of the sign-in with an OpenID Connect provider: to it, and back.

What the browser keeps meanwhile is a cookie of ten minutes, signed by the secret that signs URLs. It is SameSite=Lax, since
the provider sends the browser back, which is a navigation of another site.
"""

import asyncio
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from functools import wraps
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse

from facegroup import errors
from facegroup.access.checker import Checker
from facegroup.access.oidc import Flow, Provider
from facegroup.access.people import token_hash
from facegroup.access.sign_in import SignIn
from facegroup.store.audit import SERVER, Event
from serve.api import auditing, cookies, documented, parameters, usage
from serve.api.access import CheckedRoute

router = APIRouter(prefix="/session", tags=["access"], route_class=CheckedRoute)

COOKIE = "facegroup_provider"
CALLBACK = "/v1/session/callback"
_SECONDS = 600
_ERRORS = (errors.NoProvider, errors.ProviderUnavailable, errors.SignInRefused, errors.StoreUnavailable)
_AWAY = documented.redirect(*_ERRORS, errors.StoreInvalid, errors.StoreFull)
_Route = Callable[..., Coroutine[Any, Any, RedirectResponse]]


def shown(route: _Route) -> _Route:
    """Send a browser that was refused to the page, which says why; a program gets the error."""

    @wraps(route)
    async def answer(request: Request, *given: Any, **named: Any) -> RedirectResponse:
        try:
            return await route(request, *given, **named)
        except errors.FacegroupError as error:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            what: auditing.Refusal = getattr(request.state, "refusal", "refused")
            request.app.state.auditor.refused(error, auditing.origin(request), "GET", what)
            return RedirectResponse(f"/?refused={error.code}", 303)

    return answer


@router.get(
    "/provider",
    response_model=None,
    status_code=303,
    responses=_AWAY,
    summary="Sign in with a provider",
    dependencies=[Depends(parameters.known)],
)
@shown
async def go(request: Request) -> RedirectResponse:
    """Send the browser to the OpenID Connect provider of the settings."""
    checker: Checker = request.app.state.checker
    url, flow = await _provider(request).begin(_redirect(request))
    answer = RedirectResponse(url, 303)
    answer.headers["cache-control"] = "no-store"
    answer.set_cookie(
        COOKIE,
        _signed(flow, await _secret(request), checker.now() + _SECONDS),
        max_age=_SECONDS,
        path=CALLBACK,
        httponly=True,
        samesite="lax",
        secure=cookies.is_tls(request) or _redirect(request).startswith("https://"),
    )
    return answer


@router.get("/callback", response_model=None, status_code=303, responses=_AWAY, summary="Come back from a provider")
@shown
async def come_back(
    request: Request,
    code: Annotated[str, Query(max_length=4096, description="that the provider sends along")] = "",
    state: Annotated[str, Query(max_length=200, description="of this sign-in")] = "",
) -> RedirectResponse:
    """Begin the session of whom the provider knows, and send the browser to the page."""
    request.state.refusal = "sign_in_refused"
    checker: Checker = request.app.state.checker
    provider = _provider(request)
    flow = _read(request.cookies.get(COOKIE, ""), await _secret(request), checker.now())
    if flow is None or not hmac.compare_digest(flow.state.encode(), state.encode("utf-8", "replace")):
        raise errors.SignInRefused("This sign-in was not begun in this browser, or took too long. Begin again.")
    if not code:
        raise errors.SignInRefused("The provider admits nobody with this sign-in.")
    signing: SignIn = request.app.state.sign_in
    try:
        session = await provider.finish(code, flow, _redirect(request))
    except errors.SignInRefused:
        await usage.note_wrong_key(request)
        raise
    before = token_hash(cookies.token(request) or "") or ""
    made, token = await asyncio.to_thread((await signing.sessions()).of_provider, session, before)
    request.state.caller = await checker.tell(None, token)
    # Noted here, as a refusal that is shown on the page is a redirect, too.
    await request.app.state.auditor.note(
        SERVER, Event("signed_in", None, {"session": request.state.caller.id}), auditing.origin(request)
    )
    answer = RedirectResponse("/", 303)
    secure = _redirect(request).startswith("https://")
    cookies.set_session(request, answer, token, made.ends_at - made.created_at, secure=secure)
    answer.delete_cookie(COOKIE, path=CALLBACK)
    return answer


def _provider(request: Request) -> Provider:
    found: Provider | None = request.app.state.provider
    if found is None:
        raise errors.NoProvider("This server has no provider. Set oidc.issuer, or sign in in another way.")
    return found


async def _secret(request: Request) -> bytes:
    checker: Checker = request.app.state.checker
    return await checker.url_secret() or await asyncio.to_thread((await checker.registry()).url_secret)


def _redirect(request: Request) -> str:
    """Return where the provider sends the browser back to."""
    own: str | None = request.app.state.context.settings.oidc.url
    return f"{own or str(request.base_url).rstrip('/')}{CALLBACK}"


def _signed(flow: Flow, secret: bytes, until: float) -> str:
    told = urlsafe_b64encode(json.dumps({"flow": asdict(flow), "until": until}).encode())
    return f"{told.decode()}.{_signature(told, secret)}"


def _signature(told: bytes, secret: bytes) -> str:
    return hmac.digest(secret, b"sign-in " + told, sha256).hex()


def _read(cookie: str, secret: bytes, now: float) -> Flow | None:
    """Return what a browser has kept, if it was signed here in the last minutes."""
    told, _, signature = cookie.partition(".")
    own = _signature(told.encode("utf-8", "replace"), secret)
    if not hmac.compare_digest(own.encode(), signature.encode("utf-8", "replace")):
        return None
    found = json.loads(urlsafe_b64decode(told))
    return Flow(**found["flow"]) if now < found["until"] else None
