"""What the pipeline is asked, one `Photo` at a time, and what it answers: a `PhotoResult`, or an error."""

from dataclasses import dataclass

from facegroup.errors import FacegroupError
from facegroup.types import Crops, Descriptors, Faces, Floats, Match, Policy


@dataclass(frozen=True, slots=True)
class Query:
    """Whom to compare the faces of a photo with.

    Attributes:
        gallery: its name.
        person_id: only this person (verification), or None: everybody (identification).
        threshold: what a similarity must exceed; None: the gallery's own.
        candidates: how many of the best people each answer lists.
        quality: how good a face must be to be named; None: the gallery's own policy. Verification does not ask.
        unique: whether a person is named at most once in a photo; None: as the gallery has it.
    """

    gallery: str
    person_id: str | None = None
    threshold: float | None = None
    candidates: int = 3
    quality: Policy | None = None
    unique: bool | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """One encoded photo, and what is wanted of it.

    Attributes:
        data: the file's bytes.
        min_face_size: smallest face looked for, in pixels of the photo; None: the detector's setting.
        embed: whether descriptors are wanted.
        crops: whether the aligned faces are wanted back, as JPEG.
        query: whom to compare with, or None.
        background: whether it may wait for others: a frame of a camera.
        faces: those that were found in it before, in its pixels: they are not looked for again. None: look for them.
        upright: whether it must be found out which way up it is, as for enrolment, and not only if it looks odd.
        request: id of a request that takes turns with others; empty: it is small enough to go at once.
        cost: what it will cost, see `facegroup.pipeline.cost`; 0: nobody asked.
    """

    data: bytes
    min_face_size: int | None = None
    embed: bool = True
    crops: bool = False
    query: Query | None = None
    background: bool = False
    faces: Faces | None = None
    upright: bool = False
    request: str = ""
    cost: float = 0

    @property
    def needs_descriptors(self) -> bool:
        """Whether the photo goes on to the embedder."""
        return self.embed or self.query is not None


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """What can be said of n faces before a network sees them. Parts only; what follows from them is a policy.

    Attributes:
        size: (n,) float32: the shorter side of the box, in pixels of the photo.
        sharpness: (n,) float32: standard deviation of the second differences of the face's grey values, at 64 × 64 pixels,
            across or down, whichever is less, divided by that of the values; small means blurred, or magnified.
        brightness: (n,) float32 in 0..1: mean grey value of the face.
        contrast: (n,) float32 in 0..0.5: standard deviation of its grey values.
        yaw: (n,) float32 in about -1..1: how far the nose tip is off the middle of the eyes, in eye distances.
        pitch: (n,) float32 in about -1..1: how much farther down than usual the nose tip is, in distances of eyes and mouth.
        roll: (n,) float32: angle of the line through the eyes, in degrees, clockwise.
        inside: (n,) float32 in 0..1: how much of the face lies in the photo, as far as its landmarks tell.
    """

    size: Floats
    sharpness: Floats
    brightness: Floats
    contrast: Floats
    yaw: Floats
    pitch: Floats
    roll: Floats
    inside: Floats


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFaces:
    """The faces of one photo, cut out.

    Attributes:
        width: of the upright photo, in pixels.
        height: of the upright photo, in pixels.
        faces: in pixels of the upright photo, left to right.
        quality: of each face.
        crops: (n, s, s, 3) uint8 RGB, aligned for the network.
        turned: degrees clockwise by which the photo had to be turned for its faces to be upright: 0, 90, 180 or 270.
        upright: whether that is beyond doubt.
    """

    width: int
    height: int
    faces: Faces
    quality: Quality
    crops: Crops
    turned: int = 0
    upright: bool = True


@dataclass(frozen=True, slots=True)
class PhotoMatches:
    """The decisions on the faces of one photo.

    Attributes:
        matches: one per face; of a verification, each names the person or nobody.
        version: of the gallery that decided.
        threshold: that was asked for.
        degraded: whether the store was away or lost data, so that `version` may not be the newest.
        reason: why it is degraded: the code of an error; None: it is not.
    """

    matches: tuple[Match, ...]
    version: int
    threshold: float
    degraded: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PhotoResult:
    """Everything that is known of one photo.

    Attributes:
        width: of the upright photo, in pixels.
        height: of the upright photo, in pixels.
        faces: in pixels of the upright photo, left to right.
        quality: of each face.
        descriptors: (n, d) float32 where they were asked for.
        crops: each aligned face as JPEG where they were asked for.
        matched: the decisions where a query was asked; an error is its answer (an unknown gallery, say).
        turned: see `DetectedFaces`.
        upright: see `DetectedFaces`.
    """

    width: int
    height: int
    faces: Faces
    quality: Quality
    descriptors: Descriptors | None = None
    crops: tuple[bytes, ...] | None = None
    matched: PhotoMatches | FacegroupError | None = None
    turned: int = 0
    upright: bool = True
