"""Shared data types: faces as frozen structs of arrays, and the people, samples and galleries of a store.

Shapes are written (n, …) for n faces. Boxes and landmarks are in pixels of the decoded, upright image: x points right, y
points down, and the centre of the top-left pixel is (0, 0). Left and right are as seen in the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
"""One decoded, upright image: (h, w, 3) uint8 RGB, C-contiguous."""

Crops: TypeAlias = NDArray[np.uint8]
"""Aligned faces, ready for a network: (n, s, s, 3) uint8 RGB."""

Descriptors: TypeAlias = NDArray[np.float32]
"""Unit-length embeddings, one row per face: (n, d) float32, L2 norm 1."""

Floats: TypeAlias = NDArray[np.float32]

Times: TypeAlias = NDArray[np.float64]
"""Seconds since the epoch: (n,) float64."""

TAKEN = "taken"
"""The reason code of a face that is not named because another face of the image has the person's name."""

Policy: TypeAlias = Literal["off", "standard", "strict"]
"""How good a face must be; `facegroup.pipeline.quality_policies` has the limits."""

DecisionRule: TypeAlias = Literal["cosine", "cohort"]
"""What a similarity is before the threshold is applied: the cosine itself, or the cosine normalised by a cohort."""

LivenessPolicy: TypeAlias = Literal["off", "enrol", "probe", "both"]
"""Where a face must be live: nowhere, at enrolment, in identification and verification, or in both."""

CohortSource: TypeAlias = Literal["given", "unknown"]
"""Where a member of a cohort is from: photos that a user gave, or a stranger whom a camera saw."""

FaceChoice: TypeAlias = int | Literal["largest", "dominant"]
"""Which face of a photo is meant: its number from left to right, starting at 0; ``largest``; or ``dominant``, the largest
if every other face is much smaller or doubtful (`facegroup.enrolment.samples.only_face`)."""

NOT_IN_DATASET = "not in the dataset"
"""The literal answer for a face that matches nobody."""

NO_FACE_FOUND = "no face found"
"""The literal answer of the command line for a photo without a face."""

POOR_QUALITY = "poor_quality"
"""The literal answer for a face of too poor quality, which is not searched for."""


NOT_LIVE = "not_live"
"""The literal answer for a face that must be live and is not, which is not searched for."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """The faces of one image, ordered left to right by the centre of their box.

    Attributes:
        boxes: (n, 4) float32: x1, y1, x2, y2 in pixels, clipped to the image.
        landmarks: (n, 5, 2) float32: left eye, right eye, nose tip, left mouth corner, right mouth corner, x and y in
            pixels; they may lie outside the image.
        confidence: (n,) float32 in 0..1: the detector's own score.
    """

    boxes: Floats
    landmarks: Floats
    confidence: Floats

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: slice | Sequence[int] | NDArray[Any]) -> Self:
        return type(self)(self.boxes[index], self.landmarks[index], self.confidence[index])

    @classmethod
    def none(cls) -> Self:
        """Return an empty set of faces."""
        return cls(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person who may be the one in a probe.

    Attributes:
        person_id: id of the person.
        name: name of the person.
        similarity: cosine similarity in -1..1.
    """

    person_id: str
    name: str
    similarity: float

    @property
    def deciding(self) -> float:
        """What is compared with the threshold."""
        return self.similarity


@dataclass(frozen=True, slots=True)
class ScoredCandidate(Candidate):
    """A candidate of a gallery with the decision ``cohort``.

    Attributes:
        score: what is compared with the threshold.
    """

    score: float = 0.0

    @property
    def deciding(self) -> float:
        """What is compared with the threshold."""
        return self.score


@dataclass(frozen=True, slots=True)
class CohortMeans:
    """What the score of a face and a person was computed with (`facegroup.gallery.cohort`).

    Attributes:
        probe_mean: mean of the probe's largest similarities to the cohort.
        person_mean: the same of the person's centroid.
        size: number of people in the cohort.
    """

    probe_mean: float
    person_mean: float
    size: int


@dataclass(frozen=True, slots=True)
class Match:
    """The decision on one face.

    Attributes:
        person_id: id of the named person, or None if nobody is named.
        name: the person's name, or ``not in the dataset``, or ``poor_quality``, or ``not_live``.
        similarity: cos θ between the probe and the named person, or the best candidate if nobody is named; -1 in an empty
            gallery, and for a face that is not searched for because of its poor quality or because it is not live.
        threshold: the similarity must exceed this; in a gallery with the decision ``cohort``, the score must.
        margin: similarity minus that of the next other person; None if there is no other. With a score, of scores.
        candidates: the most similar people, best first, without those excluded by a counter-example. With scores, those
            with the greatest.
        estimated_fpir: for an identification in a calibrated gallery, how often a stranger is named at this threshold.
        estimated_fmr: for a verification in a calibrated gallery, how often a stranger's photo is accepted as one person
            at this threshold.
        excluded: people above the threshold and more similar than the answer whom a counter-example excludes, best first
            (`facegroup.gallery.exclusion`). For a verification, the person if excluded above the threshold.
        reasons: why nobody is named: the codes of `PoorQuality` and its subclasses for a face of poor quality, ``not_live``
            or ``face_too_small`` for one that is not live, ``taken`` for a face whose person was named for another face of
            the image, otherwise empty.
        taken_by: the number of the face that has the name of the most similar person, who is above the threshold; None if
            no other face has it.
        score: what decides in a gallery with the decision ``cohort``: the similarity less half of both means of `cohort`.
            None in others, where the similarity decides.
        cohort: the means that the score was computed with, of the same person as `similarity`.
    """

    person_id: str | None
    name: str
    similarity: float
    threshold: float
    margin: float | None
    candidates: tuple[Candidate, ...] = ()
    estimated_fpir: float | None = None
    estimated_fmr: float | None = None
    excluded: tuple[Candidate, ...] = ()
    reasons: tuple[str, ...] = ()
    taken_by: int | None = None
    score: float | None = None
    cohort: CohortMeans | None = None

    @property
    def deciding(self) -> float:
        """What is compared with the threshold: the score, or the similarity where there is none."""
        return self.similarity if self.score is None else self.score

    @property
    def poor(self) -> bool:
        """Whether the face was not searched for because of its poor quality."""
        return self.name == POOR_QUALITY

    @property
    def not_live(self) -> bool:
        """Whether the face was not searched for, or not accepted, because it is not live."""
        return self.name == NOT_LIVE

    @property
    def distance(self) -> float:
        """1 - similarity."""
        return 1.0 - self.similarity


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An enrolled photo of a person, or a counter-example: a face that is known not to be that person.

    Attributes:
        id: sha256 of the photo's bytes, 64 hexadecimal digits, so the same photo twice is one sample. For a
            counter-example, sha256 of the photo's bytes and the face's number, since one photo can have several.
        descriptor: (d,) float32 of unit length.
        crop: the aligned face as JPEG, or None if the gallery keeps no crops.
        created_at: seconds since the epoch; 0 lets the store set it.
        counter: whether it is a counter-example, which does not count for the centroid.
        detector: name of the detector that found the face; "" if it was enrolled by an older version.
    """

    id: str
    descriptor: Floats
    crop: bytes | None = None
    created_at: float = 0.0
    counter: bool = False
    detector: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CohortMember:
    """Someone whom the faces of a gallery are compared with, who is not a member of it: neither crop nor name is kept.

    Attributes:
        id: sha256 of the photo's bytes, 64 hexadecimal digits.
        descriptor: (d,) float32 of unit length.
        source: ``given`` by a user, or ``unknown``: a stranger whom a camera saw.
        detector: name of the detector that found the face; "" if it is not known.
        created_at: seconds since the epoch; 0 lets the store set it.
    """

    id: str
    descriptor: Floats
    source: CohortSource = "given"
    detector: str = ""
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Person:
    """One member of a gallery.

    Attributes:
        id: stable id, unique in the gallery, 1–64 characters of ``[a-z0-9-]``.
        name: the name in answers; two people may have the same.
        metadata: the caller's own JSON object.
        samples: how many photos are enrolled; a person without any is never named.
        created_at: seconds since the epoch.
        updated_at: seconds since the epoch of the last change of any kind.
        expires_at: seconds since the epoch from which the person is no longer named, and soon erased; None never expires.
        counters: how many counter-examples the person has.
    """

    id: str
    name: str
    metadata: dict[str, Any] = field(default_factory=dict)
    samples: int = 0
    created_at: float = 0.0
    updated_at: float = 0.0
    expires_at: float | None = None
    counters: int = 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a gallery's threshold was measured on people, and the error rates there (`facegroup.gallery.calibration`).

    Attributes:
        threshold: the threshold that was set.
        fpir: the requested false-positive identification rate, in 0..1.
        fpir_interval: 95 % confidence interval of the rate at the threshold.
        tpir: the share of searches with members' photos that return the right name at the threshold; None if nobody has
            two photos, one to search with and one to be found by.
        tpir_interval: 95 % confidence interval of `tpir`.
        network: the network whose descriptors were compared.
        people: number of people in the gallery.
        samples: number of members' photos that were searched with.
        strangers: number of strangers' photos that were searched with; 0 if members' photos were used instead.
        at: seconds since the epoch.
        curve: (similarity, FPIR) pairs with rising similarity: the rate if that were the threshold.
        sampled: number of people whose photos `samples` are; fewer than `people` in a large gallery, or if some have only
            one photo.
        one_to_one: (similarity, FMR) pairs: the false match rate of verification, a stranger's photo against one person.
        detector: name of the detector that found the faces; "" if it was made by an older version.
        decision: what the compared similarities were.
    """

    threshold: float
    fpir: float
    fpir_interval: tuple[float, float]
    tpir: float | None
    tpir_interval: tuple[float, float] | None
    network: str
    people: int
    samples: int
    strangers: int
    at: float
    curve: tuple[tuple[float, float], ...]
    sampled: int = 0
    one_to_one: tuple[tuple[float, float], ...] = ()
    detector: str = ""
    decision: DecisionRule = "cosine"


@dataclass(frozen=True, slots=True)
class Gallery:
    """A named set of people, pinned to the network that made its descriptors.

    Attributes:
        name: the name, unique in the store.
        network: name of the NetworkSpec.
        dimension: dimension d of its descriptors.
        threshold: a similarity must exceed this.
        keep_crops: whether samples keep the aligned face.
        version: increased by one with every write.
        people: number of people.
        created_at: seconds since the epoch.
        damaged: number of damaged values that this process skipped in the store.
        quality: how good a face must be to be enrolled.
        probe_quality: how good a face must be to be named.
        unique: whether a person is named at most once in an image.
        calibration: how the threshold was found; None if it was set by hand or is the network's own.
        decision: what a similarity is before the threshold is applied.
        liveness: where a face must be live.
        detector: name of the detector that the gallery is pinned to; "" until a server pins it (`Store.pin_gallery`).
        fingerprint: sha256 over the weights and the preprocessing of the network that the gallery is pinned to, 64
            hexadecimal digits; "" as above.
        cohort_size: number of members of its cohort.
        cohort_version: the version at which the cohort last changed; 0: it is empty since the gallery began.
    """

    name: str
    network: str
    dimension: int
    threshold: float
    keep_crops: bool = True
    version: int = 0
    people: int = 0
    created_at: float = 0.0
    damaged: int = 0
    quality: Policy = "off"
    probe_quality: Policy = "off"
    calibration: Calibration | None = None
    unique: bool = True
    decision: DecisionRule = "cosine"
    liveness: LivenessPolicy = "off"
    detector: str = ""
    fingerprint: str = ""
    cohort_size: int = 0
    cohort_version: int = 0
