"""Some people of a gallery with their rows, sorted by id, of whom some may be gone meanwhile: a piece that never changes.

What changes a person marks the row here as gone, in a copy of the marks, and puts the new row into another segment.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facegroup.gallery.index.largest import Largest
from facegroup.gallery.index.products import Products
from facegroup.gallery.index.rows import PIECE, Columns, Compact, Rows, Whole
from facegroup.types import Descriptors, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """People and their rows.

    Attributes:
        ids: person ids, sorted.
        names: their names.
        rows: their centroids, as exact as they are kept.
        gone: (n,) bool, which of them are not here any more.
        dead: how many these are.
        largest: largest similarities of each row to the cohort; None in a gallery that decides by the cosine.
        offsets: (n,) float32, what is subtracted from each similarity before people are ranked; None with `largest`.
    """

    ids: Sequence[str]
    names: Sequence[str]
    rows: Rows
    gone: NDArray[np.bool_]
    dead: int = 0
    largest: Largest | None = None
    offsets: Floats | None = None

    @classmethod
    def of(cls, ids: Sequence[str], names: Sequence[str], matrix: Floats, *, compact: bool = False) -> Self:
        """Return a segment of people in any order; `matrix` is (n, d) float32, and the segment's own afterwards."""
        if any(left >= right for left, right in pairwise(ids)):
            order = sorted(range(len(ids)), key=ids.__getitem__)
            ids, names, matrix = [ids[row] for row in order], [names[row] for row in order], matrix[order]
        rows = Compact.of(matrix) if compact and len(matrix) else Whole(matrix)
        return cls(tuple(ids), tuple(names), rows, np.zeros(len(ids), np.bool_))

    def __len__(self) -> int:
        """Return how many people are here."""
        return len(self.ids) - self.dead

    def find(self, person_id: str) -> int | None:
        """Return the row of a person, None where nobody of this id is here."""
        row = bisect_left(self.ids, person_id)
        return row if self.holds(person_id) and not self.gone[row] else None

    def holds(self, person_id: str) -> bool:
        """Say whether there is a row of a person, be it one that is gone."""
        row = bisect_left(self.ids, person_id)
        return row < len(self.ids) and self.ids[row] == person_id

    @property
    def dimension(self) -> int:
        """Of the rows."""
        return int(self.rows.take(np.empty(0, np.intp)).shape[1])

    def without(self, rows: Iterable[int]) -> Self:
        """Return the segment without the people in some rows, who are here."""
        gone = self.gone.copy()
        gone[list(rows)] = True
        return replace(self, gone=gone, dead=int(gone.sum()))

    def here(self) -> Columns:
        """Return the rows of those who are here."""
        return np.flatnonzero(~self.gone)

    def near(self, probes: Descriptors, count: int, products: Products) -> tuple[Columns, Floats]:
        """Return rows and similarities (b, k) of the `count` nearest; -inf for one that is not to be taken.

        The similarities are less the rows' offsets, if there are any.
        """
        rows, scores = self.rows.near(probes, count + self.dead, products, self.offsets)
        if self.dead:
            scores = np.where(self.gone[rows], np.float32(-np.inf), scores)
        return rows, scores

    def similarities(self, probe: Floats, rows: Columns) -> Floats:
        """Return how similar these rows are to one (d,) probe, in full, less their offsets."""
        found = self.rows.similarities(probe, rows)
        return found if self.offsets is None else found - self.offsets[rows]

    def joined(self, other: "Segment") -> "Segment":
        """Return one segment of those who are here and in the other, kept as this one keeps them."""
        mine, theirs = self.here(), other.here()
        ids = [*_some(self.ids, mine), *_some(other.ids, theirs)]
        names = [*_some(self.names, mine), *_some(other.names, theirs)]
        order = np.asarray(sorted(range(len(ids)), key=ids.__getitem__), np.intp)
        added = other.rows.take(theirs)
        rows: Rows
        if isinstance(self.rows, Compact):
            rows = self.rows.edited(mine, added, order)
        else:
            matrix = np.empty((len(ids), added.shape[1]), np.float32)
            place = np.empty(len(ids), np.intp)
            place[order] = np.arange(len(ids))
            for start in range(0, len(mine), PIECE):
                piece = mine[start : start + PIECE]
                matrix[place[start : start + len(piece)]] = self.rows.take(piece)
            matrix[place[len(mine) :]] = added
            rows = Whole(matrix)
        gone = np.zeros(len(ids), np.bool_)
        largest = self._largest(mine, other, theirs, order)
        return Segment(tuple(_some(ids, order)), tuple(_some(names, order)), rows, gone, largest=largest)

    def _largest(self, mine: Columns, other: "Segment", theirs: Columns, order: Columns) -> Largest | None:
        if self.largest is None and other.largest is None:
            return None
        width = next(each.largest.places.shape[1] for each in (self, other) if each.largest is not None)
        parts = [
            Largest.unknown(len(rows), width) if known is None else known.take(rows)
            for known, rows in ((self.largest, mine), (other.largest, theirs))
        ]
        return parts[0].joined(parts[1]).take(order)


def _some(words: Sequence[str], rows: NDArray[Any]) -> list[str]:
    return [words[row] for row in rows.tolist()]
