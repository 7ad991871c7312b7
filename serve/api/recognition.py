"""Routes on photos: who is in them (1:N), is it this person (1:1), what faces are there."""

from dataclasses import replace
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from facegroup.errors import (
    CohortTooSmall,
    InvalidDescriptor,
    LivenessUnavailable,
    MalformedRequest,
    NetworkMismatch,
    UnknownPerson,
)
from facegroup.gallery.verification import of_person, pair
from facegroup.networks.embedder import unit
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Query
from facegroup.wire import recognition as wire
from serve.api import documented, gradual, images
from serve.api.access import CheckedRoute
from serve.api.bodies import media_type, read_json, read_photos
from serve.api.context import (
    JSON_PHOTOS,
    PHOTOS,
    AskedPerson,
    Candidates,
    Context,
    FaceIndex,
    GalleryName,
    MinFaceSize,
    MustBeLive,
    ProbeQuality,
    Server,
    Threshold,
    Unique,
)
from serve.api.problems import faults

router = APIRouter(tags=["recognition"], route_class=CheckedRoute)

_MATCHED = (
    *(*documented.IMAGES, *documented.STORED),
    *(NetworkMismatch, CohortTooSmall, InvalidDescriptor, LivenessUnavailable),
)
_NAMED = documented.of(wire.Identification | wire.ProbeIdentification, *_MATCHED)
_PERSON = documented.of(wire.Verification, *_MATCHED, UnknownPerson, *documented.ONE_FACE)
_PAIR = documented.of(wire.Verification, *documented.IMAGES, *documented.ONE_FACE, LivenessUnavailable)
_FACES = documented.of(wire.Detection, *documented.IMAGES)

_IDENTIFY = {
    "requestBody": {
        "required": True,
        "content": {
            **PHOTOS["requestBody"]["content"],  # type: ignore[dict-item]
            "application/json": {"schema": {"anyOf": [wire.Probes.model_json_schema(), JSON_PHOTOS]}},
        },
    }
}


@router.post(
    "/galleries/{gallery}/identify",
    response_model=None,
    responses=_NAMED,
    openapi_extra=_IDENTIFY,
    summary="Who is in these photos?",
)
async def identify(
    request: Request,
    server: Server,
    gallery: GalleryName,
    threshold: Threshold = None,
    candidates: Candidates = None,
    min_face_size: MinFaceSize = None,
    quality: ProbeQuality = None,
    unique: Unique = None,
    liveness: MustBeLive = None,
) -> Response:
    """Name every face of one or many photos, or of descriptors that the caller has.

    Each face is answered with a member's name or `not in the dataset`; each photo that cannot be used with its error, the
    others are answered. A request with a single photo answers its error as its own. A face below the gallery's
    `probe_quality`, or below `quality`, is answered `poor_quality` with its `reasons`; of descriptors nothing is known.
    A person is named at most once in a photo, and a face whose person another face took has the reason `taken`; with
    `unique=false` each face gets its own. Where the gallery's `liveness`, or this request, asks for live faces, any other
    face is answered `not_live`; each face shows its score where the server has `liveness.model`.
    """
    query = Query(gallery, None, threshold, candidates or server.settings.matcher.candidates, quality, unique, liveness)
    if media_type(request) == "application/json":
        body = await read_json(request)
        if not images.are_in(body):
            return JSONResponse((await _identify_descriptors(body, server, query)).as_json())
    else:
        body = None
    upload = await read_photos(request, server.settings.limits, body)
    photos = [Photo.asking(query, data, min_face_size) for _, data in upload.named]
    seen = await server.see(photos)
    matched = [
        each.matched for each in seen if isinstance(each, PhotoResult) and isinstance(each.matched, PhotoMatches)
    ]
    # A response and not its content: FastAPI would look through every number of it for what JSON cannot hold.
    head = wire.Identification(
        gallery=gallery,
        gallery_version=max((each.version for each in matched), default=None),
        network=server.spec.name,
        detector=server.detector,
        degraded=any(each.degraded for each in matched),
        degraded_reason=next((each.reason for each in matched if each.reason), None),
        images=[],
    )
    pairs = zip(upload.named, seen, strict=True)
    return gradual.answer(head, seen, (wire.NamedImage.in_parts(name, each) for (name, _), each in pairs))


async def _identify_descriptors(body: Any, server: Context, query: Query) -> wire.ProbeIdentification:
    if isinstance(body, dict) and "descriptors" not in body:
        raise MalformedRequest(f"the JSON body has neither descriptors nor an image; {images.HOW}")
    if query.quality not in (None, "off"):
        raise MalformedRequest("nothing is known of the quality of descriptors; send photos, or leave quality out")
    try:
        probes = wire.Probes.model_validate(body)
    except ValidationError as error:
        raise MalformedRequest(faults([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])) from error
    if len(probes.descriptors) > server.settings.limits.faces:
        raise InvalidDescriptor(f"more than {server.settings.limits.faces} descriptors in one request (faces)")
    dimension = server.spec.dimension
    if not probes.descriptors or any(len(row) != dimension for row in probes.descriptors):
        raise InvalidDescriptor(f"each descriptor of {server.spec.name} has {dimension} numbers")
    with np.errstate(over="ignore"):
        rows = np.array(probes.descriptors, np.float64).astype(np.float32)
    descriptors = unit(rows)
    if not np.isfinite(rows).all() or not descriptors.any(axis=1).all():
        raise InvalidDescriptor("a descriptor holds a number that is not finite, or nothing but zeros")
    query = replace(
        query,
        threshold=query.threshold if probes.threshold is None else probes.threshold,
        candidates=probes.candidates or query.candidates,
    )
    matched = await server.pipeline.match(descriptors, query)
    return wire.ProbeIdentification(
        gallery=query.gallery,
        gallery_version=matched.version,
        network=server.spec.name,
        degraded=matched.degraded,
        degraded_reason=matched.reason,
        faces=[wire.Decision.of(match) for match in matched.matches],
    )


@router.post(
    "/galleries/{gallery}/verify",
    response_model=None,
    responses=_PERSON,
    openapi_extra=PHOTOS,
    summary="Is this that person?",
)
async def verify_person(
    request: Request,
    server: Server,
    gallery: GalleryName,
    person: AskedPerson,
    threshold: Threshold = None,
    face: FaceIndex = None,
    liveness: MustBeLive = None,
) -> dict[str, Any]:
    """Compare the one face of a photo, or the `face` that is meant of several, with one person of a gallery.

    Where the gallery's `liveness`, or this request, asks for live faces, any other face is not the same, with `reasons`.
    """
    upload = await read_photos(request, server.settings.limits)
    if len(upload.photos) != 1:
        raise MalformedRequest(f"verification of a person takes one photo; {len(upload.photos)} were sent")
    query = Query(gallery, person, threshold, liveness=liveness)
    (seen,) = await server.see([Photo.asking(query, upload.photos[0][2])])
    verified = of_person(seen, face)
    assert isinstance(seen, PhotoResult)
    assert isinstance(seen.matched, PhotoMatches)
    who = seen.matched.matches[0].candidates[0]
    compared = {"person": {"id": who.person_id, "name": who.name}, "gallery_version": seen.matched.version}
    return wire.Verification.of(verified, server.spec.name, detector=server.detector, **compared).as_json()


@router.post(
    "/verify",
    response_model=None,
    responses=_PAIR,
    openapi_extra=PHOTOS,
    summary="Are these two the same person?",
)
async def verify_pair(
    request: Request,
    server: Server,
    threshold: Threshold = None,
    face: FaceIndex = None,
    other_face: FaceIndex = None,
    liveness: MustBeLive = None,
) -> dict[str, Any]:
    """Compare the one face of a photo with the one face of another; of several, `face` and `other_face` say which.

    With `liveness=true` both must be live to be the same.
    """
    upload = await read_photos(request, server.settings.limits)
    if len(upload.photos) != 2:
        raise MalformedRequest(f"verification of a pair takes two photos; {len(upload.photos)} were sent")
    (one, data), (other, more) = upload.named
    first, second = await server.see([Photo(each, liveness=liveness is not False) for each in (data, more)])
    limit = server.threshold if threshold is None else threshold
    done = pair((one, other), (first, second), limit, (face, other_face), live=bool(liveness))
    return wire.Verification.of(done, server.spec.name, detector=server.detector).as_json()


@router.post(
    "/detect",
    response_model=None,
    responses=_FACES,
    openapi_extra=PHOTOS,
    summary="Where are faces?",
)
async def detect(request: Request, server: Server, min_face_size: MinFaceSize = None) -> Response:
    """Find the faces of one or many photos: box, five landmarks, confidence, quality."""
    return await _faces(request, server, min_face_size, embed=False)


@router.post(
    "/embed",
    response_model=None,
    responses=_FACES,
    openapi_extra=PHOTOS,
    summary="Faces with their descriptors",
)
async def embed(request: Request, server: Server, min_face_size: MinFaceSize = None) -> Response:
    """Find the faces of one or many photos, each with the network's descriptor of unit length."""
    return await _faces(request, server, min_face_size, embed=True)


async def _faces(request: Request, server: Context, min_face_size: int | None, *, embed: bool) -> Response:
    upload = await read_photos(request, server.settings.limits)
    seen = await server.see([Photo(data, min_face_size, embed=embed) for _, data in upload.named])
    pairs = zip(upload.named, seen, strict=True)
    shown = (wire.SeenImage.in_parts(name, each, descriptors=embed) for (name, _), each in pairs)
    return gradual.answer(wire.Detection(network=server.spec.name, detector=server.detector, images=[]), seen, shown)
