"""Routes on the cohort of a gallery: add photos of strangers, show the sizes, erase."""

from fastapi import APIRouter, Request

from facegroup.cameras.hub.promotion import StrangerLog
from facegroup.enrolment import cohort
from facegroup.errors import CamerasOff, IdempotencyConflict, NetworkMismatch, UnknownsNotAllowed
from facegroup.store.contract import Store
from facegroup.wire import cohort as wire
from serve.api import documented
from serve.api.access import CheckedRoute
from serve.api.bodies import read_photos
from serve.api.context import PHOTOS, By, GalleryName, Key, Server

router = APIRouter(prefix="/galleries/{gallery}/cohort", tags=["galleries"], route_class=CheckedRoute)

_ADDED = documented.of(
    wire.CohortAdded,
    *(NetworkMismatch, IdempotencyConflict),
    *(*documented.STORED, *documented.IMAGES, *documented.ONE_FACE),
)
_SHOWN = documented.of(wire.Cohort, *documented.STORED)
_TAKEN = documented.of(wire.Cohort, UnknownsNotAllowed, CamerasOff, NetworkMismatch, *documented.STORED)
_ERASED = documented.of(wire.CohortErased, *documented.STORED)


@router.post("", openapi_extra=PHOTOS, response_model=None, responses=_ADDED, summary="Add strangers to the cohort")
async def add_cohort(
    request: Request, server: Server, gallery: GalleryName, by: By, key: Key = None
) -> wire.CohortAdded:
    """Add photos of people who are not members, best one photo of each, to compare with where the decision is `cohort`.

    Of each photo the dominant face is taken, and only its descriptor is kept. What cannot be used is refused with its
    reason; a request with a single photo answers its refusal as its own. The answer has counts, and never a descriptor.
    The same photo twice is one stranger. An `Idempotency-Key` is as for photos of people.
    """
    upload = await read_photos(request, server.settings.limits)
    once = cohort.key_of(key, upload.named)
    made = await cohort.add(server.stages, gallery, upload.named, raise_single=True, once=once, by=by)
    return wire.CohortAdded.of(gallery, made)


@router.post("/unknowns", response_model=None, responses=_TAKEN, summary="Take the cameras' strangers into the cohort")
async def take_unknowns(server: Server, gallery: GalleryName, by: By) -> wire.Cohort:
    """Make the strangers whom the gallery's cameras know now those of the cohort, and erase those it had from before.

    Only where `cameras.unknowns_in_cohort` is set. A stranger who is erased or promoted leaves the cohort at once; one who
    is deleted for age leaves it when this is called again.
    """
    if not server.settings.cameras.unknowns_in_cohort:
        raise UnknownsNotAllowed("set cameras.unknowns_in_cohort to copy strangers into cohorts on this server")
    unknowns = await server.pipeline.cameras(StrangerLog.all, gallery)
    about = await server.pipeline.ask(Store.gallery, gallery)
    before = await server.pipeline.ask(Store.cohort, gallery)
    members = cohort.of_unknowns(gallery, about.network, [(each.id, each.network, each.centroid) for each in unknowns])
    stale = cohort.stale_unknowns(before, members)
    if stale:
        await server.pipeline.ask(Store.erase_cohort, gallery, stale, by=by)
    if members:
        await server.pipeline.ask(Store.add_cohort, gallery, members, about.network, by=by)
    found = await server.pipeline.ask(Store.gallery, gallery)
    return wire.Cohort.of(found, await server.pipeline.ask(Store.cohort, gallery))


@router.get("", response_model=None, responses=_SHOWN, summary="Show the sizes of the cohort")
async def show_cohort(server: Server, gallery: GalleryName) -> wire.Cohort:
    """Return how many strangers the cohort has, by where they are from."""
    found = await server.pipeline.ask(Store.gallery, gallery)
    return wire.Cohort.of(found, await server.pipeline.ask(Store.cohort, gallery))


@router.delete("", response_model=None, responses=_ERASED, summary="Erase the cohort")
async def erase_cohort(server: Server, gallery: GalleryName, by: By) -> wire.CohortErased:
    """Erase every stranger of the cohort. Members stay in it, since they are people of the gallery."""
    return wire.CohortErased.of(await server.pipeline.ask(Store.erase_cohort, gallery, by=by))
