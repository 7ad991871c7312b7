"""URLs that need no header, for `<img>` and `EventSource` of browsers: signed for one path and one key, for minutes.

The last three parameters of the query are `signer`, `expires` and `signature`: the id of the key, seconds since the epoch,
and HMAC-SHA256, in base64url, over the path and the query before it. The key is looked up each time, so that a URL ends
with its key.
"""

import hmac
import json
import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import unquote

from fastapi import Request

from facegroup.access.checker import Checker
from facegroup.access.types import Caller
from facegroup.errors import Unauthorised
from serve.api.requirements import TABLE, Requirement

SECONDS = 300
"""How long a signed URL holds at most."""

_SIGNED = re.compile(
    r"(?P<signed>(?P<query>.*?)&?signer=(?P<signer>[a-z0-9-]{1,64})&expires=(?P<expires>[0-9]{1,12}))"
    r"&signature=(?P<signature>[A-Za-z0-9_-]{43})",
    re.ASCII,
)


def signed(path: str, key_id: str, expires: int, secret: bytes) -> str:
    """Return a path with its query, signed.

    Args:
        path: as it stands in a URL, with its query, if it has one.
        key_id: of the key that is used.
        expires: seconds since the epoch.
        secret: of the server.
    """
    where, _, query = path.partition("?")
    query = f"{query}&" if query else ""
    query += f"signer={key_id}&expires={expires}"
    return f"{where}?{query}&signature={_signature(unquote(where), query, secret)}"


def requirement(path: str) -> Requirement | None:
    """Return what the route of a path asks for; None if no URL of it can be signed."""
    where = unquote(path.partition("?")[0])
    for (method, template), wanted in TABLE.items():
        if method == "GET" and wanted.signed and re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), where, re.DOTALL):
            return wanted
    return None


def is_signed(request: Request) -> bool:
    """Return whether a request has a signature in its query."""
    return b"signature=" in request.scope["query_string"]


async def signer(request: Request, checker: Checker) -> Caller:
    """Return who signed the URL of a request, and leave of its query what the route knows.

    Raises:
        AccessUnavailable: the store is away.
        Unauthorised: it was not signed here, or has expired, or the key does not hold any more.
    """
    found = _SIGNED.fullmatch(request.scope["query_string"].decode("latin-1"))
    secret = await checker.url_secret()
    if found is None or not secret:
        raise _refused()
    right = _signature(request.scope["path"], found["signed"], secret)
    if not hmac.compare_digest(right, found["signature"]) or checker.now() >= int(found["expires"]):
        raise _refused()
    request.scope["query_string"] = found["query"].encode("latin-1")
    return await checker.of_key(found["signer"])


def _signature(path: str, query: str, secret: bytes) -> str:
    told = json.dumps([path, query]).encode()  # which tells where the path ends
    return urlsafe_b64encode(hmac.digest(secret, told, sha256)).decode().rstrip("=")


def _refused() -> Unauthorised:
    return Unauthorised("This signed URL does not hold: it has expired, or was changed. Get another one.")
