"""Rules that turn cosine similarities into scores: by a cohort, by plain Z- and T-norm, and by an extreme value machine.

`studies.cohort_decision` compares them; docs/decisions/0022-cohort-decision.md has the result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facegroup.evaluation.bootstrap import Numbers
from facegroup.types import Descriptors, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What a rule knows of a gallery and of some probes.

    Attributes:
        centroids: (people, d) float32, rows of unit length.
        probes: (n, d) float32, rows of unit length.
        cohort: (m, d) float32: strangers of the cohort; m may be 0.
        members: whether the members are in the cohort, too.
    """

    centroids: Descriptors
    probes: Descriptors
    cohort: Descriptors
    members: bool = False

    @property
    def cosine(self) -> Floats:
        """(n, people) similarities."""
        return self.probes @ self.centroids.T


Leave = Literal["member", "person", "largest"]

Rule = Callable[[Searched], Floats]
"""Function from a gallery and probes to (n, people) scores."""


def cosine(given: Searched) -> Floats:
    """Return the cosine similarities."""
    return given.cosine


def cohort(k: float, *, spread: bool = False, leave: Leave = "member") -> Rule:
    """Return the adaptive symmetric normalisation: s - ½(mean of the probe's K largest + the same of the person's).

    Source: S. Cumani, P. D. Batzu, D. Colibro, C. Vair, P. Laface, V. Vasilakakis: Comparison of speaker recognition
    approaches for real applications, Interspeech 2011, section 4.

    Args:
        k: how many; below 1 a share of the cohort, two at least.
        spread: whether differences are divided by the standard deviations of the K largest.
        leave: what is left out, since it may be of the same person: of the probe the most similar ``member``; the
            ``person`` compared with; or the ``largest`` similarity of the probe and of the person, whoever that is.
    """

    def score(given: Searched) -> Floats:
        people, strangers = len(given.centroids), len(given.cohort)
        every = np.concatenate([given.cohort, given.centroids]) if given.members else given.cohort
        count = max(2, round(k * len(every))) if k < 1 else int(k)
        to_person = given.centroids @ every.T
        if given.members:
            to_person[np.arange(people), strangers + np.arange(people)] = -np.inf
        person_mean, person_spread = _top(to_person, count, skip=leave == "largest")
        found = given.probes @ every.T
        if leave == "person" and given.members:
            probe_mean, probe_spread = _without_each(found, count, strangers, people)
        else:
            if leave == "member" and given.members:
                best = strangers + found[:, strangers:].argmax(axis=1)
                found[np.arange(len(found)), best] = -np.inf
            mean, deviation = _top(found, count, skip=leave == "largest")
            probe_mean, probe_spread = mean[:, None], deviation[:, None]
        if spread:
            scores = (given.cosine - probe_mean) / probe_spread + (given.cosine - person_mean) / person_spread
            return np.asarray(scores / 2, np.float32)
        return np.asarray(given.cosine - (probe_mean + person_mean) / 2, np.float32)

    return score


def plain(*, persons: bool, probes: bool) -> Rule:
    """Return Z-norm (of persons), T-norm (of probes) or both, with mean and spread over the whole cohort."""

    def score(given: Searched) -> Floats:
        parts = []
        if persons:
            near = given.centroids @ given.cohort.T
            parts.append((given.cosine - near.mean(axis=1)) / near.std(axis=1))
        if probes:
            near = given.probes @ given.cohort.T
            parts.append((given.cosine - near.mean(axis=1)[:, None]) / near.std(axis=1)[:, None])
        return np.asarray(np.mean(parts, axis=0), np.float32)

    return score


def extreme_value_machine(tail: int) -> Rule:
    """Return the extreme value machine with a person's centroid as its extreme vector.

    A Weibull distribution is fitted to half the distances of the `tail` nearest faces of other people; the score is the
    logarithm of the probability that the probe is nearer than those margins. Source: M. Günther, S. Cruz, E. M. Rudd,
    T. E. Boult: Toward open-set face recognition, CVPR workshops 2017 (arXiv:1705.01567), section 3.3.
    """

    def score(given: Searched) -> Floats:
        every = np.concatenate([given.cohort, given.centroids]) if given.members else given.cohort
        near = given.centroids @ every.T
        if given.members:
            near[np.arange(len(near)), len(given.cohort) + np.arange(len(near))] = -np.inf
        margins = (1 - np.sort(near, axis=1)[:, ::-1][:, :tail].astype(np.float64)) / 2
        shape, scale = _weibull(margins)
        distances = np.maximum(1 - given.cosine.astype(np.float64), 1e-6)
        return np.asarray(-np.minimum((distances / scale) ** shape, 1e30), np.float32)

    return score


def _top(found: Floats, count: int, skip: bool) -> tuple[Floats, Floats]:
    falling = -np.sort(-found, axis=1)
    best = falling[:, int(skip) :][:, :count]
    return best.mean(axis=1), best.std(axis=1) + np.float32(1e-3)


def _without_each(found: Floats, count: int, strangers: int, people: int) -> tuple[Floats, Floats]:
    """Return mean and spread of each probe's largest without each person: (n, people)."""
    means, spreads = [], []
    for person in range(people):
        others = np.delete(found, strangers + person, axis=1)
        mean, spread = _top(others, count, skip=False)
        means.append(mean)
        spreads.append(spread)
    return np.stack(means, axis=1), np.stack(spreads, axis=1)


def _weibull(values: Numbers) -> tuple[Numbers, Numbers]:
    """Return shape and scale (n, 1) of the Weibull of greatest likelihood for each row, by Newton's method."""
    logs = np.log(np.maximum(values, 1e-9))
    middle = logs.mean(axis=1, keepdims=True)
    shape = 1.2 / np.maximum(logs.std(axis=1, keepdims=True), 1e-6)
    for _ in range(50):
        weights = np.exp(shape * (logs - logs.max(axis=1, keepdims=True)))
        total = weights.sum(axis=1, keepdims=True)
        first = (weights * logs).sum(axis=1, keepdims=True) / total
        second = (weights * logs**2).sum(axis=1, keepdims=True) / total - first**2
        step = (first - 1 / shape - middle) / (second + 1 / shape**2)
        shape = np.maximum(shape - step, shape / 2)
    scale = np.exp(np.log(np.exp(shape * logs).mean(axis=1, keepdims=True)) / shape)
    return shape[:, 0], scale[:, 0]
