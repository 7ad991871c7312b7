"""Keys and signed URLs: what the routes on them take and answer."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field

from facegroup.access import types
from facegroup.access.registry import MOST_GRACE_SECONDS
from facegroup.access.secrets import Secret
from facegroup.access.types import NOTE, Grant, RateLimits, Scope
from facegroup.settings import RATE
from facegroup.wire.model import Answer, Request
from facegroup.wire.patterns import Ident, Name
from facegroup.wire.timestamps import Moment

Rate = Annotated[int, Field(ge=1, le=RATE, strict=True)] | None
GRACE_LIMIT = int(MOST_GRACE_SECONDS)


class NewKey(Request):
    """A key to make."""

    scopes: list[Scope] = Field(min_length=1, max_length=20, description="what it may do; `admin` includes all others")
    galleries: list[Name] | None = Field(None, min_length=1, max_length=100, description="only of these; null: all")
    cameras: list[Ident] | None = Field(None, min_length=1, max_length=100, description="only these; null: all")
    expires_at: Moment = Field(None, description="time from which on it does not hold; null: never")
    note: str = Field("", max_length=NOTE, description="what it is for")
    requests_per_minute: Rate = Field(None, description="most requests; null: the server's setting")
    photos_per_minute: Rate = Field(None, description="most photos; null: the server's setting")
    bytes_per_day: Rate = Field(None, description="most bytes of bodies; null: the server's setting")

    @property
    def grant(self) -> Grant:
        """What it may do."""
        galleries = None if self.galleries is None else tuple(self.galleries)
        cameras = None if self.cameras is None else tuple(self.cameras)
        limits = RateLimits(self.requests_per_minute, self.photos_per_minute, self.bytes_per_day)
        return Grant(frozenset(self.scopes), galleries, cameras, self.expires_at, limits)


class Key(Answer):
    """A key. The key itself is shown once, in the answer that makes it."""

    id: str
    prefix: str = Field(description="its first characters, by which you know it")
    state: Literal["active", "expired", "revoked"]
    scopes: list[Scope]
    galleries: list[str] | None = Field(description="null: all")
    cameras: list[str] | None = Field(description="null: all")
    expires_at: float | None = Field(description="seconds since the epoch; null: never")
    requests_per_minute: int | None = Field(None, description="null: the server's setting")
    photos_per_minute: int | None = Field(None, description="null: the server's setting")
    bytes_per_day: int | None = Field(None, description="null: the server's setting")
    note: str
    created_at: float
    created_by: str
    last_used: float | None = Field(description="to the minute; null: never")
    revoked_at: float | None
    rotated_at: float | None = Field(description="when it got another secret")
    old_until: float | None = Field(description="until when the secret of before holds, too")
    key: str | None = Field(None, description="only in the answer that makes it, and never again")

    @classmethod
    def of(cls, found: types.Key, now: float, secret: Secret | None = None) -> Self:
        """Return a key as it is now; its secret only in the answer that makes it."""
        grant = found.grant
        state = "active" if found.holds(now) else "expired" if found.revoked_at is None else "revoked"
        shown = {} if secret is None else {"key": secret.text}
        return cls.from_struct(
            found,
            state=state,
            scopes=sorted(grant.scopes),
            galleries=grant.galleries,
            cameras=grant.cameras,
            expires_at=grant.expires_at,
            requests_per_minute=grant.limits.requests,
            photos_per_minute=grant.limits.photos,
            bytes_per_day=grant.limits.bytes,
            old_until=found.old_until if found.old_until > now else None,
            **shown,
        )


class Keys(Answer):
    """All keys, oldest first, also those that no longer hold."""

    keys: list[Key]

    @classmethod
    def of(cls, found: Iterable[types.Key], now: float) -> Self:
        """Return the keys as they are now."""
        return cls(keys=[Key.of(each, now) for each in found])


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
