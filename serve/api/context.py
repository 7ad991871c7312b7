"""What every route is given: the pipeline, the settings, and checked names."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from fastapi import Depends, Header, Path, Query, Request
from pydantic import Field

from facegroup.access.types import Caller
from facegroup.enrolment.steps import Stages
from facegroup.errors import FacegroupError, ImageError, ImageTooLarge
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline.messages import Photo, PhotoResult
from facegroup.settings import Settings
from facegroup.store.audit import Origin
from facegroup.store.names import check_id, clean_name
from facegroup.types import Policy
from facegroup.wire import patterns
from serve.api.auditing import origin
from serve.api.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Context:
    """The server behind the routes."""

    pipeline: Pipeline
    settings: Settings
    spec: NetworkSpec
    detector: str = ""
    """Name of the detector, or "" if its YAML file is not on this machine."""
    client: str = ""
    """Id of the key or user who asks; empty for nobody, and where nobody is meant."""

    @property
    def threshold(self) -> float:
        """What a similarity must exceed where no gallery says."""
        return self.spec.threshold if self.settings.threshold is None else self.settings.threshold

    @property
    def stages(self) -> Stages:
        """The stages of an enrolment."""
        return Stages(self.see, self.pipeline.match, self.pipeline.ask, self.spec.name, self.spec.threshold)

    async def see(self, photos: list[Photo]) -> list[PhotoResult | FacegroupError]:
        """Return what is in each photo.

        Raises:
            FacegroupError: what is wrong with the question (an unknown gallery) or the server (too busy): no photo is at
                fault, so the request as a whole has no answer.
            ImageError: there is only one photo and this is its error.
        """
        most = self.settings.limits.image_bytes
        fit = [replace(photo, client=self.client) for photo in photos if len(photo.data) <= most]
        answers = iter(await self.pipeline.see(fit) if fit else ())
        seen = [next(answers) if len(photo.data) <= most else _too_large(most) for photo in photos]
        for each in seen:
            error = each if isinstance(each, FacegroupError) else each.matched
            if isinstance(error, FacegroupError) and (len(seen) == 1 or not isinstance(error, ImageError)):
                raise error
        return seen


def _too_large(most: int) -> ImageTooLarge:
    return ImageTooLarge(f"the image is larger than {most:,} bytes (image_bytes); send a smaller one")


# Dependencies are coroutines, though they wait for nothing: FastAPI runs plain functions in a thread, 0.1 ms each.


async def _context(request: Request) -> Context:
    found: Context = request.app.state.context
    caller: Caller = request.state.caller
    return replace(found, client=caller.id) if caller.id else found


async def _gallery(
    gallery: Annotated[str, Path(description="name of the gallery", json_schema_extra=patterns.NAME)],
) -> str:
    return clean_name(gallery, "gallery name")


async def _person(
    person: Annotated[str, Path(description="id of the person", json_schema_extra=patterns.IDENT)],
) -> str:
    return check_id(person)


async def _asked_person(
    person: Annotated[str, Query(description="id of the person", json_schema_extra=patterns.IDENT)],
) -> str:
    return check_id(person)


async def _camera(
    camera: Annotated[str, Path(description="id of the camera", json_schema_extra=patterns.IDENT)],
) -> str:
    return check_id(camera, "camera")


async def _stranger(
    unknown: Annotated[
        str, Path(description="id of the stranger, such as unknown-17", json_schema_extra=patterns.IDENT)
    ],
) -> str:
    return check_id(unknown, "stranger")


async def _caller(request: Request) -> Caller:
    found: Caller = request.state.caller
    return found


async def _origin(request: Request) -> Origin:
    return origin(request)


Who = Annotated[Caller, Depends(_caller)]
"""Who sends a request, and what they may do."""

By = Annotated[Origin, Depends(_origin)]
"""Whose request it is, for the audit log: the key or the user, or the address that the connection comes from."""

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1–128 printable ASCII characters: the same request sent again within 24 hours is answered the same "
        "and done once",
        json_schema_extra=patterns.KEY,
    ),
]

PhotoId = Annotated[str, Path(description="sha256 of the photo", json_schema_extra=patterns.SHA256)]
ExampleId = Annotated[str, Path(description="id of the counter-example", json_schema_extra=patterns.SHA256)]
SightingId = Annotated[str, Path(description="id of the sighting", json_schema_extra=patterns.MADE)]
VideoId = Annotated[str, Path(description="id of the video", json_schema_extra=patterns.MADE)]
Server = Annotated[Context, Depends(_context)]
GalleryName = Annotated[str, Depends(_gallery)]
PersonId = Annotated[str, Depends(_person)]
CameraId = Annotated[str, Depends(_camera)]
StrangerId = Annotated[str, Depends(_stranger)]
AskedName = Annotated[str | None, Query(description="only people of exactly this name")]
AskedPerson = Annotated[str, Depends(_asked_person)]
Threshold = Annotated[
    float | None,
    Query(ge=-1, le=1, allow_inf_nan=False, description="cosine similarity to exceed; left out: the gallery's own"),
]
Candidates = Annotated[int | None, Query(ge=1, le=100, description="best people to list in each answer")]
MinFaceSize = Annotated[int | None, Query(ge=12, le=10_000, description="smallest face looked for, in pixels")]
FaceIndex = Annotated[
    Annotated[int, Field(ge=0)] | Literal["largest", "dominant"] | None,
    Query(
        description="which face is meant: its number, from 0, left to right; `largest`; or `dominant`, the largest where "
        "the others are far smaller or doubtful"
    ),
]
Strict = Annotated[
    bool, Query(description="refuse photos that look like somebody else, or unlike the person's others, not only warn")
]
CloseToOwn = Annotated[bool, Query(description="refuse a face that may show the person after all, not only warn")]
ProbeQuality = Annotated[
    Policy | None,
    Query(description="how good a face must be to be named, else it is `poor_quality`; left out: the gallery's own"),
]
Unique = Annotated[
    bool | None,
    Query(description="whether a person is named at most once in a photo; left out: as the gallery has it"),
]
MustBeLive = Annotated[
    bool | None,
    Query(
        description="whether a face must be live to be named or accepted, else it is `not_live`; false does not score it; "
        "left out: as the gallery's `liveness` has it"
    ),
]
After = Annotated[str, Query(description="cursor: the `next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000, description="rows of a page")]

_PHOTO = {"type": "string", "format": "binary"}
_ENCODED = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": patterns.BASE64,
    "description": "a photo's bytes",
}
JSON_PHOTOS = {
    "oneOf": [
        {"type": "object", "properties": {name: each}, "required": [name], "additionalProperties": False}
        for name, each in (("image", _ENCODED), ("images", {"type": "array", "items": _ENCODED, "minItems": 1}))
    ]
}
"""OpenAPI's view of a JSON body that `images.read` takes."""

PHOTOS = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"photos": {"type": "array", "items": _PHOTO, "minItems": 1}},
                    "required": ["photos"],
                    "additionalProperties": False,
                }
            },
            "image/*": {"schema": _PHOTO},
            "application/json": {"schema": JSON_PHOTOS},
        },
    }
}
"""OpenAPI's view of a body that `read_photos` takes."""
