"""Compute confidence intervals of TPIR and other rates by bootstrap over people.

People and strangers are drawn with replacement (Efron 1979), each with all of their photos, since photos of one person are
not independent. The threshold is set again for every drawing, so the interval includes its uncertainty. All methods use the
same drawings, so their differences are paired.
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
    """The count of each person and stranger in each drawing: (drawings, people) and (drawings, strangers)."""

    people: Numbers
    strangers: Numbers


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"


def draw(people: int, strangers: int, drawings: int = 1000, seed: int = 0) -> Drawings:
    """Draw people and strangers with replacement."""
    random = np.random.default_rng(seed)
    return Drawings(
        random.multinomial(people, np.full(people, 1 / people), drawings).astype(float),
        random.multinomial(strangers, np.full(strangers, 1 / strangers), drawings).astype(float),
    )


def rates(splits: Sequence[Searches], fpirs: Sequence[float], drawn: Drawings) -> Numbers:
    """Return the mean TPIR over the splits at each FPIR in each drawing: (fpirs, drawings)."""
    return np.asarray(np.mean([_rates(each, fpirs, drawn) for each in splits], axis=0))


def mean_tpir(splits: Sequence[Searches], fpir: float) -> float:
    """Return the mean TPIR over the splits at an FPIR, without drawing."""
    return float(np.mean([tpir(each, threshold_at(each.nonmated, fpir)) for each in splits]))


def estimate(value: float, drawn: Numbers) -> Estimate:
    """Return a value with the 2.5th and 97.5th percentiles of its drawings."""
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Estimate(value, float(low), float(high))


def thresholds(scores: Floats, rates: Sequence[float], weights: Numbers) -> Numbers:
    """Return `threshold_at` each rate in each drawing: (rates, drawings).

    Args:
        scores: (n,) similarities of comparisons that should be rejected.
        rates: shares of them that may be accepted.
        weights: (drawings, n) count of each comparison.
    """
    order = np.argsort(-scores, kind="stable")
    answered = np.cumsum(weights[:, order], axis=1)
    allowed = [np.floor(rate * answered[:, -1:] + 1e-9) for rate in rates]
    # A last column for a rate at which everything may be accepted.
    falling = np.append(scores[order], -np.inf)
    return np.stack([falling[(answered <= most).sum(axis=1)] for most in allowed])


def shares(true: NDArray[np.bool_], weights: Numbers) -> Numbers:
    """Return the weighted share of true flags in each drawing, for (n,) or (drawings, n) flags and (drawings, n) weights."""
    total = weights.sum(axis=1)
    return np.asarray((true * weights).sum(axis=1) / np.where(total > 0, total, np.nan))


def unknown(value: float) -> Estimate:
    """Return a value without an interval, such as that of a single person."""
    return Estimate(value, np.nan, np.nan)


def _rates(done: Searches, fpirs: Sequence[float], drawn: Drawings) -> Numbers:
    weights = drawn.people[:, done.owners]
    searched = weights.sum(axis=1)
    limits = thresholds(done.nonmated, fpirs, drawn.strangers)
    return np.stack([((done.mated > limit[:, None]) * weights).sum(axis=1) / searched for limit in limits])
