"""The route that signs URLs for browsers, which send no header with pictures and event streams."""

from fastapi import APIRouter, Request

from facegroup.access.checker import Checker
from facegroup.errors import Forbidden, MalformedRequest, StoreFull, StoreInvalid, StoreUnavailable
from facegroup.wire.access import SignedUrl, UrlToSign
from serve.api import documented, signed_urls
from serve.api.access import CheckedRoute
from serve.api.context import Who

router = APIRouter(tags=["access"], route_class=CheckedRoute)

_SIGNED = documented.of(SignedUrl, StoreUnavailable, StoreInvalid, StoreFull)


@router.post("/signed-urls", response_model=None, responses=_SIGNED, summary="Sign a URL for a browser")
async def sign_url(request: Request, wanted: UrlToSign, who: Who) -> SignedUrl:
    """Return the path of a picture or of the event stream with a signature, which is opened without a key for minutes.

    It holds for this path and query and for GET only, as long as the key of this request does. An open server returns the
    path as it is.
    """
    asked = signed_urls.requirement(wanted.path)
    if asked is None or not wanted.path.isascii() or not wanted.path.isprintable():
        raise MalformedRequest(
            "only paths of pictures and of the event stream can be signed, percent-encoded and without the server"
        )
    if not asked.allows(who.grant):
        raise Forbidden(f"This key does not allow this path. It needs the scope {' or '.join(asked.scopes)}.")
    checker: Checker = request.app.state.checker
    expires = int(checker.now()) + wanted.seconds
    if who.kind != "key":
        return SignedUrl(url=wanted.path, expires_at=expires)
    secret = await checker.url_secret() or (await checker.registry()).url_secret()
    return SignedUrl(url=signed_urls.signed(wanted.path, who.id, expires, secret), expires_at=expires)
