"""Routes on the session of the page: sign in, who am I, and log out."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from facegroup import errors
from facegroup.access.checker import Checker
from facegroup.access.people import Session, csrf_token, token_hash
from facegroup.access.sign_in import SignIn
from facegroup.access.types import ROLES, Caller, Role
from facegroup.wire import sessions as wire
from serve.api import access, cookies, documented, usage
from serve.api.access import CheckedRoute
from serve.api.context import Who

router = APIRouter(prefix="/session", tags=["access"], route_class=CheckedRoute)

_KEPT = (errors.StoreUnavailable, errors.StoreFull, errors.StoreInvalid)
_WHO = documented.of(wire.Session)
_BEGUN = documented.of(wire.Session, *_KEPT, errors.SignInRefused, status=201)
_ENDED = documented.of(wire.LoggedOut, *_KEPT)
_NEITHER = "send a key, or a name and a password"


@router.get("", response_model=None, responses=_WHO, summary="Who am I?")
async def who_am_i(request: Request, answer: Response) -> wire.Session:
    """Return who asks, what they may do, and how to sign in. The token for changes is here, too."""
    answer.headers["cache-control"] = "no-store"
    return await _shown(request, await access.told(request), cookies.token(request))


@router.post("", status_code=201, response_model=None, responses=_BEGUN, summary="Sign in")
async def sign_in(request: Request, answer: Response, given: wire.SigningIn) -> wire.Session:
    """Begin a session, with a key or with a name and a password, and set its cookie. It has a new token each time.

    After some failures each further try must wait longer, by name and by address, and is answered 429 meanwhile. Nothing
    tells whether there is a user of this name.
    """
    request.state.refusal = "sign_in_refused"
    signing: SignIn = request.app.state.sign_in
    before = token_hash(cookies.token(request) or "") or ""
    if given.key is not None and given.name is None and given.password is None:
        try:
            session, token = await signing.with_key(given.key.strip(), before)
        except errors.Unauthorised:
            await usage.note_wrong_key(request)
            raise
    elif given.key is None and given.name is not None and given.password is not None:
        session, token = await signing.with_password(given.name, given.password, usage.network_of(request), before)
    else:
        raise errors.MalformedRequest(_NEITHER)
    return await begun(request, answer, session, token)


@router.delete("", response_model=None, responses=_ENDED, summary="Log out")
async def log_out(
    request: Request,
    answer: Response,
    who: Who,
    everywhere: Annotated[bool, Query(description="end all sessions of this user or key, on all devices")] = False,
) -> wire.LoggedOut:
    """End the session of this request. A request with a key, or to an open server, has none, and is answered 400."""
    signing: SignIn = request.app.state.sign_in
    if not who.session:
        raise errors.MalformedRequest("this request has no session that could be ended")
    cookies.clear_session(request, answer)
    sessions = await signing.sessions()
    ended = 1
    if everywhere:
        ended = await asyncio.to_thread(sessions.end_all, who.session)
    else:
        await asyncio.to_thread(sessions.end, who.session)
    return wire.LoggedOut(ended=ended, provider=None)


async def begun(request: Request, answer: Response, session: Session, token: str) -> wire.Session:
    """Set the cookie of a new session, and return who has signed in."""
    checker: Checker = request.app.state.checker
    cookies.set_session(request, answer, token, session.ends_at - session.created_at)
    request.state.caller = await checker.tell(None, token)
    return await _shown(request, request.state.caller, token)


async def _shown(request: Request, caller: Caller, token: str | None) -> wire.Session:
    checker: Checker = request.app.state.checker
    session = await checker.session(caller) if caller.session else None
    return wire.Session(
        signed_in=session is not None,
        asked=caller.kind != "anonymous" or not caller.scopes,
        kind=caller.kind,
        name=caller.name,
        id=caller.id,
        scopes=sorted(caller.scopes),
        galleries=None if caller.galleries is None else list(caller.galleries),
        cameras=None if caller.cameras is None else list(caller.cameras),
        role=_role(caller),
        csrf_token=csrf_token(token) if session is not None and token is not None else None,
        expires_at=None if session is None else session.ends_at,
        ways=["key", "password"],
        provider=None,
    )


def _role(caller: Caller) -> Role | None:
    if caller.kind != "user":
        return None
    return next((role for role, scopes in ROLES.items() if caller.scopes == frozenset(scopes)), None)
