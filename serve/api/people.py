"""Routes on people and their photos: list, create, change, erase, enrol."""

import hashlib
import json
import math
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from facegroup.enrolment import steps
from facegroup.enrolment.steps import Wanted
from facegroup.errors import (
    CamerasOff,
    Contradiction,
    IdempotencyConflict,
    LivenessUnavailable,
    LooksLike,
    MalformedRequest,
    NetworkMismatch,
    NotLive,
    NotUpright,
    PersonExists,
    TooManyCounterExamples,
    UnknownPerson,
    UnknownPhoto,
    UnlikeOwn,
)
from facegroup.person_archive import archive
from facegroup.store.contract import Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.names import check_id, clean_name
from facegroup.wire import people as wire
from serve.api import documented
from serve.api.access import CheckedRoute
from serve.api.bodies import read_photos
from serve.api.context import (
    PHOTOS,
    After,
    AskedName,
    By,
    FaceIndex,
    GalleryName,
    Key,
    Limit,
    MinFaceSize,
    PersonId,
    PhotoId,
    Server,
    Strict,
)
from serve.api.erasure import places

router = APIRouter(prefix="/galleries/{gallery}/people", tags=["people"], route_class=CheckedRoute)

_PAGE = documented.of(wire.PeoplePage, *documented.STORED)
_NEW = documented.of(wire.Person, PersonExists, IdempotencyConflict, UnknownPerson, *documented.STORED, status=201)
_MERGED = documented.of(wire.Merged, UnknownPerson, TooManyCounterExamples, *documented.STORED)
_ONE = documented.of(wire.Person, UnknownPerson, *documented.STORED)
_PUT = {**_ONE, 201: {"model": wire.Person, "description": "created"}}
_ENROLLED = documented.of(
    wire.Enrolment,
    *(UnknownPerson, NetworkMismatch, IdempotencyConflict, NotUpright, LooksLike, UnlikeOwn, Contradiction),
    *(*documented.STORED, *documented.IMAGES, *documented.ONE_FACE, *documented.POOR, NotLive, LivenessUnavailable),
)
_PHOTOS = documented.of(wire.Photos, UnknownPerson, *documented.STORED)
_CROP = documented.crop(UnknownPerson, UnknownPhoto, *documented.STORED)
_COPY = documented.file("application/zip", "the copy", UnknownPerson, CamerasOff, *documented.STORED)
_ERASED = documented.of(wire.Erased, UnknownPerson, *documented.STORED)
_ERASED_PHOTO = documented.of(wire.Erased, UnknownPerson, UnknownPhoto, *documented.STORED)


@router.get("", response_model=None, responses=_PAGE, summary="List people")
async def list_people(
    server: Server, gallery: GalleryName, after: After = "", limit: Limit = 100, name: AskedName = None
) -> wire.PeoplePage:
    """Return a page of people, by id; with `name`, only those of that name."""
    rows = await server.pipeline.ask(Store.people, gallery, after, limit, name)
    return wire.PeoplePage.of(rows, limit)


@router.post("", status_code=201, response_model=None, responses=_NEW, summary="Create a person")
async def create_person(
    server: Server, gallery: GalleryName, new: wire.NewPerson, by: By, key: Key = None
) -> wire.Person:
    """Create a person without photos; two may share a name, never an id.

    With an `Idempotency-Key`, the same request again creates nobody and answers the person as it is now; another request
    with that key is a conflict.
    """
    once = None if key is None else IdempotencyKey.of(key, "people", json.dumps(new.model_dump(), sort_keys=True))
    name = clean_name(new.name, "name of the person")
    wanted = None if new.id is None else check_id(new.id)
    made = await server.pipeline.ask(
        Store.create_person, gallery, name, new.metadata, wanted, expires_at=new.expires_at, once=once, by=by
    )
    return wire.Person.of(made)


@router.get("/{person}", response_model=None, responses=_ONE, summary="Show a person")
async def show_person(server: Server, gallery: GalleryName, person: PersonId) -> wire.Person:
    """Return a person."""
    return wire.Person.of(await server.pipeline.ask(Store.person, gallery, person))


@router.put("/{person}", response_model=None, responses=_PUT, summary="Create or change a person")
async def put_person(
    server: Server, gallery: GalleryName, person: PersonId, new: wire.NewPerson, response: Response, by: By
) -> wire.Person:
    """Create a person with this id, or give the one who has it this name and metadata; the photos stay.

    So does the expiry, unless the body has one.
    """
    if new.id not in (None, person):
        raise MalformedRequest("the body's id is another than the path's")
    name = clean_name(new.name, "name of the person")
    try:
        made = await server.pipeline.ask(
            Store.create_person, gallery, name, new.metadata, person, expires_at=new.expires_at, by=by
        )
    except PersonExists:
        made = await server.pipeline.ask(
            Store.update_person, gallery, person, name=name, metadata=new.metadata, expires_at=_expiry(new), by=by
        )
    else:
        response.status_code = 201
    return wire.Person.of(made)


@router.patch("/{person}", response_model=None, responses=_ONE, summary="Change a person")
async def change_person(
    server: Server, gallery: GalleryName, person: PersonId, change: wire.PersonChange, by: By
) -> wire.Person:
    """Rename a person, replace the metadata, or set the expiry; `"expires_at": null` lifts it."""
    name = None if change.name is None else clean_name(change.name, "name of the person")
    made = await server.pipeline.ask(
        Store.update_person, gallery, person, name=name, metadata=change.metadata, expires_at=_expiry(change), by=by
    )
    return wire.Person.of(made)


@router.delete("/{person}", response_model=None, responses=_ERASED, summary="Erase a person")
async def erase_person(server: Server, gallery: GalleryName, person: PersonId, by: By) -> wire.Erased:
    """Erase a person with every descriptor, crop and sighting; the answer says what was removed."""
    await server.pipeline.ask(Store.person, gallery, person)
    return wire.Erased.of(*await places(server, by).erase(gallery, person))


@router.get("/{person}/export", response_class=StreamingResponse, responses=_COPY, summary="Export a person's own copy")
async def export_person(server: Server, gallery: GalleryName, person: PersonId, by: By) -> StreamingResponse:
    """Return everything that is held on a person as one ZIP file: records, descriptors, faces, sightings, audit entries.

    The answer breaks off if the person is erased meanwhile; what was sent then is no whole file.
    """
    await server.pipeline.ask(Store.person, gallery, person)
    file = {"content-disposition": f'attachment; filename="{person}.zip"', "cache-control": "no-store"}
    parts = archive(places(server, by), gallery, person)
    first = await anext(parts)  # what fails before it is an error of its own

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    return StreamingResponse(whole(), media_type="application/zip", headers=file)


@router.post("/{person}/merge", response_model=None, responses=_MERGED, summary="Merge another person into this one")
async def merge_people(
    server: Server, gallery: GalleryName, person: PersonId, wanted: wire.Merger, by: By
) -> wire.Merged:
    """Give a person all photos of another, who is erased, in one step; name, metadata and expiry stay as they are."""
    other = check_id(wanted.source)
    return wire.Merged.of(await server.pipeline.ask(Store.merge_people, gallery, person, other, by=by))


@router.post(
    "/{person}/photos",
    openapi_extra=PHOTOS,
    response_model=None,
    responses=_ENROLLED,
    summary="Enrol photos of a person",
)
async def enrol(
    request: Request,
    server: Server,
    gallery: GalleryName,
    person: PersonId,
    by: By,
    face: FaceIndex = None,
    min_face_size: MinFaceSize = None,
    strict: Strict = False,
    key: Key = None,
) -> wire.Enrolment:
    """Enrol one or many photos; each must show exactly one face, or `face` says which is meant.

    `face=largest` takes the largest face, `face=dominant` only where the others are far smaller or doubtful; `chosen`
    tells which face was taken of each photo with several.

    A photo that cannot be used, or whose face does not meet the gallery's `quality` policy, or is not live where its
    `liveness` asks for that (`not_live`), is refused with its reason and the others are enrolled; a request with a single
    photo answers its refusal as its own. A photo that is more like another person of the gallery, or far from the
    person's others, is enrolled with a warning, or refused where `strict` is set. A photo that lies on its side or its
    head is turned before it is enrolled, and a warning says so. The same photo twice is one sample. Once this is answered,
    every later answer of the server knows the person: both carry `gallery_version`.

    With an `Idempotency-Key`, the same request again enrols nothing and is answered as the first time, with the person as
    it is now; another request with that key is a conflict.
    """
    upload = await read_photos(request, server.settings.limits)
    hashes = [hashlib.sha256(data).digest() for _, data in upload.named]
    once = (
        None if key is None else IdempotencyKey.of(key, "photos", person, f"{face} {min_face_size} {strict}", *hashes)
    )
    wanted = Wanted(gallery, person, upload.named, face, strict, min_face_size, raise_single=True, once=once, by=by)
    return wire.Enrolment.of(await steps.enrol(server.stages, wanted))


@router.get("/{person}/photos", response_model=None, responses=_PHOTOS, summary="List a person's photos")
async def list_photos(server: Server, gallery: GalleryName, person: PersonId) -> wire.Photos:
    """Return the samples of a person, oldest first."""
    rows = await server.pipeline.ask(Store.samples, gallery, person)
    return wire.Photos.of(rows)


@router.get("/{person}/photos/{photo}", response_class=Response, responses=_CROP, summary="Show an aligned face")
async def show_photo(server: Server, gallery: GalleryName, person: PersonId, photo: PhotoId) -> Response:
    """Return the aligned face of a sample, as JPEG, where the gallery keeps it."""
    rows = await server.pipeline.ask(Store.samples, gallery, person, crops=True, only=photo)
    found = rows[0] if rows else None
    if found is None or found.crop is None:
        raise UnknownPhoto(f"the person has no photo {photo[:64]!r}, or the gallery keeps no crops")
    return Response(found.crop, media_type="image/jpeg")


@router.delete("/{person}/photos/{photo}", response_model=None, responses=_ERASED_PHOTO, summary="Erase a photo")
async def erase_photo(server: Server, gallery: GalleryName, person: PersonId, photo: PhotoId, by: By) -> wire.Erased:
    """Erase one sample with its descriptor and crop."""
    return wire.Erased.of(await server.pipeline.ask(Store.delete_sample, gallery, person, photo, by=by))


def _expiry(wanted: wire.NewPerson | wire.PersonChange) -> float | None:
    """Return the expiry that a body asks for: infinite for null, None where it says nothing."""
    if "expires_at" not in wanted.model_fields_set:
        return None
    return math.inf if wanted.expires_at is None else wanted.expires_at
