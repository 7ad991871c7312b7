"""Requests and answers of the HTTP API, as JSON Schema sees them. `answers.py` makes the latter of the library's structs."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from facegroup.errors import MalformedRequest
from facegroup.store import metadata
from facegroup.types import NOT_IN_DATASET, POOR_QUALITY, Policy
from facegroup.wire.model import Request
from facegroup.wire.patterns import WHOLE, Ident, Name
from facegroup.wire.problem import ErrorBody
from facegroup.wire.timestamps import Moment


def _storable(given: dict[str, Any]) -> dict[str, Any]:
    try:
        return metadata.check(given)
    except MalformedRequest as error:
        raise ValueError(error.detail) from None


Metadata = Annotated[dict[str, Any], AfterValidator(_storable)]


class NewGallery(Request):
    """Settings of a gallery to create."""

    threshold: float | None = Field(
        None, ge=-1, le=1, allow_inf_nan=False, description="cosine similarity that an answer must exceed"
    )
    keep_crops: bool = Field(True, description="keep the aligned face of each sample, as JPEG")
    quality: Policy = Field("off", description="how good a face must be to be enrolled")
    probe_quality: Policy = Field("off", description="how good a face must be to be named; else it is `poor_quality`")
    unique: bool = Field(
        True, description="name a person at most once in a photo; false: as often as seen, as in mirrors"
    )


class GalleryChange(Request):
    """Settings of a gallery to change; those left out stay."""

    threshold: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False)
    keep_crops: bool | None = Field(None, description="false erases the crops that are kept")
    quality: Policy | None = Field(None, description="how good a face must be to be enrolled")
    probe_quality: Policy | None = Field(None, description="how good a face must be to be named")
    unique: bool | None = Field(None, description="whether a person is named at most once in a photo")


class NewPerson(Request):
    """A person to create."""

    name: Name
    id: Ident | None = Field(None, description="1–64 characters of a–z, 0–9 and -; made where it is left out")
    metadata: Metadata = Field(default_factory=dict)
    expires_at: Moment = Field(None, description="from then on never named, and soon erased; null: never")


class PersonChange(Request):
    """What to change of a person; what is left out stays."""

    name: Name | None = None
    metadata: Metadata | None = None
    expires_at: Moment = Field(None, description="null lifts it")


class Merger(Request):
    """Who is merged into a person."""

    model_config = ConfigDict(populate_by_name=True)
    source: Ident = Field(alias="from", description="id of the other person, who is erased")


class Probes(Request):
    """Descriptors of faces to identify, made by the gallery's network."""

    descriptors: list[list[float]] = Field(
        description="(n, d) numbers; they are brought to unit length", json_schema_extra={"minItems": 1}
    )
    threshold: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False)
    candidates: Annotated[int, Field(ge=1, le=100), WHOLE] | None = None


class Calibrator(Request):
    """What a gallery is calibrated for, and on."""

    fpir: float | None = Field(
        None, ge=3e-4, le=0.5, allow_inf_nan=False, description="of strangers, the share that may get a name; 0.01"
    )
    strangers: list[list[float]] | None = Field(
        None, description="(n, d) descriptors of people who are not in the gallery; left out: members stand in for them"
    )
    whose: list[str] | None = Field(None, description="who each stranger is: several photos of one count for less")
    dry_run: bool | None = Field(None, description="only say which threshold it would be")


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

    name: str = Field(
        description=f"the person's name, or `{NOT_IN_DATASET}`, or `{POOR_QUALITY}`: nobody was looked for"
    )
    person: PersonRef | None
    similarity: float = Field(description="cos θ to the person named, or to the best candidate where none is")
    distance: float = Field(description="1 - similarity")
    threshold: float
    margin: float | None = Field(description="similarity less that of the next other person")
    estimated_fpir: float | None = Field(
        description="share of strangers that get a name at this threshold; null: the gallery is not calibrated"
    )
    candidates: list[Candidate]
    excluded: list[Candidate] = Field(
        description="people more similar than the answer, and above the threshold, whom a counter-example rules out"
    )
    reasons: list[str] = Field(
        description="why nobody is named: codes of what is wrong with a face that is too poor, or `taken`"
    )
    taken_by: int | None = Field(
        description="number of the face, from 0 and from left to right, that was named this face's most similar person; "
        "null: no other face was, or it is not above the threshold"
    )


class Box(BaseModel):
    """Corners in pixels of the upright photo."""

    x1: float
    y1: float
    x2: float
    y2: float


class Quality(BaseModel):
    """What can be said of a face before a network sees it."""

    size: float = Field(description="shorter side of the box, in pixels")
    sharpness: float = Field(
        description="spread of second differences of the face at 64 × 64 pixels; small: blurred, or magnified"
    )
    brightness: float = Field(description="mean of the face, 0..1")
    contrast: float = Field(description="standard deviation of the face's brightness")
    yaw: float = Field(description="how far the nose tip is off the middle of the eyes, in eye distances")
    pitch: float = Field(description="how much lower than usual the nose tip is, in distances of eyes and mouth")
    roll: float = Field(description="degrees, clockwise")
    inside: float = Field(description="share of the face that lies in the photo, as far as the landmarks tell")
    score: float = Field(description="of its worst part, with the confidence: 0.5 meets `standard`, 1 meets `strict`")
    meets: Policy = Field(description="the strictest policy that it meets")


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
    turned: int | None = Field(
        None,
        description="degrees clockwise by which the photo had to be turned for its faces to be upright: 0, 90, 180 or 270; "
        "boxes and landmarks are of the photo as it was sent",
    )
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
    degraded_reason: str | None = Field(None, description="`store_unavailable` or `store_went_back`")
    images: list[NamedImage]


class ProbeIdentification(BaseModel):
    """Answer of …/identify on descriptors."""

    gallery: str
    gallery_version: int
    network: str
    degraded: bool
    degraded_reason: str | None = Field(None, description="`store_unavailable` or `store_went_back`")
    faces: list[Decision]


class Verification(BaseModel):
    """Answer of …/verify and /verify."""

    same: bool
    similarity: float
    distance: float
    threshold: float
    estimated_fmr: float | None = Field(
        description="share of strangers that pass for one person at this threshold; null: not calibrated, or two photos"
    )
    network: str
    faces: list[Found] = Field(description="the faces that were compared, one of each photo")
    excluded: bool = Field(description="the face is nearer to one of the person's counter-examples: not the same")
    person: PersonRef | None = None
    gallery_version: int | None = None


class Calibration(BaseModel):
    """How a gallery's threshold was found on people, and what it means."""

    threshold: float = Field(description="that was set; the gallery's own may have been changed since")
    fpir: float = Field(description="false-positive identification rate asked for: of strangers, how many get a name")
    fpir_interval: tuple[float, float] = Field(description="of the rate at the threshold, 95 %")
    tpir: float | None = Field(
        description="share of members' photos that get the right name; null: nobody has two photos"
    )
    tpir_interval: tuple[float, float] | None = Field(description="95 %")
    network: str
    people: int
    samples: int = Field(description="photos of members that were searched with")
    strangers: int = Field(description="photos of strangers; 0: members stood in for them")
    at: float = Field(description="seconds since the epoch")
    curve: list[tuple[float, float]] = Field(description="(similarity, FPIR if that were the threshold)")
    sampled: int = Field(description="people whose photos those are")
    one_to_one: list[tuple[float, float]] = Field(
        description="(similarity, FMR of verification, were that the threshold)"
    )
    stale: str | None = Field(
        description="`people_changed` by over 20 %, or `threshold_changed` by hand since; null: it holds"
    )


class Gallery(BaseModel):
    """A gallery."""

    name: str
    network: str
    dimension: int
    threshold: float
    keep_crops: bool
    gallery_version: int
    people: int
    created_at: float = Field(description="seconds since the epoch")
    damaged: int = Field(description="values in the store that could not be used and are skipped; the log names them")
    quality: Policy = Field(description="how good a face must be to be enrolled")
    probe_quality: Policy = Field(description="how good a face must be to be named")
    unique: bool = Field(description="whether a person is named at most once in a photo")
    calibration: Calibration | None = Field(
        description="how the threshold was found; null: by hand, or the network's own"
    )


class Likeness(BaseModel):
    """A photo of one person, or of a stranger, that is most like another person."""

    whose: str = Field(description="id of the person, or which stranger")
    like: Candidate


class Calibrated(BaseModel):
    """What a calibration found, and did."""

    gallery: Gallery
    calibration: Calibration
    applied: bool = Field(description="whether the gallery's threshold was set")
    threshold_before: float
    searches: int = Field(description="photos that the threshold must keep nameless")
    closest: list[Likeness] = Field(description="the worst of them: is somebody there twice, or a stranger a member?")
    refused: list["RefusedPhoto"] = Field(description="photos of strangers in which no face could be used")


class Accepted(BaseModel):
    """A gallery that is in use as it is."""

    gallery: str
    gallery_version: int | None = Field(description="null: it is gone, as if it had been erased")


class GalleryPage(BaseModel):
    """A page of galleries."""

    galleries: list[Gallery]
    next: str | None = Field(description="cursor of the following page")


class Person(BaseModel):
    """A person."""

    id: str
    name: str
    metadata: dict[str, Any]
    photos: int = Field(description="how many are enrolled")
    counter_examples: int = Field(description="faces that were said not to be this person")
    created_at: float
    updated_at: float
    expires_at: float | None = Field(description="seconds since the epoch; null: never")


class PeoplePage(BaseModel):
    """A page of people."""

    people: list[Person]
    next: str | None = Field(description="cursor of the following page")


class EnrolledPhoto(BaseModel):
    """A photo that is a sample of the person now."""

    name: str
    photo_id: str = Field(description="sha256 of the file")
    duplicate: bool = Field(description="the same file was enrolled before, or earlier in this request")


class RefusedPhoto(BaseModel):
    """A photo that was not enrolled."""

    name: str
    error: ErrorBody


class EnrolmentWarning(BaseModel):
    """A photo that was enrolled though it may show somebody else, or was not upright."""

    name: str
    code: str = Field(description="`looks_like`, `unlike_own` or `not_upright`; `strict` refuses what is in doubt")
    detail: str
    own_similarity: float | None = Field(description="to the person's other photos; null where there are none")
    looks_like: Candidate | None = Field(description="the person of the gallery whom it is more like")


class ChosenFace(BaseModel):
    """A photo with several faces, of which one was enrolled."""

    name: str
    face: int = Field(description="number of the face that was taken, from 0, left to right")
    faces: int = Field(description="how many were found")


class Enrolment(BaseModel):
    """What became of the photos of one person."""

    person: Person
    gallery_version: int
    enrolled: list[EnrolledPhoto]
    refused: list[RefusedPhoto]
    warnings: list[EnrolmentWarning]
    chosen: list[ChosenFace] = Field(description="where `face` was `largest` or `dominant`")


class KeptExample(BaseModel):
    """A face that is a counter-example of the person now."""

    name: str
    id: str = Field(description="sha256 of the file and the face's number")
    duplicate: bool = Field(description="the same face of the same file was one before, or earlier in this request")


class CorrectionWarning(BaseModel):
    """A counter-example that may show the person after all."""

    name: str
    code: str = Field(description="`looks_like_own`: what `strict` would have refused it with")
    detail: str
    own_similarity: float = Field(description="to the person's photos")


class Correction(BaseModel):
    """What became of faces that are said not to be a person."""

    person: Person
    gallery_version: int
    kept: list[KeptExample]
    refused: list[RefusedPhoto]
    warnings: list[CorrectionWarning]


class Photo(BaseModel):
    """A sample of a person."""

    id: str
    created_at: float


class Photos(BaseModel):
    """The samples of a person."""

    photos: list[Photo]


class CounterExamples(BaseModel):
    """The counter-examples of a person."""

    counter_examples: list[Photo]


class Removed(BaseModel):
    """How much was removed."""

    people: int
    photos: int
    counter_examples: int
    descriptors: int = Field(description="one for each photo and counter-example; the person's centroid goes with them")
    crops: int = Field(description="pictures of aligned faces; photos enrolled while the gallery kept none had none")
    sightings: int = Field(0, description="of cameras, with their pictures")


class Merged(BaseModel):
    """What a merger did."""

    person: Person
    moved: int = Field(description="photos that came over")
    duplicates: int = Field(description="photos that both had")
    gallery_version: int


class AuditEntry(BaseModel):
    """One thing that was done."""

    id: str
    at: float = Field(description="seconds since the epoch")
    gallery: str
    what: str
    person_id: str | None
    detail: dict[str, Any] = Field(description="counts, settings and ids")
    actor: str = Field(description="`http` and the client's address, `cli`, `sweep` or `library`")
    request_id: str | None


class AuditPage(BaseModel):
    """A page of the audit log."""

    entries: list[AuditEntry]
    next: str | None = Field(description="cursor of the following page")


class Erased(BaseModel):
    """What an erasure removed."""

    removed: Removed
    gallery_version: int = Field(description="0 when the gallery itself is gone")
