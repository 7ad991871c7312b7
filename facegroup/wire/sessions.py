"""Sessions: what the routes on them take and answer."""

from typing import Literal

from pydantic import Field

from facegroup.access.secrets import LENGTH
from facegroup.access.types import Role, Scope
from facegroup.wire.model import Answer, Request
from facegroup.wire.patterns import Name
from facegroup.wire.users import Password

Way = Literal["key", "password", "provider"]


class SigningIn(Request):
    """A sign-in: with a key, or with a name and a password."""

    key: str | None = Field(None, max_length=4 * LENGTH, description="an API key")
    name: Name | None = Field(None, max_length=200, description="of the user")
    password: Password | None = Field(None, description="of the user")


class Session(Answer):
    """Who asks, and what they may do."""

    signed_in: bool = Field(description="whether there is a session")
    asked: bool = Field(description="whether this server asks for a key or a sign-in")
    kind: Literal["key", "user", "anonymous"]
    name: str = Field(description="of the user, or the note of the key")
    id: str = Field(description="of the key or the user; empty for nobody")
    scopes: list[Scope] = Field(description="what they may do; `admin` includes all others")
    galleries: list[str] | None = Field(description="null: all")
    cameras: list[str] | None = Field(description="null: all")
    role: Role | None = Field(description="of a user")
    csrf_token: str | None = Field(description="what each change with this session sends as `x-csrf-token`")
    expires_at: float | None = Field(description="when the session ends, however much it is used")
    ways: list[Way] = Field(description="how to sign in here")
    provider: str | None = Field(description="name of the OIDC provider")


class LoggedOut(Answer):
    """A log-out."""

    ended: int = Field(description="how many sessions were ended")
    provider: str | None = Field(description="where the provider ends its own session; null: there is none")
