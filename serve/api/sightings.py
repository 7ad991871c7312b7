"""Routes on sightings: pages of them, one, its picture, and the stream of what happens now (server-sent events)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from facegroup import errors
from facegroup.access.checker import Checker
from facegroup.access.types import Caller
from facegroup.cameras.delivery import payloads
from facegroup.cameras.hub.sighting_log import SightingLog
from facegroup.cameras.sightings.journal import Filter
from facegroup.cameras.sightings.types import Event
from facegroup.errors import AccessUnavailable, ServiceError, Unauthorised
from facegroup.wire import sightings as wire
from serve.api import documented, visible
from serve.api.access import CheckedRoute
from serve.api.context import After, Limit, Server, SightingId, Who
from serve.api.pipeline import Pipeline
from serve.api.requirements import TABLE

router = APIRouter(prefix="/sightings", tags=["cameras"], route_class=CheckedRoute)

WAIT_SECONDS = 10.0
"""How long a stream waits for an event before it says that it is still there."""
STREAMS = 256
"""Streams open at once, per ingress."""
_PAGE = 100

_KEPT = (errors.CamerasOff, errors.StoreUnavailable, errors.StoreInvalid)
_LIST = documented.of(wire.SightingsPage, *_KEPT)
_ONE = documented.of(wire.Sighting, *_KEPT, errors.UnknownSighting)
_CROP = documented.crop(*_KEPT, errors.UnknownSighting)
_STREAM = {
    **documented.of(None, *_KEPT),
    200: {"description": "events as they happen, each `data` an Event", "content": {"text/event-stream": {}}},
}

Cameras = Annotated[str | None, Query(description="only of this camera")]
Of = Annotated[str | None, Query(description="only of this gallery")]


@router.get("", response_model=None, responses=_LIST, summary="List sightings")
async def list_sightings(
    server: Server,
    who: Who,
    camera: Cameras = None,
    gallery: Of = None,
    person: Annotated[str | None, Query(description="id of a member")] = None,
    unknown: Annotated[str | None, Query(description="id of a stranger")] = None,
    known: Annotated[bool | None, Query(description="only members, or only strangers")] = None,
    since: Annotated[float | None, Query(description="last seen at or after; seconds since the epoch")] = None,
    until: Annotated[float | None, Query(description="first seen before")] = None,
    visit: Annotated[str | None, Query(description="only of this visit")] = None,
    still: Annotated[
        bool | None, Query(alias="open", description="only who may still be there, or who has left")
    ] = None,
    after: After = "",
    limit: Limit = 100,
) -> wire.SightingsPage:
    """Return a page of sightings, the latest `first_seen` first: one per visit of one person to one camera."""
    wanted = Filter(camera, gallery, person, unknown, known, since, until, visit, still)
    return wire.SightingsPage.of(await visible.sightings(server, who, wanted, after, limit), limit)


@router.get("/stream", response_class=StreamingResponse, responses=_STREAM, summary="Follow what happens")
async def stream(
    request: Request,
    server: Server,
    who: Who,
    camera: Cameras = None,
    gallery: Of = None,
    after: Annotated[int | None, Query(ge=0, description="number of the last event that is known")] = None,
    last: Annotated[
        int | None, Header(alias="Last-Event-ID", ge=0, description="the same, as browsers send it")
    ] = None,
) -> StreamingResponse:
    """Send events as they happen: `sighting.began`, `sighting.changed`, `sighting.ended`, each with its number as `id`.

    With `Last-Event-ID` or `after` it goes on behind that event, and nothing is left out; without, it begins now. Where
    events were erased since by their age, `gap` says which. Comments keep the connection open. The stream ends when the
    key of the request does.
    """
    open_streams = request.app.state.streams
    if len(open_streams) >= STREAMS:
        raise errors.Overloaded("too many streams are open; try again later", 5)
    known = last if last is not None else after
    _, newest = await server.pipeline.cameras(SightingLog.span)
    told = _told(server.pipeline, request.app.state.checker, who, newest if known is None else known, camera, gallery)
    # Weakly: one whose caller left before it began is never run, and says no goodbye.
    open_streams.add(told)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


@router.get("/{sighting}", response_model=None, responses=_ONE, summary="Show a sighting")
async def show_sighting(server: Server, sighting: SightingId, who: Who) -> wire.Sighting:
    """Return a sighting."""
    await visible.check_sighting(server, who, sighting)
    return wire.Sighting.of(await server.pipeline.cameras(SightingLog.show, sighting))


@router.get("/{sighting}/crop", response_class=Response, responses=_CROP, summary="Show the face of a sighting")
async def show_crop(server: Server, sighting: SightingId, who: Who) -> Response:
    """Return the best picture of the face, as JPEG, where the camera keeps pictures."""
    await visible.check_sighting(server, who, sighting)
    return Response(await server.pipeline.cameras(SightingLog.crop, sighting), media_type="image/jpeg")


async def _told(
    pipeline: Pipeline, checker: Checker, who: Caller, known: int, camera: str | None, gallery: str | None
) -> AsyncIterator[bytes]:
    # So that a client that is cut off before the first event knows where it was, too.
    yield f"retry: 2000\nid: {known}\n\n".encode()
    newest = (await pipeline.cameras(SightingLog.span))[1]
    if known > newest:  # of a journal that was lost since
        yield _gap(newest + 1, known)
        known = newest
    while True:
        try:
            events: list[Event] | None = await pipeline.cameras(SightingLog.events, known, _PAGE, WAIT_SECONDS)
        except ServiceError:  # the cameras' process starts again
            yield b": waiting\n\n"
            await asyncio.sleep(1)
            events = None
        try:
            who = await checker.again(who)
        except (Unauthorised, AccessUnavailable):
            return
        if not TABLE[("GET", "/v1/sightings/stream")].allows(who.grant):
            return
        if events is None:
            continue
        if not events:
            yield b": here\n\n"
        elif events[0].seq > known + 1:
            yield _gap(known + 1, events[0].seq - 1)
        for each in events:
            known, seen = each.seq, each.sighting
            wanted = camera in (None, seen.camera) and gallery in (None, seen.gallery)
            if wanted and visible.sees_sighting(who, seen) and not payloads.is_blank(each):
                head = f"id: {each.seq}\nevent: sighting.{each.kind}\ndata: ".encode()
                yield head + payloads.body(each) + b"\n\n"


def _gap(first: int, last: int) -> bytes:
    return f"id: {last}\nevent: gap\ndata: ".encode() + payloads.body(payloads.Gap(first, last)) + b"\n\n"
