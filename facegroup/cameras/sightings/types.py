"""What is known of who was seen: `Observation`s of tracks go in, `Sighting`s and their `Event`s come out."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from facegroup.types import Floats

Kind: TypeAlias = Literal["began", "changed", "ended"]
"""Of an event: somebody was recognised (or is nobody's, for sure), is taken for somebody else now, or has left."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One good look at a face.

    Attributes:
        descriptor: (d,) float32 of unit length.
        crop: the aligned face as JPEG, or None where none is kept.
        grade: how good the face is: its worst part's grade (`facegroup.pipeline.quality_policies`), 0.5 is standard, 1
        is strict.
    """

    descriptor: Floats
    crop: bytes | None
    grade: float


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What a camera's tracker knows of one track, each time that something about it changed.

    Attributes:
        track: number, unique for the tracker.
        person_id: who it is, of the camera's gallery; None: nobody of it.
        name: the person's, or ``not in the dataset``.
        similarity: the best of the agreeing frames with that person; None for nobody.
        first_seen: seconds of the track's first frame, since the epoch by a steady clock; of a video, since its start.
        last_seen: of its last frame.
        frames: in which the face was found.
        shots: the best looks, best first, at most `tracking.SHOTS`.
        ended: whether the track is over: nothing more comes of it.
        network: that made the descriptors.
        version: of the gallery that decided last.
        shift: seconds by which the time of day was ahead of these times at the first frame: it may be set meanwhile.
        patience: seconds unseen after which somebody has left, as often as frames are looked at; at least the camera's
            cooldown.
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


@dataclass(frozen=True, slots=True)
class Sighting:
    """One visit of one person to one camera.

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
        similarity: the best, to the member, or to the stranger as known before; None for one first seen.
        visit_id: the same for sightings of one person on several cameras, overlapping or one soon after the other.
        open: whether the person may still be there.
        crop: whether a picture of the face is kept.
        seq: number of the event that told of it last; 0: none yet.
        patience: seconds unseen after which the person has left; 0: the camera's cooldown.
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

    @property
    def cursor(self) -> str:
        """Where the page after one that ends with this begins."""
        return f"{self.first_seen!r}@{self.id}"


@dataclass(frozen=True, slots=True)
class Event:
    """What receivers are told, and the journal's log keeps.

    Attributes:
        seq: 1, 2, 3 …: no number is left out, in the order of the log.
        id: unique, for receivers to tell a repetition: the sighting's id and the number, ``9f…-17``.
        kind: see `Kind`.
        at: seconds since the epoch when it was written.
        sighting: as it was then.
    """

    seq: int
    id: str
    kind: Kind
    at: float
    sighting: Sighting


@dataclass(frozen=True, slots=True, eq=False)
class Unknown:
    """A stranger who may come back: a cluster of tracks that no member was.

    Attributes:
        id: ``unknown-17``: a gallery's number for good, never given twice.
        gallery: of the cameras that saw them.
        network: that made the descriptors.
        centroid: (d,) float32, unit length: the mean of the shots' descriptors.
        visits: sightings so far.
        first_seen: seconds since the epoch.
        last_seen: seconds since the epoch.
        shots: the best looks, best first; none in a list of strangers.
        crops: pictures among them, as the journal tells.
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
        url: where to; may hold credentials, which are never answered.
        secret: key of the signature (HMAC-SHA256); never answered.
        cameras: only their events; empty: all.
        gallery: only of its cameras; None: all.
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
    """An event that a receiver would not take.

    Attributes:
        subscriber: whose: ``webhook:ID``.
        event: that was not delivered.
        at: seconds since the epoch when it was given up.
        attempts: how often it was tried.
        detail: what the receiver said last.
    """

    subscriber: str
    event: Event
    at: float
    attempts: int
    detail: str


@dataclass(frozen=True, slots=True)
class Video:
    """A video that is looked through, or was.

    Attributes:
        id: 32 hexadecimal digits.
        name: of the file, as it was sent.
        gallery: whose people are looked for.
        state: waiting, running, done, failed.
        progress: 0..1.
        created_at: seconds since the epoch.
        detail: why it failed.
        result: who appears when: ``facegroup.cameras.video.reader.report``'s object; None until it is done.
    """

    id: str
    name: str
    gallery: str
    state: Literal["waiting", "running", "done", "failed"]
    progress: float
    created_at: float
    detail: str | None = None
    result: dict[str, Any] | None = None
