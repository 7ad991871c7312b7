"""Divide a data set into members and strangers, and choose counter-examples for `studies.feedback`.

The rule for counter-examples is that of `facegroup.gallery.exclusion`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facegroup.evaluation.openset import Indices
from facegroup.gallery.exclusion import ruled_out
from facegroup.networks.embedder import unit
from facegroup.types import Descriptors, Floats
from studies.dataset import People
from studies.templates import mean

_ROUNDS = 20

Counters = Mapping[int, Floats]
"""By the number of the member."""


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """One split of a data set.

    Attributes:
        members: (m,) numbers of the people who are members.
        centroids: (m, d) centroids of their enrolled photos.
        probes: (n, d) the members' other photos.
        owners: (n,) number of the member in each.
        strangers: (s, d) one photo of each person who is not enrolled.
        others: (o, d) further photos of some of them.
        whose: (o,) number of the stranger in each.
    """

    members: Indices
    centroids: Floats
    probes: Descriptors
    owners: Indices
    strangers: Descriptors
    others: Descriptors
    whose: Indices


def scenario(photos: People, enrol: int, seed: int) -> Scenario:
    """Return the split for a seed."""
    draw = np.random.default_rng([seed, 3])
    rows = unit(photos.embeddings)
    order = draw.permutation(len(photos.people))
    members = np.sort(order[: len(order) // 2])
    shuffled = [draw.permutation(np.asarray(each, np.intp)) for each in photos.people]
    unknown = [shuffled[each] for each in order[len(order) // 2 :]]
    first = [each[0] for each in unknown]
    return Scenario(
        members,
        np.stack([mean(photos.embeddings[shuffled[each][:enrol]]) for each in members]),
        rows[np.concatenate([shuffled[each][enrol:] for each in members])],
        np.repeat(np.arange(len(members)), [len(shuffled[each]) - enrol for each in members]),
        rows[[*first, *photos.strangers]],
        rows[np.concatenate([each[1:] for each in unknown])],
        np.repeat(np.arange(len(unknown)), [len(each) - 1 for each in unknown]),
    )


def named(probes: Descriptors, centroids: Floats, counters: Counters, threshold: float) -> Indices:
    """Return the number of the member whom each probe is identified as, by the gallery's own rule, or -1 for none."""
    scores = probes @ centroids.T
    for member, rows in counters.items():
        scores[ruled_out(probes, scores[:, member], rows), member] = -np.inf
    best = scores.argmax(axis=1)
    return np.where(scores.max(axis=1) > threshold, best, -1)


def corrected(one: Scenario, threshold: float) -> dict[int, Floats]:
    """Make every named stranger a counter-example of that person, and repeat until no stranger is named."""
    counters: dict[int, Floats] = {}
    for _ in range(_ROUNDS):
        names = named(one.strangers, one.centroids, counters, threshold)
        if not (names >= 0).any():
            break
        for member in np.unique(names[names >= 0]).tolist():
            before = counters.get(member, one.strangers[:0])
            counters[member] = np.concatenate([before, one.strangers[names == member]])
    return counters


def many(one: Scenario, count: int) -> dict[int, Floats]:
    """Return the strangers who are most similar to each member as counter-examples."""
    nearest = np.argsort(-(one.strangers @ one.centroids.T), axis=0)[:count]
    return {member: one.strangers[nearest[:, member]] for member in range(len(one.centroids))}


def mistaken(one: Scenario, count: int) -> tuple[Scenario, dict[int, Floats]]:
    """Return each member's first probes as counter-examples, and the split without these."""
    starts = np.searchsorted(one.owners, np.arange(len(one.centroids)))
    taken = starts[:, None] + np.arange(count)
    left = np.ones(len(one.probes), np.bool_)
    left[taken.ravel()] = False
    rest = Scenario(
        *(one.members, one.centroids, one.probes[left], one.owners[left], one.strangers, one.others, one.whose)
    )
    return rest, {member: one.probes[rows] for member, rows in enumerate(taken)}
