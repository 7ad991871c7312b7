"""Routes on keys: make, list, show, revoke and rotate them."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from facegroup import errors
from facegroup.access.checker import Checker
from facegroup.access.registry import GRACE_SECONDS, Registry, find, missing
from facegroup.access.types import Caller
from facegroup.store.names import check_id
from facegroup.wire import access as wire
from facegroup.wire import patterns
from serve.api import documented
from serve.api.access import CheckedRoute
from serve.api.context import By, Who

router = APIRouter(prefix="/keys", tags=["access"], route_class=CheckedRoute)

_KEPT = (errors.StoreUnavailable, errors.StoreFull, errors.StoreInvalid)
_LIST = documented.of(wire.Keys, *_KEPT)
_NEW = documented.of(wire.Key, *_KEPT, errors.InvalidName, errors.TooManyKeys, status=201)
_ONE = documented.of(wire.Key, *_KEPT, errors.InvalidName, errors.UnknownKey)
_REVOKED = documented.of(wire.Key, *_KEPT, errors.InvalidName, errors.UnknownKey, errors.LastAdminKey)
_ROTATED = documented.of(wire.Key, *_KEPT, errors.InvalidName, errors.UnknownKey, errors.KeyEnded)


async def _id(key: Annotated[str, Path(description="id of the key", json_schema_extra=patterns.IDENT)]) -> str:
    return check_id(key, "key")


async def _registry(request: Request) -> Registry:
    checker: Checker = request.app.state.checker
    return await checker.registry()


async def _now(request: Request) -> float:
    checker: Checker = request.app.state.checker
    return checker.now()


KeyId = Annotated[str, Depends(_id)]
Kept = Annotated[Registry, Depends(_registry)]
Now = Annotated[float, Depends(_now)]


@router.get("", response_model=None, responses=_LIST, summary="List keys")
async def list_keys(registry: Kept, now: Now, who: Who) -> dict[str, Any]:
    """Return all keys, oldest first, also those that no longer hold. A limited key sees those within its limits."""
    found = await asyncio.to_thread(registry.all)
    return wire.Keys.of((each for each in found if who.grant.reaches(each.grant)), now).as_json()


@router.post("", status_code=201, response_model=None, responses=_NEW, summary="Make a key")
async def add_key(registry: Kept, now: Now, new: wire.NewKey, who: Who, by: By) -> dict[str, Any]:
    """Make a key, which this answer shows once. It allows nothing that the key of the request does not allow.

    The first key of a server that was open closes it: from then on every request needs a key.
    """
    key, secret = await asyncio.to_thread(registry.add, new.grant, new.note, by.actor, who)
    return wire.Key.of(key, now, secret).as_json()


@router.get("/{key}", response_model=None, responses=_ONE, summary="Show a key")
async def show_key(registry: Kept, now: Now, key: KeyId, who: Who) -> dict[str, Any]:
    """Return what a key may do, and when it was used last."""
    found = find(tuple(await asyncio.to_thread(registry.all)), key)
    if not who.grant.reaches(found.grant):
        raise missing(key)
    return wire.Key.of(found, now).as_json()


@router.delete("/{key}", response_model=None, responses=_REVOKED, summary="Revoke a key")
async def revoke_key(
    registry: Kept,
    now: Now,
    key: KeyId,
    who: Who,
    force: Annotated[bool, Query(description="revoke even the last admin key")] = False,
) -> dict[str, Any]:
    """Revoke a key: every process refuses it from the next request on. It stays in the list."""
    await _visible(registry, key, who)
    return wire.Key.of(await asyncio.to_thread(lambda: registry.revoke(key, force=force)), now).as_json()


@router.post("/{key}/rotate", response_model=None, responses=_ROTATED, summary="Give a key another secret")
async def rotate_key(
    registry: Kept,
    now: Now,
    key: KeyId,
    who: Who,
    grace_seconds: Annotated[
        float,
        Query(ge=0, le=wire.GRACE_LIMIT, allow_inf_nan=False, description="how long the old secret holds, too"),
    ] = GRACE_SECONDS,
) -> dict[str, Any]:
    """Give a key another secret, which this answer shows once. What it may do, and until when, stays."""
    await _visible(registry, key, who)
    made, secret = await asyncio.to_thread(registry.rotate, key, grace_seconds, who)
    return wire.Key.of(made, max(now, made.rotated_at or 0), secret).as_json()


async def _visible(registry: Registry, key: str, who: Caller) -> None:
    """Raise `UnknownKey` if a key allows more than the caller may do, as if it were not there."""
    found = find((await asyncio.to_thread(registry.state)).keys, key)
    if not who.grant.reaches(found.grant):
        raise missing(key)
