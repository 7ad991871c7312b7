"""The cookie of a session, and the token that a page sends with each change.

The cookie is HttpOnly and SameSite=Strict: no script reads it, and no page of another site sends it. Over TLS it is Secure,
and its name begins with `__Host-`, so that no other host or plain connection can set it. Browsers send a cookie to all
ports of a host, so the name ends with the port at which the browser reaches this server, unless that is its scheme's own.
"""

import hmac
import re

from fastapi import Request, Response

from facegroup.access.people import csrf_token
from facegroup.errors import WrongCsrfToken

NAME = "facegroup_session"
_PORT = re.compile(r":([1-9][0-9]{1,4})", re.ASCII)
HEADER = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def token(request: Request) -> str | None:
    """Return the token of a session that a request has; None without one, and where another site's page asks."""
    # Browsers take other ports of the same host for the same site, and send the cookie to what their pages embed.
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return None
    plain, secure = _names(request)
    names = (secure,) if request.url.scheme == "https" else (secure, plain)
    return next((found for name in names if (found := request.cookies.get(name))), None)


def set_session(request: Request, answer: Response, made: str, seconds: float, *, secure: bool = False) -> None:
    """Let a browser keep the token of a new session.

    Args:
        request: that signed in.
        answer: to it.
        made: the token.
        seconds: after which the browser forgets it.
        secure: whether the browser is known to speak TLS, if the request does not say so.
    """
    secure = secure or is_tls(request)
    name = _names(request)[secure]
    answer.set_cookie(
        name, made, max_age=int(seconds), path="/", httponly=True, samesite="strict", secure=secure
    )  # fmt: skip
    answer.headers["cache-control"] = "no-store"


def clear_session(request: Request, answer: Response) -> None:
    """Let a browser forget its session."""
    for secure, name in enumerate(_names(request)):
        if name in request.cookies:
            answer.delete_cookie(name, path="/", httponly=True, samesite="strict", secure=bool(secure))


def _names(request: Request) -> tuple[str, str]:
    """Return the cookie's name on plain connections and over TLS."""
    port = _PORT.search(request.headers.get("host", "").rpartition("]")[2])
    name = NAME if port is None or port[1] in ("80", "443") else f"{NAME}_{port[1]}"
    return name, f"__Host-{name}"


def check_csrf(request: Request, session: str) -> None:
    """Check that a change was asked for by a page that could read an answer to its session.

    Args:
        request: that has the session.
        session: its token.

    Raises:
        WrongCsrfToken: it has not sent the session's token, or has sent it twice.
    """
    if request.scope["method"] in _SAFE:
        return
    sent = request.headers.getlist(HEADER)
    wanted = csrf_token(session)
    if len(sent) != 1 or not hmac.compare_digest(sent[0].encode("utf-8", "replace"), wanted.encode()):
        raise WrongCsrfToken(f"a change with a session needs the header {HEADER}; GET /v1/session tells its value")


def is_tls(request: Request) -> bool:
    """Return whether the browser speaks TLS, to this server or to a proxy in front.

    A browser names the page that signs in. Whoever forges that has a cookie that their own browser does not send.
    """
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
