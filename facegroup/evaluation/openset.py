"""Compute open-set identification rates, TPIR at a given FPIR, from the similarities of members and strangers.

The terms are those of ISO/IEC 19795-1. A *mated* search is for an enrolled person, with another photo than the enrolled
ones; a *non-mated* search is for a person who is not enrolled. FPIR, the false-positive identification rate, is the share of
non-mated searches that return any person. TPIR, the true-positive identification rate, is the share of mated searches that
return the right person at rank 1. FNIR is 1 − TPIR.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegroup.types import Floats

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A division of photos into enrolled ones and probes.

    Attributes:
        enrolled: indices of the enrolled photos of each person.
        probes: (m,) indices of the photos of mated searches.
        owners: (m,) number of the person in each of them.
    """

    enrolled: tuple[tuple[int, ...], ...]
    probes: Indices
    owners: Indices


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """The results of the searches of one split.

    Attributes:
        mated: (m,) float32: similarity to the right person if that is the greatest, else -inf, which counts as a miss at
            any threshold.
        owners: (m,) number of the person in each mated search.
        nonmated: (s,) float32: the greatest similarity of each stranger to anybody.
    """

    mated: Floats
    owners: Indices
    nonmated: Floats


def split(people: Sequence[Sequence[int]], enrol: int, seed: int) -> Split:
    """Choose `enrol` photos of each person by the seed; all others are probes.

    Raises:
        ValueError: a person would have no photo left to search with.
    """
    if any(len(photos) <= enrol for photos in people):
        raise ValueError(f"Each person needs more than {enrol} photos: {enrol} to enrol, and one to search with.")
    draw = np.random.default_rng([seed, enrol])
    shuffled = [draw.permutation(np.asarray(photos, np.intp)) for photos in people]
    return Split(
        tuple(tuple(photos[:enrol].tolist()) for photos in shuffled),
        np.concatenate([photos[enrol:] for photos in shuffled]),
        np.repeat(np.arange(len(people)), [len(photos) - enrol for photos in people]),
    )


def mislabelled(clean: Split, seed: int, share: float = 1.0) -> Split:
    """Return the split with one enrolled photo of a share of the people replaced by an enrolled photo of another person.

    The wrong photo also stays enrolled for the person it shows, like a picture that is filed twice.
    """
    draw = np.random.default_rng([seed, 1])
    count = len(clean.enrolled)
    enrolled = list(clean.enrolled)
    for person in draw.permutation(count)[: round(share * count)].tolist():
        other = (person + int(draw.integers(1, count))) % count
        wrong = int(draw.choice(clean.enrolled[other]))
        enrolled[person] = (*clean.enrolled[person][:-1], wrong)
    return Split(tuple(enrolled), clean.probes, clean.owners)


def searches(mated: Floats, owners: Indices, nonmated: Floats) -> Searches:
    """Return the results of searches from the similarities to all enrolled people.

    Args:
        mated: (m, people).
        owners: (m,) number of the person in each mated search.
        nonmated: (s, people).
    """
    own = mated[np.arange(len(mated)), owners]
    # If two people are equally similar, either could be named, which does not count as correct.
    others = mated.copy()
    others[np.arange(len(mated)), owners] = -np.inf
    first = own > others.max(axis=1, initial=-np.inf)
    return Searches(np.where(first, own, np.float32(-np.inf)), owners, nonmated.max(axis=1))


def threshold_at(nonmated: Floats, fpir: float) -> float:
    """Return the lowest threshold with an FPIR of at most `fpir`.

    With n searches, ⌊fpir · n⌋ may return a person; the threshold is the greatest similarity of the others.
    """
    allowed = int(fpir * len(nonmated) + 1e-9)
    if allowed >= len(nonmated):
        return -np.inf
    return float(np.sort(nonmated)[::-1][allowed])


def fpir(done: Searches, threshold: float) -> float:
    """Return the share of non-mated searches that return a name."""
    return float((done.nonmated > threshold).mean())


def tpir(done: Searches, threshold: float) -> float:
    """Return the share of mated searches that return the right name."""
    return float((done.mated > threshold).mean())
