"""Requests and answers about cameras, sightings and who is told of them, as JSON Schema sees them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, Strict

from facegroup.cameras.types import SMALLEST
from facegroup.types import Policy
from facegroup.wire.model import Request
from facegroup.wire.patterns import WHOLE, Ident, Name

Share = Annotated[float, Field(ge=0, le=1)]
Corner = Annotated[tuple[Share, Share], Strict(False)]  # a list, as JSON has no tuples; its numbers stay strict
Region = Annotated[list[Corner], Field(min_length=3, max_length=32)]
Regions = Annotated[list[Region], Field(max_length=16)]
Source = Annotated[str, Field(max_length=2048, description="rtsp(s)://, http(s)://, file:///… or v4l2:///dev/video0")]

PictureSeconds = Annotated[float, Field(ge=0.1, le=3600, allow_inf_nan=False)]
Rotate = Literal[0, 90, 180, 270]
MinFaceSize = Annotated[int, Field(ge=12, le=10_000), WHOLE]
Confirm = Annotated[int, Field(ge=1, le=100), WHOLE]
Fps = Annotated[float, Field(ge=0.1, le=30, allow_inf_nan=False)]


class _Looks(Request):
    """How a camera is looked at."""

    fps: Fps = Field(2.0, description="frames analysed a second, at most")
    min_face_size: MinFaceSize | None = Field(
        None,
        description=f"smallest face looked for, in pixels of the picture; null: {SMALLEST} of what is analysed",
    )
    regions: Regions = Field(
        [], description="polygons in 0..1 of the picture; faces elsewhere do not count; []: everywhere"
    )
    quality: Policy | None = Field(None, description="how good a face must be to be named; null: as the gallery says")
    confirm: Confirm = Field(2, description="frames that must agree before somebody has a name")
    cooldown: float = Field(
        30.0, ge=1, le=86_400, allow_inf_nan=False, description="seconds after which who was not seen has left"
    )
    snapshots: bool = Field(True, description="keep pictures: the best of each sighting, and the last frame")
    motion: bool = Field(True, description="leave out frames in which nothing moves")
    transport: Literal["tcp", "udp"] = Field("tcp", description="of RTSP")
    rotate: Rotate = Field(0, description="degrees, clockwise, by which its pictures are turned to be upright")
    realtime: bool = Field(True, description="play a file at its own pace, not as fast as it can be analysed")
    picture_seconds: PictureSeconds = Field(
        1.0, description="between two pictures, of a source that gives one each time it is asked"
    )
    stall_seconds: float = Field(
        10.0, ge=1, le=3600, allow_inf_nan=False, description="without a frame so long: stalled"
    )
    enabled: bool = Field(True, description="whether it is looked at")


class NewCamera(_Looks):
    """A camera to add."""

    id: Ident = Field(description="1–64 characters of a–z, 0–9 and -")
    source: Source
    gallery: Name | None = Field(None, description="whose people are looked for; null: the server's own gallery")


class TriedCamera(_Looks):
    """A camera to look at once; nothing is kept."""

    source: Source


class CameraChange(Request):
    """What to change of a camera; what is left out stays. It is opened anew."""

    source: Source | None = None
    gallery: Name | None = None
    fps: Fps | None = None
    min_face_size: MinFaceSize | None = None
    regions: Regions | None = None
    quality: Policy | None = None
    confirm: Confirm | None = None
    cooldown: float | None = Field(None, ge=1, le=86_400, allow_inf_nan=False)
    snapshots: bool | None = None
    motion: bool | None = None
    transport: Literal["tcp", "udp"] | None = None
    rotate: Rotate | None = None
    realtime: bool | None = None
    picture_seconds: PictureSeconds | None = None
    stall_seconds: float | None = Field(None, ge=1, le=3600, allow_inf_nan=False)
    enabled: bool | None = None


NULLABLE = frozenset(("min_face_size", "quality"))
"""Of a change: what null sets, rather than leaves."""


class Frames(BaseModel):
    """What became of a camera's frames since it was opened: received = skipped + still + analysed + (one at hand)."""

    received: int
    skipped: int = Field(description="not due, or overtaken by a newer one, or damaged")
    still: int = Field(description="nothing moved in them")
    analysed: int
    late: int = Field(description="of the skipped: overtaken while the server was busy")
    damaged: int = Field(description="of the skipped: could not be decoded")
    opened: int = Field(description="times that the source was opened")


class Latency(BaseModel):
    """Milliseconds from a frame on, of the last ones."""

    p50: float
    p95: float


class CameraStatus(BaseModel):
    """How a camera is."""

    state: Literal["connecting", "live", "stalled", "failed", "ended", "stopped"]
    reason: str | None = Field(description="code of the error that it is not live for")
    detail: str | None
    since: float = Field(description="seconds since the epoch")
    frame_at: float | None = Field(description="when the last frame came")
    width: int = Field(description="of the last frame, in pixels; 0: none yet")
    height: int
    source_fps: float
    frames: Frames
    restarts: int = Field(description="times that its process was lost")
    shed: int = Field(description="of the analysed: the server was too busy for them")
    faces: int
    events: int = Field(description="times that it led to an event")
    answered_ms: Latency | None = Field(description="until it was known who is in the frame")
    noted_ms: Latency | None = Field(description="until the event that a frame led to was written")


class Camera(BaseModel):
    """A camera, and how it is."""

    id: str
    source: str = Field(description="without user, password and what else may be secret")
    gallery: str
    fps: float
    min_face_size: int | None
    regions: Regions
    quality: Policy | None
    confirm: int
    cooldown: float
    snapshots: bool
    motion: bool
    transport: str
    rotate: int
    realtime: bool
    picture_seconds: float
    stall_seconds: float
    enabled: bool
    created_at: float
    updated_at: float
    status: CameraStatus


class CamerasList(BaseModel):
    """All cameras, by id."""

    cameras: list[Camera]


class Tried(BaseModel):
    """What a look at a source showed."""

    status: CameraStatus
    faces: int | None = Field(description="in the frame that was seen; null: there was none")
    picture: str | None = Field(description="the frame, as JPEG in base64")


class Sighting(BaseModel):
    """One visit of one person to one camera."""

    id: str
    camera: str
    gallery: str
    person_id: str | None = Field(description="the member; null: a stranger")
    unknown: str | None = Field(description="the stranger; null: a member")
    name: str
    first_seen: float = Field(description="seconds since the epoch")
    last_seen: float
    frames: int = Field(description="in which the face was found")
    similarity: float | None = Field(description="the best; null: a stranger who was seen for the first time")
    visit_id: str = Field(description="the same on several cameras, overlapping or soon after each other")
    open: bool = Field(description="whether the person may still be there")
    crop: bool = Field(description="whether a picture of the face is kept")
    event: int = Field(description="number of the event that told of it last")


class SightingsPage(BaseModel):
    """Sightings, the latest first."""

    sightings: list[Sighting]
    next: str | None = Field(description="cursor of the next page; null: this is the last")


class Event(BaseModel):
    """What receivers are told: the data of a server-sent event, the body of a webhook, the payload of MQTT."""

    seq: int = Field(description="1, 2, 3 …, none left out")
    id: str = Field(description="unique: a repetition has the same")
    type: Literal["sighting.began", "sighting.changed", "sighting.ended"]
    at: float
    sighting: Sighting


class Stranger(BaseModel):
    """A stranger who may come back."""

    id: str
    gallery: str
    visits: int
    first_seen: float
    last_seen: float
    crops: int = Field(description="how many pictures of the face are kept, best first")


class Strangers(BaseModel):
    """The strangers of a gallery, the latest seen first."""

    unknowns: list[Stranger]


class ErasedStranger(BaseModel):
    """What was removed with a stranger."""

    sightings: int


class Promotion(Request):
    """A stranger who becomes a member."""

    unknown: Ident = Field(max_length=64, description="such as unknown-17")
    name: Name | None = Field(None, description="of a new person; or, with an id that is there, left out")
    person_id: Ident | None = Field(None, description="of a person who is there, or of the new one")


class Promoted(BaseModel):
    """The member whom a stranger became."""

    person: dict[str, Any]
    photos: int = Field(description="enrolled of what was kept")
    sightings: int = Field(description="that are the member's now")


class NewWebhook(Request):
    """A receiver to tell of events."""

    id: Ident = Field(description="1–64 characters of a–z, 0–9 and -")
    url: str = Field(max_length=2048, description="http(s)://, posted to; redirects are not followed")
    secret: str | None = Field(
        None, min_length=16, max_length=256, description="key of the signature; null: one is made, and shown this once"
    )
    cameras: list[Ident] = Field([], max_length=1000, description="only their events; []: all")
    gallery: Name | None = Field(None, description="only of its cameras; null: all")


class Webhook(BaseModel):
    """A receiver of events."""

    id: str
    url: str = Field(description="without what may be secret")
    cameras: list[str]
    gallery: str | None
    created_at: float
    delivered: int = Field(description="number of the last event that was dealt with")
    waiting: int = Field(description="events after that")
    dead: int = Field(description="events that the receiver would not take")
    error: str | None = Field(description="what went wrong last, while it does")
    secret: str | None = Field(None, description="only in the answer that made it")


class Webhooks(BaseModel):
    """All receivers, by id."""

    webhooks: list[Webhook]


class DeadLetter(BaseModel):
    """An event that a receiver would not take."""

    event: Event
    at: float
    attempts: int
    detail: str


class DeadLetters(BaseModel):
    """Events that a receiver would not take, by number."""

    dead_letters: list[DeadLetter]
    next: int | None


class Retried(BaseModel):
    """Dead letters that are tried again."""

    retried: int


class VideoJob(BaseModel):
    """A video that is looked through, or was."""

    id: str
    name: str
    gallery: str
    state: Literal["waiting", "running", "done", "failed"]
    progress: float = Field(description="0..1")
    created_at: float
    detail: str | None = Field(description="why it failed")
    result: dict[str, Any] | None = Field(description="who appears when, as `facegroup video --json` says it")


class VideoJobs(BaseModel):
    """The latest videos, newest first, without results."""

    videos: list[VideoJob]
