"""Keys and signed URLs: what the routes on them take and answer."""

from pydantic import Field

from facegroup.wire.model import Answer, Request


class UrlToSign(Request):
    """A picture or an event stream that a browser is to open without a header."""

    path: str = Field(
        min_length=1, max_length=4096, description="path and query, such as /v1/sightings/stream?gallery=choir"
    )
    seconds: int = Field(60, ge=1, le=300, description="how long it may be opened")


class SignedUrl(Answer):
    """A URL that needs no key."""

    url: str = Field(description="path and query")
    expires_at: float = Field(description="seconds since the epoch")
