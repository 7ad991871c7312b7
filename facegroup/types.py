"""The data that crosses the arrows of the pipeline: frozen structs of arrays, sliced like NumPy.

Shapes are written (n, …) with n faces; boxes and landmarks are in pixels of the decoded, upright image, x to the right,
y down, the pixel centre of the top-left pixel at (0, 0). Left and right are as seen in the picture.
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
"""Unit-length embeddings, one row a face: (n, d) float32, every row's L2 norm 1."""

Floats: TypeAlias = NDArray[np.float32]

Times: TypeAlias = NDArray[np.float64]
"""Seconds since the epoch: (n,) float64."""

TAKEN = "taken"
"""The reason of a face that is nobody's since another face of its image was named the person."""

Policy: TypeAlias = Literal["off", "standard", "strict"]
"""How good a face must be: `facegroup.pipeline.quality_policies` says what each asks for."""

FaceChoice: TypeAlias = int | Literal["largest", "dominant"]
"""Which face of a photo is meant: its number, counted from 0 from left to right; ``largest``; or ``dominant``, the largest
where every other face is far smaller or doubtful (`facegroup.enrolment.samples.only_face`)."""

NOT_IN_DATASET = "not in the dataset"
"""The literal answer for a face that is nobody's."""

NO_FACE_FOUND = "no face found"
"""The literal answer of the command line for a photo without a face."""

POOR_QUALITY = "poor_quality"
"""The literal answer for a face that is too poor to be named: nobody was looked for."""


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
        """No face at all."""
        return cls(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One person whom a probe may be, with the cosine similarity in -1..1."""

    person_id: str
    name: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Match:
    """The decision on one face (DESIGN §5).

    Attributes:
        person_id: the person named, or None.
        name: the person's name, or ``not in the dataset``, or ``poor_quality``.
        similarity: cos θ between the probe and the person named, or the best candidate where none is; -1 in an empty
            gallery, and for a poor face.
        threshold: what the similarity had to exceed.
        margin: similarity less that of the next other person; None when there is no other.
        candidates: the best people, best first, without those whom a counter-example rules out.
        estimated_fpir: of an identification in a calibrated gallery, how often a stranger gets a name at this threshold.
        estimated_fmr: of a verification in one, how often a stranger's photo passes for one person at this threshold.
        excluded: who is ruled out so, is above the threshold, and is more similar than the answer, best first: see
            `facegroup.gallery.exclusion`. Of a verification: the person, where above the threshold and ruled out.
        reasons: why nobody is named: of a face that is too poor the codes of `PoorQuality` and its kinds, ``taken`` of one
            whose person another face of the image was named; empty for any other.
        taken_by: which face of the image, from 0, has the name of the most similar person, who is above the threshold;
            None: no other face has it.
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

    @property
    def poor(self) -> bool:
        """Whether nobody was looked for, since the face is too poor."""
        return self.name == POOR_QUALITY

    @property
    def distance(self) -> float:
        """1 - similarity."""
        return 1.0 - self.similarity


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One enrolled photo of one person, or a face that was said not to be that person.

    Attributes:
        id: sha256 of the photo's bytes, 64 hexadecimal digits: the same photo twice is one sample. Of a counter-example
            the sha256 of the photo's bytes and the face's number, since a photo can hold several.
        descriptor: (d,) float32 of unit length.
        crop: the aligned face as JPEG, or None where the gallery keeps no crops.
        created_at: seconds since the epoch; 0 lets the store set it.
        counter: whether it is a counter-example, which is no part of the centroid.
    """

    id: str
    descriptor: Floats
    crop: bytes | None = None
    created_at: float = 0.0
    counter: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """One member of a gallery.

    Attributes:
        id: stable, unique in the gallery, 1–64 characters of ``[a-z0-9-]``.
        name: what is answered; two people may share one.
        metadata: the caller's own JSON object.
        samples: how many photos are enrolled; with none the person is never named.
        created_at: seconds since the epoch.
        updated_at: seconds since the epoch of the last change of any kind.
        expires_at: seconds since the epoch from which on the person is never named, and erased soon; None for never.
        counters: how many counter-examples there are.
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
    """How a gallery's threshold was found on people, and what it means: see `facegroup.gallery.calibration`.

    Attributes:
        threshold: that was set.
        fpir: the false-positive identification rate that was asked for, in 0..1.
        fpir_interval: of the rate at the threshold, 95 %.
        tpir: the share of searches with members' photos that get the right name at the threshold; None: nobody has two
            photos, so nobody could be searched with one and found by the others.
        tpir_interval: 95 %.
        network: whose descriptors were compared.
        people: in the gallery.
        samples: photos of theirs that were searched with.
        strangers: photos of people who are not in the gallery, searched with; 0: the members stood in for them.
        at: seconds since the epoch.
        curve: (similarity, FPIR) pairs, the similarity rising: the rate if that were the threshold.
        sampled: whose photos those `samples` are: fewer than `people` where a gallery is large, or some have one photo.
        one_to_one: (similarity, FMR) pairs: the false match rate of verification, a stranger's photo with one person.
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


@dataclass(frozen=True, slots=True)
class Gallery:
    """A named set of people, pinned to the network that made its descriptors.

    Attributes:
        name: unique in the store.
        network: name of the NetworkSpec.
        dimension: d of its descriptors.
        threshold: what a similarity must exceed.
        keep_crops: whether samples keep the aligned face.
        version: raised by one by every write.
        people: how many there are.
        created_at: seconds since the epoch.
        damaged: values of it that this process met in the store, could not use and skipped.
        quality: how good a face must be to be enrolled.
        probe_quality: how good a face must be to be named.
        unique: whether a person is named at most once in an image.
        calibration: how the threshold was found; None: it was set by hand, or is the network's own.
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
