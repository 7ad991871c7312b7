"""The cohort decision: the score of a face and a person is their cosine, less what others resemble them.

    score = s - ½(mean of the probe's largest similarities to the cohort + the same of the person's centroid)

The largest similarities of a probe are without the most similar member, whom the probe may show; those of a person are to
all others. A face that resembles many people is similar to a member by chance more often than a face that resembles few.
The means measure this, so that one threshold gives the same false-positive rate for both. It is the adaptive symmetric
normalisation of speaker verification (S. Cumani et al.: Comparison of speaker recognition approaches for real
applications, Interspeech 2011, section 4), without the spread. docs/decisions/0022-cohort-decision.md has what was
measured.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from facegroup.errors import CohortTooSmall
from facegroup.gallery.index.largest import Largest, Places, means
from facegroup.gallery.index.products import Products
from facegroup.store.cohort import LEAST
from facegroup.types import Descriptors, Floats

MOST = 512
"""Most people of a cohort that are compared: strangers first, then members."""

SHARE, FEWEST = 0.01, 2
"""The largest similarities that are averaged: this share of the cohort, which keeps the means alike whatever its size."""

DEPTH = round(SHARE * MOST)
"""How many are kept of each person."""

Rows = Mapping[str, Floats]
"""Rows of unit length, (d,) float32, by a key that is theirs alone."""


def rank(key: str) -> bytes:
    """Return by what a cohort of more than `MOST` chooses: always the same of the same people, whoever else there is."""
    return hashlib.blake2b(key.encode(), digest_size=8).digest()


@dataclass(frozen=True)
class Cohort:
    """The people whom probes and members are compared with. It never changes.

    Attributes:
        strangers: keys of those who are not members.
        members: ids of those who are.
        matrix: (len(strangers) + len(members), d) float32, rows of unit length, the strangers first.
    """

    strangers: tuple[str, ...]
    members: tuple[str, ...]
    matrix: Descriptors

    @classmethod
    def of(cls, strangers: Rows, members: Rows, dimension: int) -> Self:
        """Return a cohort of these, who are at most `MOST`."""
        rows = [*strangers.values(), *members.values()]
        matrix = np.stack(rows) if rows else np.empty((0, dimension), np.float32)
        return cls(tuple(strangers), tuple(members), np.ascontiguousarray(matrix, np.float32))

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def averaged(self) -> int:
        """How many of the largest similarities are averaged."""
        return max(FEWEST, round(SHARE * len(self)))

    @cached_property
    def place(self) -> Mapping[str, int]:
        """In which row each member is."""
        return {key: len(self.strangers) + number for number, key in enumerate(self.members)}

    def check(self) -> None:
        """Raise `CohortTooSmall` where there are fewer people than can decide."""
        check_size(len(self))

    def probe_means(self, probes: Descriptors, products: Products, own: Sequence[str] = ()) -> Floats:
        """Return the mean of each probe's largest similarities, (n,) float32.

        The most similar member is left out, since the probe may show that member.

        Args:
            probes: (n, d) float32, rows of unit length.
            products: what compares them.
            own: ids of members whom the probes show, to be left out as if they were not in the cohort; none for the
                probes of a search.
        """
        found, count = products.of(self.matrix, probes), self.averaged
        for column, key in enumerate(own):
            if key in self.place:
                found[self.place[key], column] = -np.inf
        strangers = _falling(found[: len(self.strangers)], count)
        members = _falling(found[len(self.strangers) :], count + 1)[1:]
        return means(np.ascontiguousarray(_falling(np.concatenate([strangers, members]), count).T), count)

    def offsets(self, largest: Largest) -> Floats:
        """Return half of each person's mean, (n,) float32: what a similarity to the person is lessened by."""
        return largest.means(self.averaged) / np.float32(2)

    def of_people(self, rows: Floats, ids: Iterable[str]) -> Largest:
        """Return the largest similarities of people to the others of the cohort.

        Args:
            rows: (n, d) float32, their centroids.
            ids: theirs.
        """
        return Largest.of(self._to(rows, ids, np.arange(len(self))), DEPTH)

    def added(self, known: Largest, rows: Floats, ids: Iterable[str], places: Places) -> Largest:
        """Return the largest similarities of people where only some rows of the cohort, at `places`, are new."""
        return known.merged(Largest.of(self._to(rows, ids, places), DEPTH, places.astype(np.int32)))

    def _to(self, rows: Floats, ids: Iterable[str], places: Places) -> Floats:
        found: Floats = rows @ self.matrix[places].T
        column = {int(place): number for number, place in enumerate(places.tolist())}
        for row, key in enumerate(ids):
            own = column.get(self.place.get(key, -1))
            if own is not None:
                found[row, own] = -np.inf
        return found


def score(relative: Floats, probe_means: Floats | None) -> Floats:
    """Return the scores of some faces with some people, in the shape of `relative`.

    Args:
        relative: (n,) or (n, m) float32, the similarities less the people's offsets (`Cohort.offsets`).
        probe_means: (n,) float32 of `Cohort.probe_means`; None where the cosine decides, without offsets.
    """
    if probe_means is None:
        return relative
    return relative - probe_means.reshape(-1, *[1] * (relative.ndim - 1)) / np.float32(2)


def check_size(size: int) -> None:
    """Raise `CohortTooSmall` where a cohort of so many people cannot decide."""
    if size < LEAST:
        raise CohortTooSmall(
            f"the decision `cohort` needs {LEAST} people to compare with, and there are {size}, members included. Add "
            f"photos of {LEAST - size} more people (facegroup cohort add), or set the decision `cosine`"
        )


def _falling(found: Floats, count: int) -> Floats:
    """Return the largest of each column of (m, n) similarities: (min(count, m), n), the largest first."""
    count = min(count, len(found))
    if not count:
        return found[:0]
    best = np.partition(found, len(found) - count, axis=0)[len(found) - count :] if count < len(found) else found.copy()
    best.sort(axis=0)
    return best[::-1]
