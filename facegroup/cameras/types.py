"""What a camera is, what it sees, and how it is: frozen structs, safe to send between processes."""

from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from facegroup.types import Policy

State: TypeAlias = Literal["connecting", "live", "stalled", "failed", "ended", "stopped"]
"""Of a camera: no frame yet; frames come; none came for a while; it cannot be opened, and why is said; a file came to its
end; switched off."""

Region: TypeAlias = tuple[tuple[float, float], ...]
"""A polygon of three corners or more: x and y in 0..1 of the picture's width and height."""

SMALLEST = 30
"""Pixels of the smallest face that is looked for in a frame as it is sent, where its camera has no setting of its own."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera of the registry.

    Attributes:
        id: unique, 1–64 characters of ``[a-z0-9-]``.
        source: address, with the user and password that it needs: never logged and never answered as it is
            (`facegroup.cameras.sources.address.shown`). ``rtsp(s)://``, ``http(s)://`` (MJPEG, HLS, anything that
            FFmpeg reads), ``file:///…`` (a video, or a folder of pictures that grows), ``v4l2:///dev/video0``.
        gallery: whose people are looked for.
        fps: frames analysed a second, at most.
        min_face_size: smallest face looked for, in pixels of the picture; None: `SMALLEST` pixels of what is analysed.
            Smaller ones are seldom named, and looking for them takes most of the time (docs/cameras.md).
        regions: a face counts whose box has its centre in one of them; empty: everywhere.
        quality: how good a face must be to be named; None: the gallery's own policy.
        confirm: frames that must agree before a track has a name.
        cooldown: seconds after which somebody who was not seen has left; seen again is a new sighting.
        snapshots: whether the best crop of a sighting is kept.
        motion: whether frames in which nothing moves are left out.
        transport: of RTSP.
        rotate: degrees, clockwise, by which its pictures are turned to be upright.
        realtime: whether a file is played at its own pace; else as fast as it can be analysed, frame by frame.
        picture_seconds: between two pictures, of a source that gives one each time it is asked.
        stall_seconds: without a frame for so long it is stalled, and opened anew.
        enabled: whether it is looked at.
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
    """One picture that is to be analysed.

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
        moment: seconds of a clock that nobody sets when it was received, of any beginning; None: only `at` tells its time.
        age: seconds from then until it was handed out.
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

    def smallest(self, camera: Camera) -> int:
        """Return the smallest face that is looked for, in pixels of the data."""
        wanted = camera.min_face_size
        return SMALLEST if wanted is None else max(1, round(wanted * self.scale))


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a camera's frames since it was started: received = skipped + still + analysed + (one at hand).

    Attributes:
        received: frames that the source gave.
        skipped: not analysed, since `fps` asks for fewer, or a newer one came before the server was free.
        still: left out, since nothing moved.
        analysed: handed out.
        late: those of `skipped` that would have been due, had the server been free.
        opened: times that the source was opened.
        damaged: those of `skipped` that could not be decoded.
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
    """How a camera is.

    Attributes:
        state: see `State`.
        reason: code of the error that it is not live for; None where there is none.
        detail: of that, for a person; without credentials.
        since: seconds since the epoch when it came into this state.
        frame_at: when the last frame came; None: none yet.
        width: of the last frame, upright, in the camera's own pixels; 0: none yet.
        height: of the last frame.
        source_fps: frames that the source gives a second, measured over the last seconds; 0: not known.
        counts: of frames.
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
    """How a camera is, and what the server makes of it.

    Attributes:
        status: of its eye, or why the server cannot use what it sees.
        restarts: times that its process was lost and started again.
        shed: frames that the server was too busy for, of those that were analysed.
        faces: found in all frames.
        events: of sightings that it led to.
        answered: seconds from the frame to the answer who is in it, of the last ones: half were faster, 95 % were faster.
        noted: the same from the frame that led to an event to its being written.
    """

    status: Status
    restarts: int = 0
    shed: int = 0
    faces: int = 0
    events: int = 0
    answered: tuple[float, float] | None = None
    noted: tuple[float, float] | None = None


class FrameReader(Protocol):
    """A camera that is open, in this process or another; `facegroup.cameras.sources.reader.CameraReader` is what looks."""

    async def next(self, timeout: float) -> tuple[Frame | None, Status]:
        """Return the newest frame that is to be analysed, or None where none came in so many seconds; and how it is."""

    async def close(self) -> None:
        """Let go of it."""
