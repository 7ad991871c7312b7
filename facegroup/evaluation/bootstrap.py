"""How far the figures would move with other people: searches of several splits go in, TPIR with its interval comes out.

People and strangers are drawn with replacement (Efron 1979), each with all of their photos, since photos of one person
are not independent; the threshold is set anew for every drawing, so the interval holds what the few strangers above it
leave open. All templates see the same drawings: their differences are paired.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegroup.evaluation.openset import Searches, threshold_at, tpir
from facegroup.types import Floats

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawings:
    """How often each person and stranger is in each drawing: (drawings, people) and (drawings, strangers)."""

    people: Numbers
    strangers: Numbers


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"


def draw(people: int, strangers: int, drawings: int = 1000, seed: int = 0) -> Drawings:
    """Return drawings with replacement."""
    random = np.random.default_rng(seed)
    return Drawings(
        random.multinomial(people, np.full(people, 1 / people), drawings).astype(float),
        random.multinomial(strangers, np.full(strangers, 1 / strangers), drawings).astype(float),
    )


def rates(splits: Sequence[Searches], fpirs: Sequence[float], drawn: Drawings) -> Numbers:
    """Return the TPIR at each FPIR, the mean over the splits, of each drawing: (fpirs, drawings)."""
    return np.asarray(np.mean([_rates(each, fpirs, drawn) for each in splits], axis=0))


def mean_tpir(splits: Sequence[Searches], fpir: float) -> float:
    """Return the TPIR at an FPIR, the mean over the splits, of the people as they are."""
    return float(np.mean([tpir(each, threshold_at(each.nonmated, fpir)) for each in splits]))


def estimate(value: float, drawn: Numbers) -> Estimate:
    """Return a figure with the 2.5th and the 97.5th percentile of what it is in each drawing."""
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Estimate(value, float(low), float(high))


def _rates(done: Searches, fpirs: Sequence[float], drawn: Drawings) -> Numbers:
    weights = drawn.people[:, done.owners]
    searched = weights.sum(axis=1)
    limits = _thresholds(done.nonmated, fpirs, drawn.strangers)
    return np.stack([((done.mated > limit[:, None]) * weights).sum(axis=1) / searched for limit in limits])


def _thresholds(nonmated: Floats, fpirs: Sequence[float], drawn: Numbers) -> Numbers:
    """Return `threshold_at` each FPIR, of every drawing: (fpirs, drawings)."""
    order = np.argsort(-nonmated, kind="stable")
    answered = np.cumsum(drawn[:, order], axis=1)
    allowed = [np.floor(fpir * answered[:, -1:] + 1e-9) for fpir in fpirs]
    # A last column for a rate at which everybody may be answered.
    falling = np.append(nonmated[order], -np.inf)
    return np.stack([falling[(answered <= most).sum(axis=1)] for most in allowed])
