"""Routes on users: add, list, show, change and remove them."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request

from facegroup import errors
from facegroup.access.checker import Checker
from facegroup.access.comparing import PasswordWork
from facegroup.access.people import NAME, user_name
from facegroup.access.users import Users, find
from facegroup.wire import users as wire
from serve.api import documented, usage
from serve.api.access import CheckedRoute
from serve.api.context import By, Who

router = APIRouter(prefix="/users", tags=["access"], route_class=CheckedRoute)

_KEPT = (errors.StoreUnavailable, errors.StoreFull, errors.StoreInvalid, errors.InvalidName)
_NEW_ERRORS = (errors.WeakPassword, errors.UserExists, errors.TooManyUsers)
_LIST = documented.of(wire.Users, *_KEPT)
_NEW = documented.of(wire.User, *_KEPT, *_NEW_ERRORS, status=201)
_ONE = documented.of(wire.User, *_KEPT, errors.UnknownUser)
_CHANGED = documented.of(wire.User, *_KEPT, errors.UnknownUser, errors.WeakPassword, errors.LastAdmin)
_GONE = documented.of(wire.User, *_KEPT, errors.UnknownUser, errors.LastAdmin)


async def _users(request: Request) -> Users:
    checker: Checker = request.app.state.checker
    return Users(await checker.registry())


async def _name(
    user: Annotated[
        str, Path(description="name of the user", json_schema_extra={"pattern": NAME, "minLength": 1, "maxLength": 64})
    ],
) -> str:
    return user_name(user)


Kept = Annotated[Users, Depends(_users)]
UserName = Annotated[str, Depends(_name)]


@router.get("", response_model=None, responses=_LIST, summary="List users")
async def list_users(users: Kept, who: Who) -> dict[str, Any]:
    """Return all users, by name. A caller who is limited sees those within their limits."""
    found = await asyncio.to_thread(users.all)
    return wire.Users.of(each for each in found if who.grant.reaches(each.grant)).as_json()


@router.post("", status_code=201, response_model=None, responses=_NEW, summary="Add a user")
async def add_user(request: Request, users: Kept, new: wire.NewUser, who: Who, by: By) -> dict[str, Any]:
    """Add a user who signs in with a name and a password. They may do no more than you.

    The first user of a server that was open closes it, as the first key does.
    """
    name = user_name(new.name)
    hashed = await _hashed(request, new.password, name)
    galleries = None if new.galleries is None else tuple(new.galleries)
    cameras = None if new.cameras is None else tuple(new.cameras)
    made = await asyncio.to_thread(users.add, name, hashed, new.role, galleries, cameras, by.actor, who)
    return wire.User.of(made).as_json()


@router.get("/{user}", response_model=None, responses=_ONE, summary="Show a user")
async def show_user(users: Kept, user: UserName, who: Who) -> dict[str, Any]:
    """Return what a user may do, and when they were here last."""
    found = await asyncio.to_thread(users.show, user)
    if not who.grant.reaches(found.grant):
        raise errors.UnknownUser(f"There is no user {user!r}.")
    return wire.User.of(found).as_json()


@router.patch("/{user}", response_model=None, responses=_CHANGED, summary="Change a user")
async def change_user(
    request: Request, users: Kept, user: UserName, change: wire.UserChange, who: Who
) -> dict[str, Any]:
    """Change a user's password, role or limits, or disable them. They may do no more than you, before and after.

    A new password, and disabling them, ends their sessions at the next request.
    """
    checker: Checker = request.app.state.checker
    found = find(await asyncio.to_thread((await checker.registry()).state), user, who)
    hashed = None if change.password is None else await _hashed(request, change.password, user)
    changed = await asyncio.to_thread(
        lambda: users.change(
            user,
            hashed=hashed,
            role=change.role,
            limits=change.limits(found),
            disabled=change.disabled,
            maker=who,
        )
    )
    return wire.User.of(changed).as_json()


@router.delete("/{user}", response_model=None, responses=_GONE, summary="Remove a user")
async def remove_user(users: Kept, user: UserName, who: Who) -> dict[str, Any]:
    """Remove a user and end their sessions. What they have made stays."""
    return wire.User.of(await asyncio.to_thread(users.remove, user, who)).as_json()


async def _hashed(request: Request, password: str, name: str) -> str:
    work: PasswordWork = request.app.state.passwords
    return await work.hashed(password, usage.network_of(request), name)
