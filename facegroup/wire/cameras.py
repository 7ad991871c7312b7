"""Cameras and how they are: what the routes on them take and answer."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict

from facegroup.cameras import types
from facegroup.cameras.sources import address
from facegroup.cameras.types import SMALLEST, Condition
from facegroup.types import Policy
from facegroup.wire.model import Answer, Request
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
        30.0, ge=1, le=86_400, allow_inf_nan=False, description="seconds without a detection after which the visit ends"
    )
    snapshots: bool = Field(True, description="keep pictures: the best of each sighting, and the last frame")
    motion: bool = Field(True, description="leave out frames in which nothing moves")
    transport: Literal["tcp", "udp"] = Field("tcp", description="of RTSP")
    rotate: Rotate = Field(0, description="degrees, clockwise, by which its pictures are turned to be upright")
    realtime: bool = Field(True, description="play a file at its own pace, not as fast as it can be analysed")
    picture_seconds: PictureSeconds = Field(
        1.0, description="seconds between two pictures, of a source that returns one picture for each request"
    )
    stall_seconds: float = Field(
        10.0,
        ge=1,
        le=3600,
        allow_inf_nan=False,
        description="seconds without a frame after which the camera is stalled",
    )
    enabled: bool = Field(True, description="whether the server reads it")


class NewCamera(_Looks):
    """A camera to add."""

    id: Ident = Field(description="1–64 characters of a–z, 0–9 and -")
    source: Source
    gallery: Name | None = Field(None, description="gallery to identify faces in; null: the server's own gallery")


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


class Frames(Answer):
    """What became of a camera's frames since it was opened: received = skipped + still + analysed + (one at hand)."""

    received: int
    skipped: int = Field(description="not due, or overtaken by a newer one, or damaged")
    still: int = Field(description="nothing moved in them")
    analysed: int
    late: int = Field(description="of the skipped: overtaken while the server was busy")
    opened: int = Field(description="times that the source was opened")
    damaged: int = Field(description="of the skipped: could not be decoded")


class Latency(Answer):
    """Milliseconds from a frame on, of the last ones."""

    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: tuple[float, float] | None) -> Self | None:
        """Return the median and the 95th percentile; None where there are none."""
        return None if seconds is None else cls(p50=round(seconds[0] * 1e3, 1), p95=round(seconds[1] * 1e3, 1))


class CameraStatus(Answer):
    """How a camera is."""

    state: Literal["connecting", "live", "stalled", "failed", "ended", "stopped"]
    reason: str | None = Field(description="code of the error that keeps it from being live")
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

    @classmethod
    def of(cls, condition: Condition) -> Self:
        """Return how a camera is."""
        status = condition.status
        same: dict[str, Any] = {name: getattr(status, name) for name in cls.model_fields if hasattr(status, name)}
        same |= {"source_fps": round(status.source_fps, 2), "frames": status.counts}
        latencies = {"answered_ms": Latency.of(condition.answered), "noted_ms": Latency.of(condition.noted)}
        return cls.from_struct(condition, **same, **latencies)


class Camera(Answer):
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

    @classmethod
    def of(cls, found: types.Camera, condition: Condition) -> Self:
        """Return a camera and how it is."""
        source = address.shown(found.source) if found.source else ""
        return cls.from_struct(found, source=source, status=CameraStatus.of(condition))


class CamerasList(Answer):
    """All cameras, by id."""

    cameras: list[Camera]


class Tried(Answer):
    """What a look at a source showed."""

    status: CameraStatus
    faces: int | None = Field(description="in the frame that was seen; null: there was none")
    picture: str | None = Field(description="the frame, as JPEG in base64")
