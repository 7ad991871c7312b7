"""Route that calibrates a gallery: an FPIR, and photos or descriptors of strangers if any, in; the threshold set, out."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from pydantic import ValidationError

from facegroup.enrolment.samples import Refused
from facegroup.errors import (
    CohortTooSmall,
    Conflict,
    FacegroupError,
    InvalidDescriptor,
    MalformedRequest,
    NetworkMismatch,
    NoFace,
    TooFewToCalibrate,
)
from facegroup.gallery.calibration import LEAST_FPIR, MOST_FPIR
from facegroup.gallery.calibrator import Strangers, strangers
from facegroup.pipeline.messages import Photo, PhotoResult
from facegroup.wire.galleries import Calibrated, Calibrator
from serve.api import documented
from serve.api.access import CheckedRoute
from serve.api.bodies import media_type, read_json, read_photos
from serve.api.context import PHOTOS, By, Context, GalleryName, Server
from serve.api.problems import faults

router = APIRouter(tags=["galleries"], route_class=CheckedRoute)

_DONE = documented.of(
    Calibrated,
    *(TooFewToCalibrate, CohortTooSmall, NetworkMismatch, Conflict, NoFace, InvalidDescriptor),
    *(*documented.STORED, *documented.IMAGES),
)
_BODY = {
    "requestBody": {
        "required": False,
        "content": {
            **PHOTOS["requestBody"]["content"],  # type: ignore[dict-item]
            "application/json": {"schema": Calibrator.model_json_schema()},
        },
    }
}

Fpir = Annotated[
    float,
    Query(ge=LEAST_FPIR, le=MOST_FPIR, allow_inf_nan=False, description="of strangers, the share that may get a name"),
]
DryRun = Annotated[bool, Query(description="only say which threshold it would be")]


@router.post(
    "/galleries/{gallery}/calibrate",
    response_model=None,
    responses=_DONE,
    openapi_extra=_BODY,
    summary="Find and set the threshold for an error rate",
)
async def calibrate(
    request: Request, server: Server, gallery: GalleryName, by: By, fpir: Fpir = 0.01, dry_run: DryRun = False
) -> Calibrated:
    """Find the threshold at which only a share `fpir` of strangers gets a name, and set it with where it comes from.

    It is found on the photos that are enrolled: each is searched with, and must find its own person and nobody else.
    Photos of strangers, or their descriptors as JSON, tell more: every face in them is somebody who must get no name.
    Where the photos are too few for the rate, nothing is set and the error says how many are lacking.
    """
    unknown: Strangers | None = None
    refused: list[Refused] = []
    if media_type(request) == "application/json":
        wanted = _wanted(await read_json(request))
        fpir = fpir if wanted.fpir is None else wanted.fpir
        dry_run = dry_run if wanted.dry_run is None else wanted.dry_run
        unknown = _strangers(wanted)
    elif media_type(request) or await request.body():
        unknown, refused = await _photographed(request, server)
    done = await server.pipeline.calibrate(gallery, fpir, unknown, dry_run=dry_run, by=by)
    return Calibrated.of(done, refused)


def _wanted(body: Any) -> Calibrator:
    try:
        return Calibrator.model_validate(body)
    except ValidationError as error:
        raise MalformedRequest(faults([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])) from error


def _strangers(wanted: Calibrator) -> Strangers | None:
    if wanted.strangers is None:
        if wanted.whose is not None:
            raise MalformedRequest("whose says who the strangers are, and there are none")
        return None
    if len({len(row) for row in wanted.strangers}) != 1:
        raise InvalidDescriptor("strangers must be descriptors of one length, one at least")
    with np.errstate(over="ignore"):
        rows = np.array(wanted.strangers, np.float64).astype(np.float32)
    if wanted.whose is None:
        return Strangers(rows, tuple(map(str, range(len(rows)))))
    # They come back in the answer, where half of a surrogate pair could not be written.
    return Strangers(rows, tuple(each.encode(errors="replace").decode() for each in wanted.whose))


async def _photographed(request: Request, server: Context) -> tuple[Strangers, list[Refused]]:
    """Return every face in the photos, and the photos that show none."""
    named = (await read_photos(request, server.settings.limits)).named
    seen: list[PhotoResult | FacegroupError] = await server.see([Photo(data, liveness=False) for _, data in named])
    return strangers([(name, each) for (name, _), each in zip(named, seen, strict=True)])
