"""Routes on strangers: list, show, promote to members, erase."""

from contextlib import suppress

from fastapi import APIRouter, Response

from facegroup import errors
from facegroup.cameras.hub.promotion import StrangerLog
from facegroup.enrolment.cohort import unknown_id
from facegroup.store.audit import Origin
from facegroup.store.contract import Store
from facegroup.store.names import check_id, clean_name
from facegroup.wire import sightings as wire
from facegroup.wire.people import Person
from serve.api import documented
from serve.api.access import CheckedRoute
from serve.api.context import By, Context, GalleryName, Server, StrangerId

router = APIRouter(prefix="/galleries/{gallery}", tags=["cameras"], route_class=CheckedRoute)

_KEPT = (errors.CamerasOff, errors.StoreUnavailable, errors.StoreInvalid, errors.InvalidName)
_LIST = documented.of(wire.Strangers, *_KEPT)
_ONE = documented.of(wire.Stranger, errors.UnknownStranger, *_KEPT)
_CROP = documented.crop(errors.UnknownStranger, errors.UnknownPhoto, *_KEPT)
_ERASED = documented.of(wire.ErasedStranger, errors.UnknownStranger, *_KEPT, *documented.STORED)
_PROMOTED = documented.of(
    wire.Promoted,
    *(errors.CamerasOff, errors.UnknownStranger, errors.UnknownPerson, errors.NetworkMismatch, errors.PersonExists),
    *(errors.IdempotencyConflict, errors.Contradiction, errors.NotLive, errors.LivenessUnavailable, *documented.STORED),
    status=201,
)


@router.get("/unknowns", response_model=None, responses=_LIST, summary="List strangers")
async def list_strangers(server: Server, gallery: GalleryName) -> wire.Strangers:
    """Return the strangers whom the gallery's cameras saw, the latest seen first."""
    found = await server.pipeline.cameras(StrangerLog.all, gallery)
    return wire.Strangers(unknowns=[wire.Stranger.of(each) for each in found])


@router.get("/unknowns/{unknown}", response_model=None, responses=_ONE, summary="Show a stranger")
async def show_stranger(server: Server, gallery: GalleryName, unknown: StrangerId) -> wire.Stranger:
    """Return a stranger."""
    return wire.Stranger.of(await server.pipeline.cameras(StrangerLog.show, gallery, unknown))


@router.get("/unknowns/{unknown}/crop", response_class=Response, responses=_CROP, summary="Show a stranger's face")
async def show_crop(server: Server, gallery: GalleryName, unknown: StrangerId) -> Response:
    """Return the best picture of a stranger's face, as JPEG, where the cameras keep pictures."""
    found = await server.pipeline.cameras(StrangerLog.show, gallery, unknown)
    crop = next((shot.crop for shot in found.shots if shot.crop is not None), None)
    if crop is None:
        raise errors.UnknownPhoto("no picture of the stranger is kept")
    return Response(crop, media_type="image/jpeg")


@router.delete("/unknowns/{unknown}", response_model=None, responses=_ERASED, summary="Erase a stranger")
async def erase_stranger(server: Server, gallery: GalleryName, unknown: StrangerId, by: By) -> wire.ErasedStranger:
    """Erase a stranger with descriptors, pictures and sightings; seen again it is another stranger.

    The stranger leaves the cohort first.
    """
    await _leave_cohort(server, gallery, unknown, by)
    sightings = await server.pipeline.cameras(StrangerLog.erase, gallery, unknown)
    return wire.ErasedStranger(sightings=sightings)


@router.post(
    "/people/from-unknown",
    status_code=201,
    response_model=None,
    responses=_PROMOTED,
    summary="Make a stranger a member",
)
async def promote(server: Server, gallery: GalleryName, wanted: wire.Promotion, by: By) -> wire.Promoted:
    """Enrol a stranger's best pictures as a new person, or as photos of one who is there; the sightings are theirs then.

    With `name` a person is made, with the id where one is given; with `person_id` alone it is somebody who is there.
    The stranger leaves the cohort first, even if the promotion is refused then.
    """
    if wanted.name is None and wanted.person_id is None:
        raise errors.MalformedRequest("name or person_id must say who the stranger is")
    name = None if wanted.name is None else clean_name(wanted.name, "name of the person")
    person_id = None if wanted.person_id is None else check_id(wanted.person_id)
    await _leave_cohort(server, gallery, wanted.unknown, by)
    person, photos, moved = await server.pipeline.cameras(
        StrangerLog.promote, gallery, wanted.unknown, name, person_id, by
    )
    return wire.Promoted(person=Person.of(person).as_json(), photos=photos, sightings=moved)


async def _leave_cohort(server: Context, gallery: str, unknown: str, by: Origin) -> None:
    """Erase a stranger's descriptor from the cohort, if it was ever taken into it. The gallery may be gone.

    This comes before the stranger is erased or promoted: whatever fails after it can be repeated, and a stranger who is
    gone from the cameras could not be named in another request.
    """
    with suppress(errors.UnknownGallery):
        await server.pipeline.ask(Store.erase_cohort, gallery, [unknown_id(gallery, unknown)], by=by)
