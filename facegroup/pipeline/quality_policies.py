"""Grade the parts of a face's quality, and check whether a face meets a quality policy.

A part has the grade 0.5 at the limit of `standard` and 1 at the limit of `strict`, linearly between and beyond. A face meets
a policy if its worst part does. The limits were measured: docs/decisions/0010-quality.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegroup import errors
from facegroup.errors import PoorQuality
from facegroup.pipeline.messages import Quality
from facegroup.types import Floats, Policy

LEAST: dict[Policy, float] = {"off": -np.inf, "standard": 0.5, "strict": 1.0}
"""The least grade of every part for each policy."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The limits of the policies for one part.

    Attributes:
        error: the error for a face beyond the limit.
        part: field of `Quality`, or `confidence`; its sign is ignored.
        standard: the least value, or the greatest if that of `strict` is smaller.
        strict: the same for the policy strict.
        told: what is wrong, as part of a message.
    """

    error: type[PoorQuality]
    part: str
    standard: float
    strict: float
    told: str


LIMITS: tuple[Limit, ...] = (
    Limit(errors.LowConfidence, "confidence", 0.9, 0.97, "the detector is not certain"),
    Limit(errors.FaceCutOff, "inside", 0.7, 0.75, "it is cut off by the edge of the photo"),
    Limit(errors.FaceTooSmall, "size", 20, 32, "it has too few pixels"),
    Limit(errors.TooBlurred, "sharpness", 0.08, 0.12, "it is blurred"),
    Limit(errors.TooDark, "brightness", 0.05, 0.1, "it is too dark"),
    Limit(errors.TooBright, "brightness", 0.88, 0.8, "it is too bright"),
    Limit(errors.LowContrast, "contrast", 0.03, 0.04, "it has too little contrast"),
    Limit(errors.ExtremePose, "yaw", 0.6, 0.4, "it is turned away"),
    Limit(errors.ExtremePose, "pitch", 0.35, 0.25, "it looks far up or down"),
    Limit(errors.ExtremePose, "roll", 50, 45, "it is tilted"),
)
"""All limits, in the order in which reasons are listed."""

_PARTS = (*Quality.__slots__, "confidence")
_COLUMNS = np.array([_PARTS.index(limit.part) for limit in LIMITS])
_STANDARD = np.array([limit.standard for limit in LIMITS])
_SCALE = 0.5 / (np.array([limit.strict for limit in LIMITS]) - _STANDARD)


def grades(quality: Quality, confidence: Floats) -> Floats:
    """Return the grade of each part of n faces: (n, len(LIMITS)) float32, -inf if it cannot be measured."""
    parts = np.array([*(getattr(quality, part) for part in Quality.__slots__), confidence], np.float64)
    graded = 0.5 + (np.abs(parts)[_COLUMNS].T - _STANDARD) * _SCALE
    return np.where(np.isnan(graded), -np.inf, graded).astype(np.float32)


def meets(graded: Floats, policy: Policy) -> NDArray[np.bool_]:
    """Return which faces meet a policy, (n,), by their grades."""
    return np.asarray(graded.min(axis=1) >= LEAST[policy])


def best(graded: Floats) -> list[Policy]:
    """Return the strictest policy that each face meets."""
    worst = graded.min(axis=1).tolist()
    return [
        "strict" if each >= LEAST["strict"] else "standard" if each >= LEAST["standard"] else "off" for each in worst
    ]


def reasons(graded: Floats, policy: Policy) -> tuple[str, ...]:
    """Return the distinct codes of what is wrong with one face, (len(LIMITS),), empty if it meets the policy."""
    return tuple(dict.fromkeys(limit.error.code for limit in _failed(graded, policy)))


def check(quality: Quality, confidence: Floats, face: int, policy: Policy) -> None:
    """Raise the first error of a face that does not meet a policy, with a message that lists all of them.

    Raises:
        PoorQuality: the face does not meet the policy; see `LIMITS` for the subclasses.
    """
    failed = _failed(grades(quality, confidence)[face], policy)
    if not failed:
        return
    told = [
        f"{limit.told} ({limit.part} {_values(quality, confidence, limit)[face]:.4g}, limit {_of(limit, policy):g})"
        for limit in failed
    ]
    codes = reasons(grades(quality, confidence)[face], policy)
    more = f"; {', '.join(codes)}" if len(codes) > 1 else ""
    raise failed[0].error(f"The face does not meet the gallery's quality policy {policy}: {', '.join(told)}{more}")


def _values(quality: Quality, confidence: Floats, limit: Limit) -> Floats:
    values: Floats = confidence if limit.part == "confidence" else getattr(quality, limit.part)
    return values


def _failed(graded: Floats, policy: Policy) -> list[Limit]:
    return [limit for limit, grade in zip(LIMITS, graded.tolist(), strict=True) if grade < LEAST[policy]]


def _of(limit: Limit, policy: Policy) -> float:
    return limit.strict if policy == "strict" else limit.standard
