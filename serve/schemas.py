"""Requests and answers of the HTTP API, as JSON Schema sees them; and how the library's structs become them."""

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from facegroup.enrolment import Enrolment
from facegroup.errors import FacegroupError
from facegroup.photos import Matched, Seen
from facegroup.store.base import Erased
from facegroup.types import NOT_IN_DATASET, Faces, Floats, Gallery, Match, Person
from facegroup.verification import Verified


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewGallery(_Request):
    """Settings of a gallery to create."""

    threshold: float | None = Field(None, ge=-1, le=1, description="cosine similarity that an answer must exceed")
    keep_crops: bool = Field(True, description="keep the aligned face of each sample, as JPEG")


class GalleryChange(_Request):
    """Settings of a gallery to change; those left out stay."""

    threshold: float | None = Field(None, ge=-1, le=1)
    keep_crops: bool | None = Field(None, description="false erases the crops that are kept")


class NewPerson(_Request):
    """A person to create."""

    name: str
    id: str | None = Field(None, description="1–64 characters of a–z, 0–9 and -; made where it is left out")
    metadata: dict[str, Any] = Field(default_factory=dict)


class PersonChange(_Request):
    """What to change of a person; what is left out stays."""

    name: str | None = None
    metadata: dict[str, Any] | None = None


class Probes(_Request):
    """Descriptors of faces to identify, made by the gallery's network."""

    descriptors: list[list[float]] = Field(description="(n, d) numbers; they are brought to unit length")
    threshold: float | None = Field(None, ge=-1, le=1)
    candidates: int | None = Field(None, ge=1, le=100)


class ErrorBody(BaseModel):
    """Why one image, or a request, has no answer."""

    code: str
    status: int
    detail: str


class Candidate(BaseModel):
    """One person whom a face may be."""

    person_id: str
    name: str
    similarity: float


class PersonRef(BaseModel):
    """A person, by id and name."""

    id: str
    name: str


class Decision(BaseModel):
    """Who a face is."""

    name: str = Field(description=f"the person's name, or `{NOT_IN_DATASET}`")
    person: PersonRef | None
    similarity: float = Field(description="cos θ to the person named, or to the best candidate where none is")
    distance: float = Field(description="1 - similarity")
    threshold: float
    margin: float | None = Field(description="similarity less that of the next other person")
    candidates: list[Candidate]


class Box(BaseModel):
    """Corners in pixels of the upright photo."""

    x1: float
    y1: float
    x2: float
    y2: float


class Quality(BaseModel):
    """What can be said of a face before a network sees it."""

    size: float = Field(description="shorter side of the box, in pixels")
    sharpness: float
    brightness: float
    yaw: float
    roll: float = Field(description="degrees, clockwise")


class Found(BaseModel):
    """Where a face is."""

    box: Box
    landmarks: dict[str, tuple[float, float]]
    confidence: float


class Face(Found):
    """One face of a photo."""

    quality: Quality
    descriptor: list[float] | None = None


class NamedFace(Face, Decision):
    """One face of a photo, and who it is."""


class SeenImage(BaseModel):
    """One photo of a request: its faces from left to right, or its error."""

    name: str
    width: int | None = None
    height: int | None = None
    faces: list[Face] | None = None
    error: ErrorBody | None = None


class NamedImage(SeenImage):
    """One photo of an identification."""

    faces: list[NamedFace] | None = None  # type: ignore[assignment]


class Detection(BaseModel):
    """Answer of /detect and /embed."""

    network: str
    images: list[SeenImage]


class Identification(BaseModel):
    """Answer of …/identify on photos."""

    gallery: str
    gallery_version: int | None
    network: str
    degraded: bool = Field(False, description="the store is away; `gallery_version` may not be the newest")
    images: list[NamedImage]


class ProbeIdentification(BaseModel):
    """Answer of …/identify on descriptors."""

    gallery: str
    gallery_version: int
    network: str
    degraded: bool
    faces: list[Decision]


class Verification(BaseModel):
    """Answer of …/verify and /verify."""

    same: bool
    similarity: float
    distance: float
    threshold: float
    network: str
    faces: list[Found] = Field(description="the faces that were compared, one of each photo")
    person: PersonRef | None = None
    gallery_version: int | None = None


LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
_QUALITY = ("size", "sharpness", "brightness", "yaw", "roll")


def error_body(error: FacegroupError) -> dict[str, Any]:
    """Return an error as the answer of one image among many."""
    return {"code": error.code, "status": error.status, "detail": error.detail}


def faces(seen: Seen, *, descriptors: bool = False) -> list[dict[str, Any]]:
    """Return the faces of a photo, each with its decision where there is one."""
    quality = [_rounded(getattr(seen.quality, part), 4) for part in _QUALITY]
    rows = []
    for index, row in enumerate(_found(seen.faces)):
        row["quality"] = dict(zip(_QUALITY, (part[index] for part in quality), strict=True))
        if descriptors and seen.descriptors is not None:
            row["descriptor"] = seen.descriptors[index].tolist()
        if isinstance(seen.matched, Matched):
            row.update(decision(seen.matched.matches[index]))
        rows.append(row)
    return rows


def verification(done: Verified, network: str) -> dict[str, Any]:
    """Return the answer of a verification."""
    return {
        "same": done.same,
        "similarity": round(done.similarity, 5),
        "distance": round(1 - done.similarity, 5),
        "threshold": done.threshold,
        "network": network,
        "faces": [row for faces in done.faces for row in _found(faces)],
    }


def _found(faces: Faces) -> list[dict[str, Any]]:
    return [
        {
            "box": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
            "landmarks": dict(zip(LANDMARKS, points, strict=True)),
            "confidence": confidence,
        }
        for box, points, confidence in zip(
            _rounded(faces.boxes, 2), _rounded(faces.landmarks, 2), _rounded(faces.confidence, 4), strict=True
        )
    ]


def _rounded(numbers: Floats, digits: int) -> list[Any]:
    rows: list[Any] = numbers.astype(np.float64).round(digits).tolist()
    return rows


def image(name: str, seen: Seen | FacegroupError, *, descriptors: bool = False) -> dict[str, Any]:
    """Return one photo of an answer."""
    error = seen if isinstance(seen, FacegroupError) else seen.matched
    if isinstance(error, FacegroupError):
        return {"name": name, "error": error_body(error)}
    assert isinstance(seen, Seen)
    return {
        "name": name,
        "width": seen.width,
        "height": seen.height,
        "faces": faces(seen, descriptors=descriptors),
    }


def decision(match: Match) -> dict[str, Any]:
    """Return who a face is."""
    return {
        "name": match.name,
        "person": None if match.person_id is None else {"id": match.person_id, "name": match.name},
        "similarity": round(match.similarity, 5),
        "distance": round(match.distance, 5),
        "threshold": match.threshold,
        "margin": None if match.margin is None else round(match.margin, 5),
        "candidates": [
            {"person_id": each.person_id, "name": each.name, "similarity": round(each.similarity, 5)}
            for each in match.candidates
        ],
    }


def gallery(found: Gallery) -> dict[str, Any]:
    """Return a gallery."""
    return {
        "name": found.name,
        "network": found.network,
        "dimension": found.dimension,
        "threshold": found.threshold,
        "keep_crops": found.keep_crops,
        "gallery_version": found.version,
        "people": found.people,
        "created_at": found.created_at,
    }


def person(found: Person) -> dict[str, Any]:
    """Return a person."""
    return {
        "id": found.id,
        "name": found.name,
        "metadata": found.metadata,
        "photos": found.samples,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def enrolment(done: Enrolment) -> dict[str, Any]:
    """Return what became of the photos of one person."""
    added = set(done.enrolled.added)
    return {
        "person": person(done.enrolled.person),
        "gallery_version": done.enrolled.version,
        "enrolled": [
            {"name": name, "photo_id": sample, "duplicate": sample not in added} for name, sample in done.photos.items()
        ],
        "refused": [{"name": each.name, "error": error_body(each.error)} for each in done.refused],
    }


def erased(done: Erased) -> dict[str, Any]:
    """Return what an erasure removed."""
    return {"removed": {"people": done.people, "photos": done.samples}, "gallery_version": done.version}
