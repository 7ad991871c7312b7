"""The messages of the pipeline: `Photo` is a request, `PhotoResult` its answer."""

from dataclasses import dataclass
from typing import Self

from facegroup.detection.detector import MTCNN, MTCNN_SCALE, ConfidenceScale
from facegroup.errors import FacegroupError
from facegroup.liveness.liveness import Liveness
from facegroup.types import Crops, Descriptors, Faces, Floats, Match, Policy


@dataclass(frozen=True, slots=True)
class Query:
    """A search of the faces of a photo in a gallery.

    Attributes:
        gallery: name of the gallery.
        person_id: the person to compare with (verification); None searches everybody (identification).
        threshold: a similarity must exceed this; None uses the gallery's threshold.
        candidates: how many candidates each answer lists.
        quality: how good a face must be to be named; None uses the gallery's policy. Verification ignores it.
        unique: whether a person is named at most once in a photo; None uses the gallery's setting.
        liveness: whether a face must be live to be named or accepted; None uses the gallery's policy.
        over_track: whether the caller decides over several frames whether a face is live: then no face is answered
            ``not_live``, and `PhotoMatches.live_above` says what the decision must be based on.
        enrolling: whether the faces are about to be enrolled. A cohort that is too small to decide then gives no candidates
            instead of an error, because enrolling makes it larger.
    """

    gallery: str
    person_id: str | None = None
    threshold: float | None = None
    candidates: int = 3
    quality: Policy | None = None
    unique: bool | None = None
    liveness: bool | None = None
    over_track: bool = False
    enrolling: bool = False


@dataclass(frozen=True, slots=True)
class Photo:
    """One encoded photo, and what to do with it.

    Attributes:
        data: the file's bytes.
        min_face_size: smallest face to detect, in pixels of the photo; None uses the detector's setting.
        embed: whether to return descriptors.
        crops: whether to return the aligned faces as JPEG.
        query: the search in a gallery; None does not search.
        background: whether it may wait for other photos, as frames of cameras do.
        faces: known faces in its pixels, which are not detected again; None detects them.
        upright: whether to check its orientation in any case, as for enrolment, instead of only if it looks wrong.
        liveness: whether to score how live its faces are, where the server has a network for that.
        request: id of a request that takes turns with others, or empty for a small one that does not.
        cost: the estimated cost (`facegroup.pipeline.cost`), or 0 if it was not estimated.
        client: id of the key or user who asks; empty for nobody. Large requests of one client share one turn.
    """

    data: bytes
    min_face_size: int | None = None
    embed: bool = True
    crops: bool = False
    query: Query | None = None
    background: bool = False
    faces: Faces | None = None
    upright: bool = False
    liveness: bool = True
    request: str = ""
    cost: float = 0
    client: str = ""

    @classmethod
    def asking(cls, query: Query, data: bytes, min_face_size: int | None = None) -> Self:
        """Return a photo whose faces are searched for, and not described."""
        return cls(data, min_face_size, embed=False, query=query, liveness=query.liveness is not False)

    @property
    def needs_descriptors(self) -> bool:
        """Whether the photo goes on to the embedder."""
        return self.embed or self.query is not None


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """The measured quality of n faces, part by part. `facegroup.pipeline.quality_policies` has the limits.

    Attributes:
        size: (n,) float32: the shorter side of the box, in pixels of the photo.
        sharpness: (n,) float32: standard deviation of the second differences of the face's grey values at 64 × 64 pixels,
            horizontally or vertically, whichever is less, divided by that of the values; small if blurred or magnified.
        brightness: (n,) float32 in 0..1: mean grey value of the face.
        contrast: (n,) float32 in 0..0.5: standard deviation of its grey values.
        yaw: (n,) float32 in about -1..1: offset of the nose tip from the middle of the eyes, in eye distances.
        pitch: (n,) float32 in about -1..1: how much lower than usual the nose tip is, in distances between eyes and mouth.
        roll: (n,) float32: angle of the line through the eyes, in degrees, clockwise.
        inside: (n,) float32 in 0..1: how much of the face is inside the photo, estimated from its landmarks.
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
    """The faces of one photo, with their crops.

    Attributes:
        width: width of the upright photo, in pixels.
        height: height of the upright photo, in pixels.
        faces: the faces in pixels of the upright photo, left to right.
        quality: the quality of each face.
        crops: (n, s, s, 3) uint8 RGB, aligned for the network.
        turned: clockwise rotation that makes the faces upright, in degrees: 0, 90, 180 or 270.
        upright: whether that is certain.
        liveness: how live each face is; None if that was not scored.
        detector: name of the detector that found the faces.
        scale: what its confidence means.
    """

    width: int
    height: int
    faces: Faces
    quality: Quality
    crops: Crops
    turned: int = 0
    upright: bool = True
    liveness: Liveness | None = None
    detector: str = MTCNN
    scale: ConfidenceScale = MTCNN_SCALE

    @property
    def certainty(self) -> Floats:
        """The confidences, (n,) float32, on the scale of the quality policies' limits, which is MTCNN's."""
        return self.scale.certainty(self.faces.confidence)


@dataclass(frozen=True, slots=True)
class PhotoMatches:
    """The decisions on the faces of one photo.

    Attributes:
        matches: one per face; in a verification, each names the person or nobody.
        version: version of the gallery that was searched.
        threshold: the threshold that was used.
        degraded: whether the store was unavailable or lost data, so that `version` may not be the newest.
        reason: error code of the reason, or None if it is not degraded.
        live_above: the liveness score that a face must exceed to be named, by the query or the gallery's policy; None: none.
        photo_threshold: the cosine similarity that two photos of one person exceed, where `threshold` is one of scores by a
            cohort: the network's own. None: `threshold`.
    """

    matches: tuple[Match, ...]
    version: int
    threshold: float
    degraded: bool = False
    reason: str | None = None
    live_above: float | None = None
    photo_threshold: float | None = None

    @property
    def between_photos(self) -> float:
        """The cosine similarity that two photos of one person exceed."""
        return self.threshold if self.photo_threshold is None else self.photo_threshold


@dataclass(frozen=True, slots=True, eq=False)
class PhotoResult:
    """The pipeline's result for one photo.

    Attributes:
        width: width of the upright photo, in pixels.
        height: height of the upright photo, in pixels.
        faces: the faces in pixels of the upright photo, left to right.
        quality: the quality of each face.
        descriptors: (n, d) float32, or None if not requested.
        crops: each aligned face as JPEG, or None if not requested.
        matched: the decisions, or the query's error such as an unknown gallery; None without a query.
        turned: see `DetectedFaces`.
        upright: see `DetectedFaces`.
        liveness: see `DetectedFaces`.
        detector: see `DetectedFaces`.
        scale: see `DetectedFaces`; None of another server's detector, whose scale only that server knows.
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
    liveness: Liveness | None = None
    detector: str = MTCNN
    scale: ConfidenceScale | None = MTCNN_SCALE

    @property
    def certainty(self) -> Floats:
        """The confidences, (n,) float32, on the scale of the quality policies' limits, which is MTCNN's.

        Raises:
            ValueError: the scale is not known.
        """
        if self.scale is None:
            raise ValueError(f"The scale of {self.detector}'s confidences is known only to the server that answered.")
        return self.scale.certainty(self.faces.confidence)
