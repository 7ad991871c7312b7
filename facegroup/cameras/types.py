"""Cameras, their frames and their conditions: frozen structs, safe to send between processes."""

from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from facegroup.types import Policy

State: TypeAlias = Literal["connecting", "live", "stalled", "failed", "ended", "stopped"]
"""State of a camera: no frame yet; frames come; no frame came for a while; it cannot be opened (the reason says why); its
file ended; it is disabled."""

Region: TypeAlias = tuple[tuple[float, float], ...]
"""Polygon of at least three corners: x and y in 0..1 of the picture's width and height."""

SMALLEST = 30
"""Smallest face, in pixels of the frame as it is sent, that is detected without a setting of the camera."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Camera of the registry.

    Attributes:
        id: unique, 1–64 characters of ``[a-z0-9-]``.
        source: address, with the user and password that it needs; never logged or answered as it is
            (`facegroup.cameras.sources.address.shown`). ``rtsp(s)://``, ``http(s)://`` (MJPEG, HLS, anything that
            FFmpeg reads), ``file:///…`` (a video, or a folder to which pictures are added), ``v4l2:///dev/video0``.
        gallery: gallery whose members are recognised.
        fps: most frames analysed a second.
        min_face_size: smallest face that is detected, in pixels of the picture; None means `SMALLEST` pixels of the
            analysed frame. Smaller faces are seldom named, and detecting them takes most of the time (docs/cameras.md).
        regions: a face counts if the centre of its box is in one of them; empty: everywhere.
        quality: policy on how good a face must be to be named; None uses the gallery's policy.
        confirm: frames that must agree before a track is named.
        cooldown: seconds without a detection before the sighting ends.
        snapshots: whether to keep the best crop of each sighting.
        motion: whether to skip frames in which nothing moves.
        transport: of RTSP.
        rotate: degrees by which to rotate its pictures clockwise, so that they are upright.
        realtime: whether to play a file at its own pace; otherwise it is analysed frame by frame, as fast as possible.
        picture_seconds: seconds between two pictures, of a source that returns one on each request.
        stall_seconds: seconds without a frame after which it counts as stalled, and is opened anew.
        enabled: whether it runs.
        created_at: seconds since the epoch; 0 lets the journal set it.
        updated_at: seconds since the epoch.
    """

    id: str
    source: str = field(repr=False)
    gallery: str
    fps: float = 2.0
    min_face_size: int | None = None
    regions: tuple[Region, ...] = ()
    quality: Policy | None = None
    confirm: int = 2
    cooldown: float = 30.0
    snapshots: bool = True
    motion: bool = True
    transport: Literal["tcp", "udp"] = "tcp"
    rotate: Literal[0, 90, 180, 270] = 0
    realtime: bool = True
    picture_seconds: float = 1.0
    stall_seconds: float = 10.0
    enabled: bool = True
    created_at: float = 0.0
    updated_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Picture to be analysed.

    It is the rectangle around the camera's regions, upright, and no wider than `facegroup.settings.Cameras.width`. All sizes
    are of that scale: a face found in the data at x, y is at (x + offset[0]) / width and (y + offset[1]) / height of the
    camera's picture, in 0..1 as regions are, and at those sums / scale in the camera's own pixels.

    Attributes:
        data: JPEG.
        at: seconds since the epoch when it was received; of a source without a clock of its own (a file that is not played
            in real time) when it was read; of a picture in a folder, when it was written.
        position: seconds since the source's first frame, by the source's own time stamps; it only grows, over
            reconnections too (`facegroup.cameras.sources.clock`).
        number: counts every frame of the source, from 0, over reconnections.
        width: of the whole picture, in pixels of the data: as wide as the data, where there are no regions.
        height: of the whole picture, in pixels of the data.
        offset: x and y of the data's top-left pixel in that: only the part around the regions is sent.
        scale: pixels of the data for one of the camera, at most 1.
        lasts: seconds for which it is shown, where the source says so; else 0.
        moment: when it was received, in seconds of a monotonic clock; None: only `at` gives its time.
        age: seconds from then until the reader returned it.
    """

    data: bytes
    at: float
    position: float
    number: int
    width: int
    height: int
    offset: tuple[int, int] = (0, 0)
    scale: float = 1.0
    lasts: float = 0.0
    moment: float | None = None
    age: float = 0.0

    @property
    def received(self) -> float:
        """When it was received: by the monotonic clock where that is known, else since the epoch."""
        return self.at if self.moment is None else self.moment

    def smallest(self, camera: Camera) -> int:
        """Return the smallest face to detect, in pixels of the data."""
        wanted = camera.min_face_size
        return SMALLEST if wanted is None else max(1, round(wanted * self.scale))


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of a camera's frames since its start: received = skipped + still + analysed + (one waiting).

    Attributes:
        received: frames that the source sent.
        skipped: not analysed, since `fps` asks for fewer, or a newer frame came before the server was free.
        still: not analysed, since nothing moved.
        analysed: returned by the reader.
        late: frames of `skipped` that were due while the server was busy.
        opened: times that the source was opened.
        damaged: frames of `skipped` that could not be decoded.
    """

    received: int = 0
    skipped: int = 0
    still: int = 0
    analysed: int = 0
    late: int = 0
    opened: int = 0
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """State of a camera, and the reason for it.

    Attributes:
        state: see `State`.
        reason: code of the error because of which it is not live; None: there is no error.
        detail: of the error, for people; without credentials.
        since: when it entered this state, in seconds since the epoch.
        frame_at: when the last frame came; None: no frame yet.
        width: of the last frame, upright, in the camera's own pixels; 0: no frame yet.
        height: of the last frame.
        source_fps: frames a second that the source sends, measured over the last seconds; 0: not known.
        counts: of its frames.
    """

    state: State
    reason: str | None = None
    detail: str | None = None
    since: float = 0.0
    frame_at: float | None = None
    width: int = 0
    height: int = 0
    source_fps: float = 0.0
    counts: Counts = Counts()


@dataclass(frozen=True, slots=True)
class Condition:
    """State of a camera, and what the server makes of its frames.

    Attributes:
        status: of its reader, or why the server cannot use its frames.
        restarts: how often its process was lost and started again.
        shed: frames of those analysed that the server was too busy for.
        faces: found in all frames.
        events: of sightings that its frames led to.
        answered: seconds from a frame to the answer, over the last frames: median and 95th percentile.
        noted: seconds from a frame that led to an event until the event was written: median and 95th percentile.
    """

    status: Status
    restarts: int = 0
    shed: int = 0
    faces: int = 0
    events: int = 0
    answered: tuple[float, float] | None = None
    noted: tuple[float, float] | None = None


class FrameReader(Protocol):
    """Open camera, in this process or another one; `facegroup.cameras.sources.reader.CameraReader` reads it."""

    async def next(self, timeout: float) -> tuple[Frame | None, Status]:
        """Return the newest frame to be analysed, or None if none came within so many seconds; and the camera's status."""

    async def close(self) -> None:
        """Close the camera."""
