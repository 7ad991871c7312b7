"""Users: what the routes on them take and answer."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field

from facegroup.access.passwords import LONGEST
from facegroup.access.people import NAME
from facegroup.access.people import User as Stored
from facegroup.access.types import Role
from facegroup.wire.model import Answer, Request
from facegroup.wire.patterns import Ident, Name

UserName = Annotated[str, Field(max_length=100, json_schema_extra={"pattern": NAME, "minLength": 1, "maxLength": 64})]
Password = Annotated[str, Field(max_length=4 * LONGEST)]

_ROLE = "viewer: identify, verify and events; editor: also embed, enrol, manage and cameras; admin: everything"
_ONLY = Field(None, min_length=1, max_length=100, description="only of these; null: all")


class NewUser(Request):
    """A user to add."""

    name: UserName
    password: Password = Field(description="at least 12 characters")
    role: Role = Field(description=_ROLE)
    galleries: list[Name] | None = _ONLY
    cameras: list[Ident] | None = _ONLY


class UserChange(Request):
    """What is to change of a user; what is left out stays."""

    password: Password | None = Field(None, description="at least 12 characters; ends the user's sessions")
    role: Role | None = Field(None, description=_ROLE)
    galleries: list[Name] | None = _ONLY
    cameras: list[Ident] | None = _ONLY
    disabled: bool | None = Field(None, description="whether they may not sign in; ends their sessions")

    def limits(self, user: Stored) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """Return the galleries and cameras of a user after the change: null is all, and what is left out stays."""
        galleries = self.galleries if "galleries" in self.model_fields_set else user.galleries
        cameras = self.cameras if "cameras" in self.model_fields_set else user.cameras
        return _tuple(galleries), _tuple(cameras)


class User(Answer):
    """A user. No answer has a password."""

    name: str
    id: str
    role: Role
    state: Literal["active", "disabled"]
    galleries: list[str] | None = Field(description="null: all")
    cameras: list[str] | None = Field(description="null: all")
    created_at: float = Field(description="seconds since the epoch")
    created_by: str
    password_at: float = Field(description="when the password was set")
    disabled_at: float | None
    last_used: float | None = Field(description="to the minute; null: never")

    @classmethod
    def of(cls, found: Stored) -> Self:
        """Return a user."""
        return cls.from_struct(found, state="active" if found.disabled_at is None else "disabled")


class Users(Answer):
    """All users, by name."""

    users: list[User]

    @classmethod
    def of(cls, found: Iterable[Stored]) -> Self:
        """Return the users."""
        return cls(users=[User.of(each) for each in found])


def _tuple(names: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
