"""Who is in a photo: what the routes of recognition take and answer."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, Field

from facegroup import types
from facegroup.detection.detector import MTCNN, MTCNN_SCALE
from facegroup.errors import FacegroupError
from facegroup.gallery.verification import Verified
from facegroup.liveness.liveness import Liveness
from facegroup.pipeline import messages, quality_policies
from facegroup.pipeline.messages import PhotoMatches, PhotoResult
from facegroup.types import NOT_IN_DATASET, NOT_LIVE, POOR_QUALITY, Faces, Floats, Match, Policy
from facegroup.wire.model import Answer, Request, added
from facegroup.wire.patterns import WHOLE
from facegroup.wire.problem import ErrorBody

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def _rounded(cosine: float) -> float:
    return round(cosine, 5)


Cosine = Annotated[float, AfterValidator(_rounded)]


class Probes(Request):
    """Descriptors of faces to identify, made by the gallery's network."""

    descriptors: list[list[float]] = Field(
        description="(n, d) numbers; they are brought to unit length", json_schema_extra={"minItems": 1}
    )
    threshold: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False)
    candidates: Annotated[int, Field(ge=1, le=100), WHOLE] | None = None


class Candidate(Answer):
    """One person whom a face may be."""

    person_id: str
    name: str
    similarity: Cosine

    def struct(self) -> types.Candidate:
        """Return the library's candidate."""
        return self.to_struct(types.Candidate)


class ScoredCandidate(Candidate):
    """One person whom a face may be, with the score where a cohort decides."""

    score: Cosine | None = Field(None, description="what the threshold is applied to, where a cohort decides")

    def struct(self) -> types.Candidate:
        """Return the library's candidate."""
        return self.to_struct(types.Candidate if self.score is None else types.ScoredCandidate)


class CohortMeans(Answer):
    """What the score of a face and a person was computed with, where a cohort decides: docs/cohort.md."""

    probe_mean: Cosine = Field(description="mean of the face's largest similarities to the cohort")
    person_mean: Cosine = Field(description="the same of the person")
    size: int = Field(description="people in the cohort")

    def struct(self) -> types.CohortMeans:
        """Return the library's means."""
        return self.to_struct(types.CohortMeans)


class PersonRef(Answer):
    """A person, by id and name."""

    id: str
    name: str


class Decision(Answer):
    """Who a face is."""

    name: str = Field(
        description=f"the person's name, or `{NOT_IN_DATASET}`, or `{POOR_QUALITY}` or `{NOT_LIVE}`: nobody was looked for"
    )
    person: PersonRef | None
    similarity: Cosine = Field(description="cos θ to the person named, or to the best candidate where none is")
    distance: Cosine = Field(description="1 - similarity")
    threshold: float
    margin: Cosine | None = Field(
        description="similarity less that of the next other person; of scores, if there are any"
    )
    estimated_fpir: float | None = added(
        None, "share of strangers that get a name at this threshold; null: the gallery is not calibrated"
    )
    candidates: list[ScoredCandidate]
    excluded: list[ScoredCandidate] = added(
        [], "people more similar than the answer, and above the threshold, whom a counter-example rules out"
    )
    reasons: list[str] = added(
        [],
        "why nobody is named: codes of what is wrong with a face that is too poor, `not_live`, or `taken`; "
        "`face_too_small` with the name `not_live`: too small to tell whether it is live",
    )
    taken_by: int | None = added(
        None,
        "number of the face, from 0 and from left to right, that was named this face's most similar person; "
        "null: no other face was, or it is not above the threshold",
    )
    score: Cosine | None = added(
        None, "similarity less half of both means of `cohort`: the threshold is applied to it; null: to the similarity"
    )
    cohort: CohortMeans | None = added(
        None, "what the score was computed with; null: the gallery decides by the cosine"
    )

    @classmethod
    def of(cls, match: Match) -> Self:
        """Return the answer on a descriptor."""
        return cls.model_validate(_decision(match))

    def struct(self) -> Match:
        """Return the library's decision."""
        return self.to_struct(
            Match,
            person_id=None if self.person is None else self.person.id,
            candidates=tuple(each.struct() for each in self.candidates),
            excluded=tuple(each.struct() for each in self.excluded),
            reasons=tuple(self.reasons),
            cohort=None if self.cohort is None else self.cohort.struct(),
        )


_DECIDED = tuple(name for name in Decision.model_fields if name != "person")


class FaceLiveness(Answer):
    """How live a face is, by a network that looks at this photo alone."""

    score: float | None = Field(description="0..1, the greater the more like a live face; null: the face is too small")
    live: bool = Field(description="whether the score exceeds the server's threshold")

    @classmethod
    def of(cls, found: Liveness, face: int) -> Self:
        """Return the liveness of one face."""
        score = found.score(face)
        return cls(score=None if score is None else round(score, 4), live=bool(found.live[face]))


class FaceRow(Answer):
    """A face as `facegroup identify --json` prints it."""

    name: str
    person_id: str | None
    similarity: Cosine
    threshold: float
    margin: Cosine | None
    estimated_fpir: float | None
    box: list[float]
    reasons: list[str]
    taken_by: int | None
    liveness: FaceLiveness | None = None
    score: Cosine | None = None

    @classmethod
    def of(cls, match: Match, box: list[float], liveness: FaceLiveness | None = None) -> Self:
        """Return the row of a face whose box is x1, y1, x2 and y2.

        It shows the liveness where that was scored, and the score where a cohort decides.
        """
        scored: dict[str, Any] = {} if liveness is None else {"liveness": liveness}
        shown = {name: getattr(match, name) for name in cls.model_fields if hasattr(match, name)}
        if match.score is None:
            del shown["score"]
        return cls.model_validate({**shown, "box": box, **scored})


class Box(Answer):
    """Corners in pixels of the upright photo."""

    x1: float
    y1: float
    x2: float
    y2: float


class Quality(Answer):
    """What can be said of a face before a network sees it."""

    size: float = added(math.nan, "shorter side of the box, in pixels")
    sharpness: float = added(
        math.nan, "spread of second differences of the face at 64 × 64 pixels; small: blurred, or magnified"
    )
    brightness: float = added(math.nan, "mean of the face, 0..1")
    contrast: float = added(math.nan, "standard deviation of the face's brightness")
    yaw: float = added(math.nan, "how far the nose tip is off the middle of the eyes, in eye distances")
    pitch: float = added(math.nan, "how much lower than usual the nose tip is, in distances of eyes and mouth")
    roll: float = added(math.nan, "degrees, clockwise")
    inside: float = added(math.nan, "share of the face that lies in the photo, as far as the landmarks tell")
    score: float = added(
        math.nan, "lowest of the measures and the confidence, scaled: 0.5 meets `standard`, 1 meets `strict`"
    )
    meets: Policy = added("off", "the strictest policy that it meets")


class Found(Answer):
    """Where a face is."""

    box: Box
    landmarks: dict[str, tuple[float, float]]
    confidence: float
    liveness: FaceLiveness | None = Field(None, description="left out where it was not scored")


class Face(Found):
    """One face of a photo."""

    quality: Quality
    descriptor: list[float] | None = None


class NamedFace(Decision, Face):  # in this order, its JSON begins with the box
    """One face of a photo, and who it is."""


class SeenImage(Answer):
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

    @classmethod
    def of(cls, name: str, seen: PhotoResult | FacegroupError, *, descriptors: bool = False) -> Self:
        """Return the answer on one photo."""
        image, faces = cls.in_parts(name, seen, descriptors=descriptors)
        return image.with_faces(faces)

    @classmethod
    def in_parts(
        cls, name: str, seen: PhotoResult | FacegroupError, *, descriptors: bool = False
    ) -> tuple[Self, Iterator[Face] | None]:
        """Return the answer on one photo without its faces, and the faces, each made when it is asked for.

        Args:
            name: of the photo.
            seen: what is in it, or its error.
            descriptors: whether they are answered, where there are some.

        Returns:
            None instead of faces, where the photo has an error.
        """
        error = seen if isinstance(seen, FacegroupError) else seen.matched
        if isinstance(error, FacegroupError):
            return cls.model_validate({"name": name, "error": error}), None
        assert isinstance(seen, PhotoResult)
        image = {"name": name, "width": seen.width, "height": seen.height, "turned": seen.turned}
        return cls.model_validate(image), _faces(seen, descriptors)

    def with_faces(self, faces: Iterable[Face] | None) -> Self:
        """Return the answer with its faces; None where the photo has an error."""
        return self if faces is None else self.model_copy(update={"faces": list(faces)})

    def struct(self, detector: str, matched: PhotoMatches | None = None) -> PhotoResult | FacegroupError:
        """Return what is in the photo.

        Args:
            detector: name of the detector; "" of a server of before, which had MTCNN.
            matched: the decisions on its faces; None: the faces have descriptors instead.
        """
        if self.error is not None:
            return self.error.struct()
        faces = self.faces or []
        described = None if matched else np.array([each.descriptor for each in faces], np.float32)
        found, quality = faces_struct(faces), _quality_struct(faces)
        size = self.width or 0, self.height or 0
        liveness, turned = _liveness_struct(faces), self.turned or 0
        scale = None if detector and detector != MTCNN else MTCNN_SCALE
        return PhotoResult(
            *(*size, found, quality, described),
            matched=matched,
            turned=turned,
            liveness=liveness,
            detector=detector or MTCNN,
            scale=scale,
        )


class NamedImage(SeenImage):
    """One photo of an identification."""

    faces: list[NamedFace] | None = None  # type: ignore[assignment]


class Detection(Answer):
    """Answer of /detect and /embed."""

    network: str
    detector: str = added("", "name of the detector that found the faces")
    images: list[SeenImage]

    def structs(self) -> list[PhotoResult | FacegroupError]:
        """Return what is in each photo, with descriptors."""
        return [each.struct(self.detector) for each in self.images]


class Identification(Answer):
    """Answer of …/identify on photos."""

    gallery: str
    gallery_version: int | None
    network: str
    detector: str = added("", "name of the detector that found the faces")
    degraded: bool = Field(False, description="the store is away; `gallery_version` may not be the newest")
    degraded_reason: str | None = Field(None, description="`store_unavailable` or `store_went_back`")
    images: list[NamedImage]

    def structs(self) -> list[PhotoResult | FacegroupError]:
        """Return who is in each photo."""
        version, reason = self.gallery_version or 0, self.degraded_reason
        seen = []
        for image in self.images:
            matches = tuple(face.struct() for face in image.faces or ())
            threshold = matches[0].threshold if matches else 0.0
            matched = PhotoMatches(matches, version, threshold, reason is not None, reason)
            seen.append(image.struct(self.detector, matched))
        return seen


class ProbeIdentification(Answer):
    """Answer of …/identify on descriptors."""

    gallery: str
    gallery_version: int
    network: str
    degraded: bool
    degraded_reason: str | None = Field(None, description="`store_unavailable` or `store_went_back`")
    faces: list[Decision]


class Verification(Answer):
    """Answer of …/verify and /verify."""

    same: bool
    similarity: Cosine
    distance: Cosine
    threshold: float
    estimated_fmr: float | None = added(
        None,
        "share of strangers that pass for one person at this threshold; null: not calibrated, or two photos",
    )
    excluded: bool = added(False, "the face is nearer to one of the person's counter-examples: not the same")
    reasons: list[str] = added(
        [], "why a face is not accepted: `not_live`, or `face_too_small` to tell whether it is live: not the same"
    )
    score: Cosine | None = added(
        None, "what the threshold is applied to, where a cohort decides; null: to the similarity"
    )
    cohort: CohortMeans | None = added(None, "what the score was computed with; null: the cosine decides")
    network: str
    detector: str = added("", "name of the detector that found the faces")
    faces: list[Found] = Field(description="the faces that were compared, one of each photo")
    person: PersonRef | None = None
    gallery_version: int | None = None

    @classmethod
    def of(cls, done: Verified, network: str, **person: Any) -> Self:
        """Return the answer on two photos; or on a photo and a person, with `person` and `gallery_version`."""
        faces = [row for faces in done.faces for row in _found(faces)]
        for row, liveness in zip(faces, done.liveness, strict=False):  # empty where it was not scored
            row["liveness"] = FaceLiveness.of(liveness, 0)
        return cls.from_struct(done, distance=1 - done.similarity, network=network, faces=faces, **person)

    def struct(self) -> Verified:
        """Return the library's verification."""
        scored = tuple(each for face in self.faces if (each := _liveness_struct([face])) is not None)
        faces = tuple(faces_struct([each]) for each in self.faces)
        cohort = None if self.cohort is None else self.cohort.struct()
        more = {"reasons": tuple(self.reasons), "liveness": scored, "cohort": cohort}
        return self.to_struct(Verified, faces=faces, **more)


def faces_struct(faces: Sequence[Found]) -> Faces:
    """Return the library's faces of an answer's."""
    boxes = [(each.box.x1, each.box.y1, each.box.x2, each.box.y2) for each in faces]
    landmarks = [list(each.landmarks.values()) for each in faces]
    return Faces(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(landmarks, np.float32).reshape(-1, 5, 2),
        np.array([each.confidence for each in faces], np.float32),
    )


def _quality_struct(faces: Sequence[Face]) -> messages.Quality:
    parts = ([getattr(each.quality, part) for each in faces] for part in messages.Quality.__slots__)
    return messages.Quality(*(np.array(values, np.float32) for values in parts))


def _liveness_struct(faces: Sequence[Found]) -> Liveness | None:
    """Return the liveness of an answer's faces; None where it was not scored."""
    told = [each.liveness for each in faces if each.liveness is not None]
    if not told or len(told) < len(faces):
        return None
    scores = [math.nan if each.score is None else each.score for each in told]
    return Liveness(np.array(scores, np.float32), np.array([each.live for each in told], np.bool_))


def _faces(seen: PhotoResult, descriptors: bool) -> Iterator[Face]:
    names = messages.Quality.__slots__
    parts = _listed(np.array([getattr(seen.quality, name) for name in names]).T, 4)
    graded = quality_policies.grades(seen.quality, seen.certainty)
    scores, meets = _listed(graded.min(axis=1).clip(0, 1), 4), quality_policies.best(graded)
    for index, row in enumerate(_found(seen.faces)):
        quality = dict(zip(names, parts[index], strict=True))
        row["quality"] = {**quality, "score": scores[index], "meets": meets[index]}
        if seen.liveness is not None:
            row["liveness"] = FaceLiveness.of(seen.liveness, index)
        if descriptors and seen.descriptors is not None:
            row["descriptor"] = seen.descriptors[index].tolist()
        if isinstance(seen.matched, PhotoMatches):
            yield NamedFace.model_validate({**row, **_decision(seen.matched.matches[index])})
        else:
            yield Face.model_validate(row)


def _found(faces: Faces) -> Iterator[dict[str, Any]]:
    numbers = _listed(faces.boxes, 2), _listed(faces.landmarks, 2), _listed(faces.confidence, 4)
    for box, points, confidence in zip(*numbers, strict=True):
        yield {
            "box": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
            "landmarks": dict(zip(LANDMARKS, points, strict=True)),
            "confidence": confidence,
        }


def _decision(match: Match) -> dict[str, Any]:
    person = None if match.person_id is None else {"id": match.person_id, "name": match.name}
    return {"person": person, **{name: getattr(match, name) for name in _DECIDED}}


def _listed(numbers: Floats, digits: int) -> list[Any]:
    rows: list[Any] = numbers.astype(np.float64).round(digits).tolist()
    return rows
