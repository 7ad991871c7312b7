"""Routes on counter-examples: faces that were said not to be a person, who then is not named there again."""

import hashlib

from fastapi import APIRouter, Request, Response

from facegroup.enrolment import steps
from facegroup.enrolment.steps import Wanted
from facegroup.errors import (
    Contradiction,
    IdempotencyConflict,
    LooksLikeOwn,
    NetworkMismatch,
    TooManyCounterExamples,
    UnknownPerson,
    UnknownPhoto,
)
from facegroup.store.contract import Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.wire import people as wire
from serve.api import documented
from serve.api.access import CheckedRoute
from serve.api.bodies import read_photos
from serve.api.context import (
    PHOTOS,
    By,
    CloseToOwn,
    ExampleId,
    FaceIndex,
    GalleryName,
    Key,
    MinFaceSize,
    PersonId,
    Server,
)

router = APIRouter(
    prefix="/galleries/{gallery}/people/{person}/counter-examples", tags=["people"], route_class=CheckedRoute
)

_ADDED = documented.of(
    wire.Correction,
    *(UnknownPerson, NetworkMismatch, IdempotencyConflict, Contradiction, TooManyCounterExamples, LooksLikeOwn),
    *(*documented.STORED, *documented.IMAGES, *documented.ONE_FACE),
)
_LISTED = documented.of(wire.CounterExamples, UnknownPerson, *documented.STORED)
_CROP = documented.crop(UnknownPerson, UnknownPhoto, *documented.STORED)
_ERASED = documented.of(wire.Erased, UnknownPerson, UnknownPhoto, *documented.STORED)


@router.post("", openapi_extra=PHOTOS, response_model=None, responses=_ADDED, summary="This face is not this person")
async def correct(
    request: Request,
    server: Server,
    gallery: GalleryName,
    person: PersonId,
    by: By,
    face: FaceIndex = None,
    min_face_size: MinFaceSize = None,
    strict: CloseToOwn = False,
    key: Key = None,
) -> wire.Correction:
    """Make a face a counter-example of a person: it does not get that name again, nor do faces that are more like it.

    The photo that was answered wrongly is sent again, with the face that is meant where there are several. What cannot be
    used is refused with its reason; a request with a single photo answers its refusal as its own. A face that is so like
    the person that it may show them after all is kept with a warning, or refused where `strict` is set; one that is
    enrolled as a photo of the person is a `contradiction`. The same face of the same photo twice is one counter-example.
    Once this is answered, every later answer knows it: both carry `gallery_version`. An `Idempotency-Key` is as for photos.
    """
    upload = await read_photos(request, server.settings.limits)
    hashes = [hashlib.sha256(data).digest() for _, data in upload.named]
    asked = f"{face} {min_face_size} {strict}"
    once = None if key is None else IdempotencyKey.of(key, "counter-examples", person, asked, *hashes)
    wanted = Wanted(gallery, person, upload.named, face, strict, min_face_size, raise_single=True, once=once, by=by)
    return wire.Correction.of(await steps.correct(server.stages, wanted))


@router.get("", response_model=None, responses=_LISTED, summary="List a person's counter-examples")
async def list_counter_examples(server: Server, gallery: GalleryName, person: PersonId) -> wire.CounterExamples:
    """Return the counter-examples of a person, oldest first."""
    rows = await server.pipeline.ask(Store.samples, gallery, person, counter=True)
    return wire.CounterExamples.of(rows)


@router.get("/{example}", response_class=Response, responses=_CROP, summary="Show a counter-example")
async def show_counter_example(server: Server, gallery: GalleryName, person: PersonId, example: ExampleId) -> Response:
    """Return the aligned face of a counter-example, as JPEG, where the gallery keeps it."""
    rows = await server.pipeline.ask(Store.samples, gallery, person, crops=True, counter=True, only=example)
    found = rows[0] if rows else None
    if found is None or found.crop is None:
        raise UnknownPhoto(f"the person has no counter-example {example[:64]!r}, or the gallery keeps no crops")
    return Response(found.crop, media_type="image/jpeg")


@router.delete("/{example}", response_model=None, responses=_ERASED, summary="Erase a counter-example")
async def erase_counter_example(
    server: Server, gallery: GalleryName, person: PersonId, example: ExampleId, by: By
) -> wire.Erased:
    """Erase one counter-example with its descriptor and crop: it was a mistake."""
    return wire.Erased.of(await server.pipeline.ask(Store.delete_sample, gallery, person, example, counter=True, by=by))
