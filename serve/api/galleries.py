"""Routes on galleries: list, create, show, change, erase."""

from fastapi import APIRouter

from facegroup.errors import (
    CohortTooSmall,
    GalleryExists,
    InvalidName,
    NetworkMismatch,
    StoreInvalid,
    StoreUnavailable,
    StoreWentBack,
    UnknownGallery,
)
from facegroup.gallery import decision_change
from facegroup.gallery.cohort import check_size
from facegroup.gallery.decision_change import Defaults
from facegroup.store.contract import Changes, Store
from facegroup.types import Gallery
from facegroup.wire import galleries as wire
from facegroup.wire.people import Erased
from serve.api import documented, visible
from serve.api.access import CheckedRoute
from serve.api.context import After, By, Context, GalleryName, Limit, Server, Who
from serve.api.erasure import places

router = APIRouter(prefix="/galleries", tags=["galleries"], route_class=CheckedRoute)

_ONE = documented.of(wire.Gallery, *documented.STORED)
_CHANGED = documented.of(wire.Gallery, CohortTooSmall, *documented.STORED)
_PAGE = documented.of(wire.GalleryPage, StoreUnavailable, StoreInvalid)
_NEW = documented.of(
    wire.Gallery,
    *(InvalidName, GalleryExists, NetworkMismatch, CohortTooSmall, StoreUnavailable, StoreInvalid, StoreWentBack),
)
_ACCEPTED = documented.of(wire.Accepted, *documented.STORED)
_ERASED = documented.of(Erased, *documented.STORED)


@router.get("", response_model=None, responses=_PAGE, summary="List galleries")
async def list_galleries(server: Server, who: Who, after: After = "", limit: Limit = 100) -> wire.GalleryPage:
    """Return a page of galleries, by name; `next` is the cursor of the following page, or null."""
    rows = await visible.galleries(server, who, after, limit)
    return wire.GalleryPage.of(rows, limit, server.detector)


@router.put("/{gallery}", response_model=None, responses=_NEW, summary="Create a gallery")
async def create_gallery(
    server: Server, gallery: GalleryName, by: By, wanted: wire.NewGallery | None = None
) -> wire.Gallery:
    """Create a gallery for the server's network; one that is there already is returned as it is."""
    wanted = wanted or wire.NewGallery()
    if wanted.decision == "cohort" and not await _exists(server, gallery):
        check_size(0)
    threshold = server.threshold if wanted.threshold is None else wanted.threshold
    new = Gallery(
        *(gallery, server.spec.name, server.spec.dimension, threshold, wanted.keep_crops),
        quality=wanted.quality,
        probe_quality=wanted.probe_quality,
        liveness=wanted.liveness,
        unique=wanted.unique,
    )
    made = await server.pipeline.ask(Store.create_gallery, new, by=by)
    return wire.Gallery.of(made, server.detector)


@router.get("/{gallery}", response_model=None, responses=_ONE, summary="Show a gallery")
async def show_gallery(server: Server, gallery: GalleryName) -> wire.Gallery:
    """Return a gallery's settings, version and count of people."""
    return wire.Gallery.of(await server.pipeline.ask(Store.gallery, gallery), server.detector)


@router.patch("/{gallery}", response_model=None, responses=_CHANGED, summary="Change a gallery")
async def change_gallery(server: Server, gallery: GalleryName, change: wire.GalleryChange, by: By) -> wire.Gallery:
    """Change the threshold, the decision, or whether crops are kept; switching them off erases those kept.

    Another decision sets the network's default threshold of that decision, unless the request has a threshold, and makes a
    calibration stale.
    """
    changes: Changes = {
        "threshold": change.threshold,
        "keep_crops": change.keep_crops,
        "quality": change.quality,
        "probe_quality": change.probe_quality,
        "liveness": change.liveness,
        "unique": change.unique,
        "decision": change.decision,
    }
    defaults = Defaults.of(server.spec, server.threshold)
    changed = await decision_change.change(server.pipeline.ask, gallery, changes, defaults, by=by)
    return wire.Gallery.of(changed, server.detector)


@router.delete("/{gallery}", response_model=None, responses=_ERASED, summary="Erase a gallery")
async def erase_gallery(server: Server, gallery: GalleryName, by: By) -> Erased:
    """Erase a gallery with every person, descriptor and crop in it, and what its cameras saw."""
    # Not looked up first: of a gallery that the store lost, erasing is what an operator may do.
    return Erased.of(*await places(server, by).erase(gallery))


@router.post("/{gallery}/accept", response_model=None, responses=_ACCEPTED, summary="Accept what the store lost")
async def accept_gallery(server: Server, gallery: GalleryName) -> wire.Accepted:
    """Take a gallery of which the store lost data as it is now; nothing happens where nothing was lost."""
    standing = await server.pipeline.ask(Store.accept, gallery)
    return wire.Accepted(gallery=gallery, gallery_version=standing.version)


async def _exists(server: Context, gallery: str) -> bool:
    try:
        await server.pipeline.ask(Store.gallery, gallery)
    except UnknownGallery:
        return False
    return True
