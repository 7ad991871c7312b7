"""The strangers of one gallery and network, and the search among them.

Online clustering with one centroid each (leader clustering: Hartigan, Clustering Algorithms, 1975, chapter 3): a track joins
the most similar stranger who is similar enough, or is a new one. How similar, and how well it does:
docs/decisions/0015-strangers.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from facegroup.cameras.sightings.types import Shot, Unknown
from facegroup.types import Floats

KEPT = 10
"""Shots that are kept of a stranger."""

STRICTER = 1 / 6
"""Part of the range above a threshold that is added to it for strangers: among thousands some always look alike."""

_GROWTH = 64


class Strangers:
    """Class that holds strangers without their shots, and their centroids in one array. Use it from one thread at a time."""

    def __init__(self) -> None:
        self._unknowns: list[Unknown] = []
        self._rows: dict[str, int] = {}
        self._centroids: Floats = np.empty((0, 0), np.float32)

    def __len__(self) -> int:
        return len(self._unknowns)

    def get(self, unknown: str) -> Unknown | None:
        """Return the stranger with this id; None if there is none."""
        row = self._rows.get(unknown)
        return None if row is None else self._unknowns[row]

    def nearest(self, descriptor: Floats, among: Iterable[str] | None = None) -> tuple[Unknown, float] | None:
        """Return the most similar stranger and the cosine similarity; None if there are none.

        Args:
            descriptor: (d,) float32 of unit length.
            among: ids of the few who come into question; None searches all.
        """
        rows = None if among is None else [self._rows[each] for each in among if each in self._rows]
        if not self._unknowns or rows == []:
            return None
        similarities = (self._centroids[: len(self._unknowns)] if rows is None else self._centroids[rows]) @ descriptor
        best = int(similarities.argmax())
        return self._unknowns[best if rows is None else rows[best]], float(similarities[best])

    def put(self, unknown: Unknown) -> None:
        """Add a stranger, or replace the one with this id; the journal keeps the shots."""
        unknown = replace(unknown, shots=())
        row = self._rows.setdefault(unknown.id, len(self._unknowns))
        if row == len(self._unknowns):
            self._unknowns.append(unknown)
            if row >= len(self._centroids):
                more = np.zeros((max(_GROWTH, 2 * row), len(unknown.centroid)), np.float32)
                if row:
                    more[:row] = self._centroids[:row]
                self._centroids = more
        self._unknowns[row] = unknown
        self._centroids[row] = unknown.centroid

    def remove(self, unknown: str) -> None:
        """Forget a stranger; one who is not there is no error."""
        row = self._rows.pop(unknown, None)
        if row is None:
            return
        last = self._unknowns.pop()
        if last.id != unknown:
            self._unknowns[row], self._rows[last.id] = last, row
            self._centroids[row] = last.centroid


def return_threshold(threshold: float) -> float:
    """Return the similarity at which a face is a stranger who comes back, in a gallery with this threshold."""
    return threshold + STRICTER * (1 - threshold)


def best(shots: Sequence[Shot]) -> tuple[Shot, ...]:
    """Return the shots that are kept of these, best first."""
    return tuple(sorted(shots, key=lambda shot: shot.grade, reverse=True)[:KEPT])


def mean(shots: Sequence[Shot]) -> Floats:
    """Return the mean of the shots' descriptors, (d,) float32 of unit length; where they cancel out, the first one's."""
    total = np.sum([shot.descriptor for shot in shots], axis=0, dtype=np.float64)
    norm = float(np.linalg.norm(total))
    return np.asarray(total / norm, np.float32) if norm > 1e-6 else shots[0].descriptor


def grown(unknown: Unknown, shots: Sequence[Shot], last_seen: float, visits: int) -> Unknown:
    """Return a stranger after one more visit, or a longer one: with the best of all shots, and their mean."""
    known = {shot.descriptor.tobytes() for shot in unknown.shots}
    kept = best([*unknown.shots, *(shot for shot in shots if shot.descriptor.tobytes() not in known)])
    last = max(last_seen, unknown.last_seen)
    return replace(unknown, shots=kept, centroid=mean(kept), last_seen=last, visits=unknown.visits + visits)
