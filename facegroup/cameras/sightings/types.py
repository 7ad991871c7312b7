"""The data of sightings: observations, sightings, events, strangers, receivers and videos."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from facegroup.types import Floats

Kind: TypeAlias = Literal["began", "changed", "ended"]
"""``began``: a member was recognised, or a stranger was confirmed. ``changed``: the sighting is of another person than was
thought. ``ended``: the person has left."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """Class that holds one good view of a face.

    Attributes:
        descriptor: (d,) float32 of unit length.
        crop: the aligned face as JPEG; None if none is kept.
        grade: quality of the face: the lowest of its grades (`facegroup.pipeline.quality_policies`). 0.5 meets the
            policy standard, 1 meets strict.
        liveness: how live the face is, in 0..1; None if that was not scored.
    """

    descriptor: Floats
    crop: bytes | None
    grade: float
    liveness: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """Class that holds what a camera's tracker knows of one track, each time that it changed.

    Attributes:
        track: number, unique for the tracker.
        person_id: member of the camera's gallery; None for a stranger.
        name: the person's, or ``not in the dataset``.
        similarity: best similarity of the agreeing frames to the member; None for a stranger.
        first_seen: seconds of the track's first frame, since the epoch by a steady clock; of a video, since its start.
        last_seen: of its last frame.
        frames: in which the face was found.
        shots: the best views, best first, at most `track.SHOTS`.
        ended: whether the track is over.
        network: that made the descriptors.
        version: of the gallery that decided last.
        shift: seconds by which the time of day was ahead of these times at the first frame. Later it may be set.
        patience: seconds without a detection after which the person has left: the camera's cooldown, or longer where
            frames are rare.
        liveness: mean of how live the last views of the face were, in 0..1; None if that was not scored.
    """

    track: int
    person_id: str | None
    name: str
    similarity: float | None
    first_seen: float
    last_seen: float
    frames: int
    shots: tuple[Shot, ...]
    ended: bool = False
    network: str = ""
    version: int = 0
    shift: float = 0.0
    patience: float = 0.0
    liveness: float | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """Class that holds one visit of one person to one camera.

    Attributes:
        id: unique, 32 hexadecimal digits.
        camera: id of the camera.
        gallery: of the camera.
        person_id: the member; None for a stranger.
        unknown: the stranger's id, such as ``unknown-17``; None for a member.
        name: the member's at that time, or the stranger's id.
        first_seen: seconds since the epoch.
        last_seen: seconds since the epoch.
        frames: in which the face was found.
        similarity: best similarity to the member, or to the stranger as known before; None for a new stranger.
        visit_id: shared by sightings of one person on several cameras that overlap or follow soon.
        open: whether the person may still be there.
        crop: whether a picture of the face is kept.
        seq: number of its last event; 0 if there is none yet.
        patience: seconds without a detection after which the person has left; 0 uses the camera's cooldown.
        liveness: of the track that was observed last, see `Observation`.
    """

    id: str
    camera: str
    gallery: str
    person_id: str | None
    unknown: str | None
    name: str
    first_seen: float
    last_seen: float
    frames: int
    similarity: float | None
    visit_id: str
    open: bool = True
    crop: bool = False
    seq: int = 0
    patience: float = 0.0
    liveness: float | None = None

    @property
    def cursor(self) -> str:
        """Cursor of the page that begins after this sighting."""
        return f"{self.first_seen!r}@{self.id}"


@dataclass(frozen=True, slots=True)
class Event:
    """Class that holds an event, as receivers get it and the journal keeps it.

    Attributes:
        seq: 1, 2, 3 … in order, without a gap.
        id: unique, so that receivers recognise a repetition: the sighting's id and the number, ``9f…-17``.
        kind: see `Kind`.
        at: seconds since the epoch when it was recorded.
        sighting: state at that time.
    """

    seq: int
    id: str
    kind: Kind
    at: float
    sighting: Sighting


@dataclass(frozen=True, slots=True, eq=False)
class Unknown:
    """Class that holds a stranger: a cluster of tracks that belong to no member.

    Attributes:
        id: ``unknown-17``: a number of the gallery that is never given twice.
        gallery: of the cameras that saw them.
        network: that made the descriptors.
        centroid: (d,) float32, unit length: the mean of the shots' descriptors.
        visits: sightings so far.
        first_seen: seconds since the epoch.
        last_seen: seconds since the epoch.
        shots: the best views, best first; empty in a list of strangers.
        crops: number of shots with a picture.
    """

    id: str
    gallery: str
    network: str
    centroid: Floats
    visits: int
    first_seen: float
    last_seen: float
    shots: tuple[Shot, ...]
    crops: int = 0


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver that events are posted to.

    Attributes:
        id: unique, 1–64 characters of ``[a-z0-9-]``.
        url: address of the receiver. It may hold credentials, which no answer shows.
        secret: key of the signature (HMAC-SHA256), which no answer shows.
        cameras: ids of the cameras whose events it gets; empty for all.
        gallery: whose events it gets; None for all.
        created_at: seconds since the epoch; 0 lets the journal set it.
    """

    id: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    cameras: tuple[str, ...] = ()
    gallery: str | None = None
    created_at: float = 0.0

    @property
    def subscriber(self) -> str:
        """Name under which the journal keeps what was delivered."""
        return f"webhook:{self.id}"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Class that holds an event that a receiver refused.

    Attributes:
        subscriber: the receiver: ``webhook:ID``.
        event: that was not delivered.
        at: seconds since the epoch when delivery was given up.
        attempts: number of tries.
        detail: the receiver's last answer.
    """

    subscriber: str
    event: Event
    at: float
    attempts: int
    detail: str


@dataclass(frozen=True, slots=True)
class Video:
    """Class that holds an uploaded video and its state.

    Attributes:
        id: 32 hexadecimal digits.
        name: of the uploaded file.
        gallery: whose members are searched.
        state: waiting, running, done, failed.
        progress: 0..1.
        created_at: seconds since the epoch.
        detail: why it failed; None if it did not.
        result: who appears when, as `facegroup.cameras.video.viewing.report` returns it; None until it is done.
    """

    id: str
    name: str
    gallery: str
    state: Literal["waiting", "running", "done", "failed"]
    progress: float
    created_at: float
    detail: str | None = None
    result: dict[str, Any] | None = None
