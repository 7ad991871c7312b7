"""The largest similarities of some faces to a cohort: similarities in, the best of each row out; two of them make one.

Those of several parts of a cohort are found apart and merged, so that nothing is compared again when a part changes.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facegroup.types import Floats

Places = NDArray[np.integer[Any]]

GONE = -1
"""Place of a row that is not in the cohort any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Largest:
    """The largest similarities of n faces.

    Attributes:
        similarities: (n, k) float32, the largest first; -inf where the cohort has fewer rows.
        places: (n, k) int32, which row of the cohort each is to.
    """

    similarities: Floats
    places: Places

    def __len__(self) -> int:
        return len(self.places)

    @classmethod
    def of(cls, similarities: Floats, count: int, places: Places | None = None) -> Self:
        """Return the `count` largest of each row of (n, m) similarities.

        Args:
            similarities: (n, m) float32.
            count: how many; fewer columns are filled with -inf.
            places: (n, m) or (m,) which rows of the cohort the columns are; None: the columns' numbers.
        """
        rows, columns = similarities.shape
        if columns < count:
            similarities = np.pad(similarities, ((0, 0), (0, count - columns)), constant_values=-np.inf)
        if count < columns:
            chosen = np.argpartition(similarities, columns - count, axis=1)[:, columns - count :]
        else:
            chosen = np.broadcast_to(np.arange(count), (rows, count))
        best = np.take_along_axis(similarities, chosen, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")
        best, chosen = np.take_along_axis(best, order, axis=1), np.take_along_axis(chosen, order, axis=1)
        if places is not None and columns:
            # A column that only fills the row is no place: it is `GONE` below.
            chosen = np.take_along_axis(
                np.broadcast_to(places, (rows, columns)), np.minimum(chosen, columns - 1), axis=1
            )
        return cls(best, np.where(best > -np.inf, chosen, GONE).astype(np.int32))

    @classmethod
    def unknown(cls, count: int, width: int) -> Self:
        """Return those of so many faces that were not compared yet."""
        return cls(np.full((count, width), np.inf, np.float32), np.full((count, width), GONE, np.int32))

    def merged(self, other: "Largest") -> "Largest":
        """Return the largest of both; each is of another part of the cohort."""
        similarities = np.concatenate([self.similarities, other.similarities], axis=1)
        places = np.concatenate([self.places, other.places], axis=1)
        return Largest.of(similarities, self.places.shape[1], places)

    def take(self, rows: NDArray[np.intp]) -> "Largest":
        """Return those of some faces."""
        return Largest(self.similarities[rows], self.places[rows])

    def joined(self, other: "Largest") -> "Largest":
        """Return those of these faces and, after them, of others."""
        return Largest(
            np.concatenate([self.similarities, other.similarities]), np.concatenate([self.places, other.places])
        )

    def moved(self, places: Places) -> "Largest":
        """Return those in another cohort: `places[i]` is where row i is now, or `GONE`."""
        every = np.append(places, np.int32(GONE))  # which the place GONE itself, -1, finds
        return Largest(self.similarities, every[self.places])

    @property
    def incomplete(self) -> NDArray[np.intp]:
        """Which faces have a similarity to a row that is gone, or were not compared yet."""
        return np.flatnonzero(((self.places == GONE) & (self.similarities > -np.inf)).any(axis=1))

    def replaced(self, rows: NDArray[np.intp], other: "Largest") -> "Largest":
        """Return these with others for some faces."""
        similarities, places = self.similarities.copy(), self.places.copy()
        similarities[rows], places[rows] = other.similarities, other.places
        return Largest(similarities, places)

    def means(self, count: int) -> Floats:
        """Return the mean of the `count` largest of each face, or of as many as there are: (n,) float32."""
        return means(self.similarities, count)


def means(falling: Floats, count: int) -> Floats:
    """Return what `Largest.means` does, of (n, k) similarities with the largest first."""
    counted = falling[:, :count]
    here = counted > -np.inf
    total = np.where(here, counted, np.float32(0)).sum(axis=1)
    return np.asarray(total / np.maximum(here.sum(axis=1), 1), np.float32)
