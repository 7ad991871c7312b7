"""Routes on galleries: list, create, show, change, erase."""

from typing import Any

from fastapi import APIRouter

from facegroup.errors import GalleryExists, InvalidName, StoreInvalid, StoreUnavailable, StoreWentBack
from facegroup.store.contract import Changes, Store
from facegroup.types import Gallery
from serve import answers, schemas
from serve.api import documented
from serve.api.context import After, By, GalleryName, Limit, Server
from serve.api.erasure import erase

router = APIRouter(prefix="/galleries", tags=["galleries"])

_ONE = documented.of(schemas.Gallery, *documented.STORED)
_PAGE = documented.of(schemas.GalleryPage, StoreUnavailable, StoreInvalid)
_NEW = documented.of(schemas.Gallery, InvalidName, GalleryExists, StoreUnavailable, StoreInvalid, StoreWentBack)
_ACCEPTED = documented.of(schemas.Accepted, *documented.STORED)
_ERASED = documented.of(schemas.Erased, *documented.STORED)


@router.get("", response_model=None, responses=_PAGE, summary="List galleries")
async def list_galleries(server: Server, after: After = "", limit: Limit = 100) -> dict[str, Any]:
    """Return a page of galleries, by name; `next` is the cursor of the following page, or null."""
    rows = await server.pipeline.ask(Store.galleries, after, limit)
    return {
        "galleries": [answers.gallery(each) for each in rows],
        "next": rows[-1].name if len(rows) == limit else None,
    }


@router.put("/{gallery}", response_model=None, responses=_NEW, summary="Create a gallery")
async def create_gallery(
    server: Server, gallery: GalleryName, by: By, wanted: schemas.NewGallery | None = None
) -> dict[str, Any]:
    """Create a gallery for the server's network; one that is there already is returned as it is."""
    wanted = wanted or schemas.NewGallery()
    threshold = server.threshold if wanted.threshold is None else wanted.threshold
    new = Gallery(
        *(gallery, server.spec.name, server.spec.dimension, threshold, wanted.keep_crops),
        quality=wanted.quality,
        probe_quality=wanted.probe_quality,
        unique=wanted.unique,
    )
    made = await server.pipeline.ask(Store.create_gallery, new, by=by)
    return answers.gallery(made)


@router.get("/{gallery}", response_model=None, responses=_ONE, summary="Show a gallery")
async def show_gallery(server: Server, gallery: GalleryName) -> dict[str, Any]:
    """Return a gallery's settings, version and count of people."""
    return answers.gallery(await server.pipeline.ask(Store.gallery, gallery))


@router.patch("/{gallery}", response_model=None, responses=_ONE, summary="Change a gallery")
async def change_gallery(server: Server, gallery: GalleryName, change: schemas.GalleryChange, by: By) -> dict[str, Any]:
    """Change the threshold, or whether crops are kept; switching them off erases those kept."""
    changes: Changes = {
        "threshold": change.threshold,
        "keep_crops": change.keep_crops,
        "quality": change.quality,
        "probe_quality": change.probe_quality,
        "unique": change.unique,
    }
    return answers.gallery(await server.pipeline.ask(Store.update_gallery, gallery, by=by, **changes))


@router.delete("/{gallery}", response_model=None, responses=_ERASED, summary="Erase a gallery")
async def erase_gallery(server: Server, gallery: GalleryName, by: By) -> dict[str, Any]:
    """Erase a gallery with every person, descriptor and crop in it, and what its cameras saw."""
    # Not looked up first: of a gallery that the store lost, erasing is what an operator may do.
    return answers.erased(*await erase(server, by, gallery))


@router.post("/{gallery}/accept", response_model=None, responses=_ACCEPTED, summary="Accept what the store lost")
async def accept_gallery(server: Server, gallery: GalleryName) -> dict[str, Any]:
    """Take a gallery of which the store lost data as it is now; nothing happens where nothing was lost."""
    standing = await server.pipeline.ask(Store.accept, gallery)
    return {"gallery": gallery, "gallery_version": standing.version}
