"""What access control is about: scopes, roles, keys, and callers."""

import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias, get_args

from facegroup.errors import Forbidden, MalformedRequest
from facegroup.settings import RATE
from facegroup.store.names import check_id, clean_name

Scope: TypeAlias = Literal[
    "identify", "verify", "embed", "enrol", "manage", "cameras", "events", "audit", "metrics", "admin"
]
SCOPES: tuple[Scope, ...] = get_args(Scope)

Role: TypeAlias = Literal["viewer", "editor", "admin"]
ROLES: dict[Role, tuple[Scope, ...]] = {
    "viewer": ("identify", "verify", "events"),
    "editor": ("identify", "verify", "embed", "enrol", "manage", "cameras", "events"),
    "admin": ("admin",),
}
"""Bundles of scopes, for people rather than programs."""

NOTE = 200
"""Most characters of a note."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Class of what a caller may use. None is no limit.

    Attributes:
        requests: a minute.
        photos: a minute.
        bytes: of bodies, a day.
    """

    requests: int | None = None
    photos: int | None = None
    bytes: int | None = None

    def within(self, other: Self) -> bool:
        """Return whether this allows no more than another does."""
        pairs = ((self.requests, other.requests), (self.photos, other.photos), (self.bytes, other.bytes))
        return all(most is None or (own is not None and own <= most) for own, most in pairs)


@dataclass(frozen=True, slots=True)
class Grant:
    """Class of what a key or a user may do.

    Attributes:
        scopes: what they may do; `admin` includes all others.
        galleries: names of the galleries that they may use; None: all.
        cameras: ids of the cameras that they may use; None: all.
        expires_at: seconds since the epoch from which on they may do nothing; None: never.
        limits: how much they may use.
    """

    scopes: frozenset[Scope]
    galleries: tuple[str, ...] | None = None
    cameras: tuple[str, ...] | None = None
    expires_at: float | None = None
    limits: RateLimits = RateLimits()

    def has(self, *wanted: Scope) -> bool:
        """Return whether one of these scopes is granted."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(wanted)

    def covers(self, gallery: str) -> bool:
        """Return whether a gallery is granted. The name is compared as it is stored (`clean_name`)."""
        return self.galleries is None or gallery in self.galleries

    def covers_camera(self, camera: str, gallery: str | None = None) -> bool:
        """Return whether a camera, and the gallery that it looks for, is granted."""
        return (self.cameras is None or camera in self.cameras) and (gallery is None or self.covers(gallery))

    def reaches(self, other: "Grant") -> bool:
        """Return whether all that another grant allows is allowed here, however long it holds."""
        return (
            ("admin" in self.scopes or other.scopes <= self.scopes)
            and _within(other.galleries, self.galleries)
            and _within(other.cameras, self.cameras)
        )

    def includes(self, other: "Grant") -> bool:
        """Return whether another grant allows nothing that is not allowed here, for no longer and no more often."""
        until = math.inf if other.expires_at is None else other.expires_at
        most = math.inf if self.expires_at is None else self.expires_at
        return self.reaches(other) and until <= most and other.limits.within(self.limits)


@dataclass(frozen=True, slots=True)
class Caller:
    """Class of who a request comes from.

    Attributes:
        id: of the key or the user; empty for nobody.
        kind: a key, a user, or nobody: `anonymous`.
        name: of the user, or the note of the key; for people.
        grant: what they may do.
        session: hash of the session's token; empty without one.
    """

    id: str
    kind: Literal["key", "user", "anonymous"]
    name: str
    grant: Grant
    session: str = ""

    @property
    def scopes(self) -> frozenset[Scope]:
        """What they may do."""
        return self.grant.scopes

    @property
    def galleries(self) -> tuple[str, ...] | None:
        """Names of the galleries that they may use; None: all."""
        return self.grant.galleries

    @property
    def cameras(self) -> tuple[str, ...] | None:
        """Ids of the cameras that they may use; None: all."""
        return self.grant.cameras

    @property
    def limits(self) -> RateLimits:
        """How much they may use."""
        return self.grant.limits

    def require(self, gallery: str) -> None:
        """Raise `Forbidden` unless a gallery is granted. It does not tell whether there is one of that name."""
        if not self.grant.covers(gallery):
            raise Forbidden("This key or user is not for this gallery. Use one that is, or ask for one.")

    def require_camera(self, camera: str) -> None:
        """Raise `Forbidden` unless a camera is granted. It does not tell whether there is one of that id."""
        if not self.grant.covers_camera(camera):
            raise Forbidden("This key or user is not for this camera. Use one that is, or ask for one.")


EVERYBODY = Caller("", "anonymous", "", Grant(frozenset({"admin"})))
"""The caller of every request to an open server."""

STRANGER = Caller("", "anonymous", "", Grant(frozenset()))
"""A caller without a key, on a route that is open."""


@dataclass(frozen=True, slots=True)
class Key:
    """Class of an API key, without the key itself, which nobody stores.

    Attributes:
        id: by which it is listed, revoked and named in the audit log; stays when it is rotated.
        prefix: the part of the key that may be shown: ``fg_…`` with eight characters.
        hash: SHA-256 of the whole key, in hexadecimal.
        grant: what it may do.
        note: what it is for.
        created_at: seconds since the epoch.
        created_by: who made it, as the audit log names them.
        last_used: seconds since the epoch, to the minute; None: never.
        revoked_at: seconds since the epoch; None: it was not.
        rotated_at: seconds since the epoch; None: it was not.
        old_prefix: prefix of the key that it replaced.
        old_hash: hash of that key.
        old_until: seconds since the epoch until which that key holds, too.
    """

    id: str
    prefix: str
    hash: str
    grant: Grant
    note: str = ""
    created_at: float = 0.0
    created_by: str = ""
    last_used: float | None = None
    revoked_at: float | None = None
    rotated_at: float | None = None
    old_prefix: str = ""
    old_hash: str = ""
    old_until: float = 0.0

    def holds(self, now: float) -> bool:
        """Return whether it may be used."""
        return self.revoked_at is None and (self.grant.expires_at is None or now < self.grant.expires_at)

    def proves(self, hashed: str, now: float) -> bool:
        """Return whether a secret of this hash is the key's, or that which it replaced, and holds."""
        own = hmac.compare_digest(self.hash.encode(), hashed.encode())
        old = hmac.compare_digest(self.old_hash.encode(), hashed.encode()) and now < self.old_until
        return self.holds(now) and (own or old)

    @property
    def caller(self) -> Caller:
        """The caller of a request with this key."""
        return Caller(self.id, "key", self.note, self.grant)


def cleaned(grant: Grant, note: str = "") -> tuple[Grant, str]:
    """Return a grant and a note as they are stored: names normalised, each once.

    Raises:
        InvalidName: a gallery cannot be named so, or no camera can have this id.
        MalformedRequest: it grants nothing, or is limited to nothing, or the date or the note cannot be stored.
    """
    if not grant.scopes:
        raise MalformedRequest(f"a key needs one scope at least: {', '.join(SCOPES)}")
    if unknown := sorted(grant.scopes - set(SCOPES)):
        raise MalformedRequest(f"there is no scope {unknown[0][:32]!r}; there are {', '.join(SCOPES)}")
    for what, names in (("galleries", grant.galleries), ("cameras", grant.cameras)):
        if names is not None and not names:
            raise MalformedRequest(f"{what} is empty, so the key could do nothing; leave it out for all {what}")
    if grant.expires_at is not None and not 0 < grant.expires_at < 1e11:
        raise MalformedRequest("the expiry is not a date")
    if len(note) > NOTE or not note.isprintable():
        raise MalformedRequest(f"the note has more than {NOTE} characters, or some that cannot be shown")
    for most in (grant.limits.requests, grant.limits.photos, grant.limits.bytes):
        if most is not None and not 0 < most <= RATE:
            raise MalformedRequest(f"a rate limit must be between 1 and {RATE:,}; leave it out for no limit")
    galleries = _each(grant.galleries, lambda name: clean_name(name, "gallery name"))
    return replace(
        grant, galleries=galleries, cameras=_each(grant.cameras, lambda name: check_id(name, "camera"))
    ), note


def _each(names: tuple[str, ...] | None, clean: Callable[[str], str]) -> tuple[str, ...] | None:
    return None if names is None else tuple(dict.fromkeys(clean(name) for name in names))


def _within(names: tuple[str, ...] | None, others: tuple[str, ...] | None) -> bool:
    return others is None or (names is not None and set(names) <= set(others))
