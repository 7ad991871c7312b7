"""What every route asks of its caller: one table, which a test compares with the routes of the application.

A route without a row cannot be served: the application is not built. One of the scopes of a row suffices, with one of
`also` where there are some, and `admin` has all of them. What else a request names, galleries and cameras, is checked
against the key's limits (`access`).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from facegroup.access.types import SCOPES, Grant, Scope

V1 = "/v1"

Whole: TypeAlias = Literal["galleries", "cameras"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """Class of what a route asks for.

    Attributes:
        scopes: of which the caller has one; none for a route that is open to everybody.
        whole: what the route covers as a whole, so that a caller who is limited in it may not use it.
        also: scopes of which the caller has one, too; none if the others suffice.
        signed: whether a signed URL may be used in place of a key, as browsers need for pictures and event streams.
    """

    scopes: tuple[Scope, ...]
    whole: tuple[Whole, ...] = ()
    also: tuple[Scope, ...] = ()
    signed: bool = False

    @property
    def open(self) -> bool:
        """Whether everybody may use it."""
        return not self.scopes

    def allows(self, grant: Grant) -> bool:
        """Return whether a grant suffices, without regard to galleries and cameras that a request names."""
        limited = {"galleries": grant.galleries is not None, "cameras": grant.cameras is not None}
        return self.open or (self.suits(grant) and not any(limited[each] for each in self.whole))

    def suits(self, grant: Grant) -> bool:
        """Return whether the scopes of a grant suffice."""
        return grant.has(*self.scopes) and (not self.also or grant.has(*self.also))


OPEN = Requirement(())

_READ = Requirement(("identify", "verify", "enrol", "manage", "cameras", "events"))
_SEE = Requirement(("identify", "verify", "embed", "enrol", "manage"))
_IDENTIFY, _VERIFY, _EMBED = Requirement(("identify",)), Requirement(("verify",)), Requirement(("embed",))
_ENROL, _MANAGE = Requirement(("enrol", "manage")), Requirement(("manage",))
_CROP = Requirement(("enrol", "manage"), signed=True)
_CAMERAS, _EVENTS = Requirement(("cameras",)), Requirement(("events",))
_ONE_STRANGER: tuple[Whole, ...] = ("cameras",)  # whom any camera of the gallery may have seen
_VIDEO = Requirement(("identify", "cameras"), ("cameras",))  # which is of no camera
_HOOK = Requirement(("cameras",), also=("events",))  # whose receiver is told of events
_ADMIN = Requirement(("admin",))
_ANYBODY = Requirement(SCOPES)  # who has signed in, or has a key

_OF_PHOTOS = (_SEE, _IDENTIFY, _VERIFY, _EMBED, _ENROL)

_GALLERY = f"{V1}/galleries/{{gallery}}"
_PERSON = f"{_GALLERY}/people/{{person}}"
_EXAMPLES = f"{_PERSON}/counter-examples"
_UNKNOWN = f"{_GALLERY}/unknowns/{{unknown}}"
_CAMERA, _SIGHTING = f"{V1}/cameras/{{camera}}", f"{V1}/sightings/{{sighting}}"
_KEY = f"{V1}/keys/{{key}}"
_USER = f"{V1}/users/{{user}}"
_WEBHOOK, _VIDEOS = f"{V1}/webhooks/{{webhook}}", f"{V1}/videos"

TABLE: dict[tuple[str, str], Requirement] = {
    ("POST", f"{_GALLERY}/identify"): _IDENTIFY,
    ("POST", f"{_GALLERY}/verify"): _VERIFY,
    ("POST", f"{V1}/verify"): _VERIFY,
    ("POST", f"{V1}/detect"): _SEE,
    ("POST", f"{V1}/embed"): _EMBED,
    ("GET", f"{V1}/galleries"): _READ,
    ("PUT", _GALLERY): _ENROL,  # of a gallery that is there it changes nothing
    ("GET", _GALLERY): _READ,
    ("PATCH", _GALLERY): _MANAGE,
    ("DELETE", _GALLERY): _MANAGE,
    ("POST", f"{_GALLERY}/accept"): _MANAGE,
    ("POST", f"{_GALLERY}/calibrate"): _MANAGE,
    ("GET", f"{_GALLERY}/cohort"): _ENROL,
    ("POST", f"{_GALLERY}/cohort"): _MANAGE,
    ("DELETE", f"{_GALLERY}/cohort"): _MANAGE,
    ("POST", f"{_GALLERY}/cohort/unknowns"): Requirement(("manage",), _ONE_STRANGER),
    ("GET", f"{_GALLERY}/people"): _ENROL,
    ("POST", f"{_GALLERY}/people"): _ENROL,
    ("POST", f"{_GALLERY}/people/from-unknown"): Requirement(("manage",), _ONE_STRANGER),
    ("GET", _PERSON): _ENROL,
    ("PUT", _PERSON): _ENROL,
    ("PATCH", _PERSON): _ENROL,
    ("DELETE", _PERSON): _MANAGE,
    ("GET", f"{_PERSON}/export"): Requirement(("manage",), ("cameras",)),
    ("POST", f"{_PERSON}/merge"): _MANAGE,
    ("POST", f"{_PERSON}/photos"): _ENROL,
    ("GET", f"{_PERSON}/photos"): _ENROL,
    ("GET", f"{_PERSON}/photos/{{photo}}"): _CROP,
    ("DELETE", f"{_PERSON}/photos/{{photo}}"): _MANAGE,
    ("POST", _EXAMPLES): _ENROL,
    ("GET", _EXAMPLES): _ENROL,
    ("GET", f"{_EXAMPLES}/{{example}}"): _CROP,
    ("DELETE", f"{_EXAMPLES}/{{example}}"): _MANAGE,
    ("GET", f"{_GALLERY}/unknowns"): Requirement(("events", "manage"), _ONE_STRANGER),
    ("GET", _UNKNOWN): Requirement(("events", "manage"), _ONE_STRANGER),
    ("GET", f"{_UNKNOWN}/crop"): Requirement(("events", "manage"), _ONE_STRANGER, signed=True),
    ("DELETE", _UNKNOWN): Requirement(("manage",), _ONE_STRANGER),
    ("GET", f"{V1}/cameras"): _CAMERAS,
    ("POST", f"{V1}/cameras"): _CAMERAS,
    ("POST", f"{V1}/cameras/try"): Requirement(("cameras",), ("cameras",)),
    ("GET", _CAMERA): _CAMERAS,
    ("PATCH", _CAMERA): _CAMERAS,
    ("DELETE", _CAMERA): _CAMERAS,
    ("GET", f"{_CAMERA}/snapshot"): Requirement(("cameras", "events"), signed=True),
    ("GET", f"{V1}/sightings"): _EVENTS,
    ("GET", f"{V1}/sightings/stream"): Requirement(("events",), signed=True),
    ("GET", _SIGHTING): _EVENTS,
    ("GET", f"{_SIGHTING}/crop"): Requirement(("events",), signed=True),
    ("GET", f"{V1}/webhooks"): _CAMERAS,
    ("POST", f"{V1}/webhooks"): _HOOK,
    ("GET", _WEBHOOK): _CAMERAS,
    ("DELETE", _WEBHOOK): _CAMERAS,
    ("GET", f"{_WEBHOOK}/dead-letters"): _HOOK,
    ("POST", f"{_WEBHOOK}/dead-letters/retry"): _HOOK,
    ("POST", _VIDEOS): _VIDEO,
    ("GET", _VIDEOS): Requirement(("cameras",), ("cameras",)),
    ("GET", f"{_VIDEOS}/{{video}}"): _VIDEO,
    ("DELETE", f"{_VIDEOS}/{{video}}"): _VIDEO,
    ("GET", f"{V1}/audit"): Requirement(("audit",)),
    ("POST", f"{V1}/signed-urls"): Requirement(("enrol", "manage", "cameras", "events")),
    ("GET", f"{V1}/keys"): _ADMIN,
    ("POST", f"{V1}/keys"): _ADMIN,
    ("GET", _KEY): _ADMIN,
    ("DELETE", _KEY): _ADMIN,
    ("POST", f"{_KEY}/rotate"): _ADMIN,
    ("GET", f"{V1}/session"): OPEN,
    ("POST", f"{V1}/session"): OPEN,
    ("DELETE", f"{V1}/session"): _ANYBODY,
    ("GET", f"{V1}/session/provider"): OPEN,
    ("GET", f"{V1}/session/callback"): OPEN,
    ("GET", f"{V1}/users"): _ADMIN,
    ("POST", f"{V1}/users"): _ADMIN,
    ("GET", _USER): _ADMIN,
    ("PATCH", _USER): _ADMIN,
    ("DELETE", _USER): _ADMIN,
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/metrics"): Requirement(("metrics",), ("galleries", "cameras")),
    ("GET", "/docs"): OPEN,
}
"""Method and path of each route, and what it asks for."""

OF_PHOTOS = frozenset(path for (method, path), row in TABLE.items() if method == "POST" and row in _OF_PHOTOS)
"""Paths of the routes that take photos."""


_PATHS = frozenset(path for _, path in TABLE)


def full_path(path: str) -> str:
    """Return the path of a route with the prefix with which it is included; any other path as it is."""
    return V1 + path if V1 + path in _PATHS else path


def named(method: str, path: str) -> tuple[str, str] | None:
    """Return the row for a route. A router does not know the prefix with which it is included."""
    return next((each for each in ((method, V1 + path), (method, path)) if each in TABLE), None)
