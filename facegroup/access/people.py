"""Users, and the sessions of those who have signed in."""

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from facegroup.access.types import ROLES, Caller, Grant, Role
from facegroup.errors import InvalidName

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}", re.ASCII)
NAME = "^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
"""Pattern of names of users."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class User:
    """Class of somebody who signs in with a name and a password.

    Attributes:
        id: by which sessions know them; a user who is added again with the same name has another one.
        name: by which they sign in.
        hash: of the password; see `facegroup.access.passwords`.
        role: what they may do.
        galleries: names of the galleries that they may use; None: all.
        cameras: ids of the cameras that they may use; None: all.
        created_at: seconds since the epoch.
        created_by: who added them, as the audit log names them.
        password_at: when the password was set.
        disabled_at: seconds since the epoch; None: they are not.
        last_used: seconds since the epoch, to the minute; None: never.
    """

    id: str
    name: str
    hash: str
    role: Role
    galleries: tuple[str, ...] | None = None
    cameras: tuple[str, ...] | None = None
    created_at: float = 0.0
    created_by: str = ""
    password_at: float = 0.0
    disabled_at: float | None = None
    last_used: float | None = None

    def __repr__(self) -> str:
        return f"User({self.id}, {self.name}, {self.role})"

    @property
    def grant(self) -> Grant:
        """What they may do."""
        return Grant(frozenset(ROLES[self.role]), self.galleries, self.cameras)


@dataclass(frozen=True, slots=True)
class Session:
    """Class of a sign-in that has not ended, without its token, which nobody stores.

    Attributes:
        hash: SHA-256 of the token, in hexadecimal.
        kind: whether a user, a key, or somebody whom an OIDC provider knows has signed in.
        subject: id of the user or the key, or one made of the provider's.
        name: of the subject, for people.
        proof: hash of the key that was sent; empty for others.
        grant: what somebody whom the provider knows may do; None for others, whose rights are looked up.
        role: of somebody whom the provider knows.
        created_at: seconds since the epoch.
        ends_at: seconds since the epoch, however much it is used.
        seen_at: when it was used last, to the minute.
    """

    hash: str
    kind: Literal["user", "key", "oidc"]
    subject: str
    name: str
    proof: str = ""
    grant: Grant | None = None
    role: Role | None = None
    created_at: float = 0.0
    ends_at: float = 0.0
    seen_at: float = 0.0

    def caller(self, grant: Grant) -> Caller:
        """Return the caller of a request with this session."""
        return Caller(self.subject, "key" if self.kind == "key" else "user", self.name, grant, self.hash)


def user_name(text: str) -> str:
    """Return the name of a user as it is stored, in lower case. Raises `InvalidName`."""
    name = text.strip().lower()
    if _NAME.fullmatch(name) is None:
        raise InvalidName("a user's name is 1 to 64 letters a-z, digits and . _ @ -, and begins with a letter or digit")
    return name


def new_token() -> str:
    """Return the token of a new session: 32 random bytes."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str | None:
    """Return what is stored of a token; None if the text cannot be one."""
    return sha256(token.encode("ascii")).hexdigest() if _TOKEN.fullmatch(token) else None


def csrf_token(token: str) -> str:
    """Return what a page sends with each change, to show that it could read an answer to its session."""
    made = hmac.digest(token.encode("ascii"), b"facegroup csrf", sha256)
    return urlsafe_b64encode(made).decode().rstrip("=")
