"""All people of a gallery at one version: changes in, another version out; probes in, the most similar people out.

Sealed segments hold nearly all of them, and one small segment, `fresh`, who changed last. A change costs a copy of what
is fresh and of some marks, whatever the size of the gallery; now and then what is fresh is sealed, which costs a copy of
one segment. What matching answers does not depend on how people are spread, but for what is compact (`rows`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from facegroup.errors import UnknownPerson
from facegroup.gallery.index.nearest import Found, Nearest, ordered
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.index.segment import Segment
from facegroup.types import Descriptors, Floats


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """People and their centroids. It never changes.

    Attributes:
        plan: how they are kept.
        dimension: of the centroids.
        sealed: who did not change lately; nobody is in two segments.
        fresh: who did.
    """

    plan: Plan
    dimension: int
    sealed: tuple[Segment, ...]
    fresh: Segment

    @classmethod
    def of(cls, ids: Sequence[str], names: Sequence[str], matrix: Floats, plan: Plan | None = None) -> Self:
        """Return people with centroids: (n, d) float32, rows of unit length, of which a copy is kept."""
        plan = Plan() if plan is None else plan
        compact = plan.compact(matrix.nbytes)
        size = plan.rows(matrix.shape[1])
        pieces = [slice(start, start + size) for start in range(0, len(ids), size)]
        sealed = tuple(Segment.of(ids[each], names[each], matrix[each].copy(), compact=compact) for each in pieces)
        return cls(plan, matrix.shape[1], sealed, empty(matrix.shape[1]))

    def __len__(self) -> int:
        return sum(len(segment) for segment in self.segments)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All segments."""
        return (*self.sealed, self.fresh)

    @property
    def exact(self) -> bool:
        """Whether every person is compared in full, in float32."""
        return all(segment.rows.final for segment in self.sealed)

    def find(self, person_id: str) -> tuple[Segment, int]:
        """Return where a person is. Raises `UnknownPerson`."""
        for segment in self.segments:
            row = segment.find(person_id)
            if row is not None:
                return segment, row
        raise UnknownPerson(f"nobody with the id {person_id!r} has photos in the gallery")

    def __iter__(self) -> Iterator[tuple[str, str, Segment, int]]:
        """Give id, name and place of everybody, by id: for looking at a gallery, not for matching."""
        everybody = (
            (segment.ids[row], segment.names[row], segment, row)
            for segment in self.segments
            for row in segment.here().tolist()
        )
        return iter(sorted(everybody, key=lambda person: person[0]))

    def changed(self, ids: Sequence[str], names: Sequence[str], matrix: Floats, gone: Sequence[str]) -> Self:
        """Return the people after some came or changed, with their (m, d) float32 centroids, and some went."""
        if not ids and not gone:
            return self
        touched = sorted({*ids, *gone})
        sealed = [_less(segment, touched, gone) for segment in self.sealed]
        fresh = _less(self.fresh, touched, gone).joined(Segment.of(ids, names, matrix.copy()))
        if len(fresh) <= self.plan.fresh(self.dimension):
            return replace(self, sealed=tuple(sealed), fresh=fresh)
        return replace(self, sealed=tuple(self._seal(sealed, fresh)), fresh=empty(self.dimension))

    def nearest(self, probes: Descriptors, count: int) -> Nearest:
        """Return the `count` people most similar to each of (b, d) probes of unit length, or all where there are fewer.

        Where people have offsets, the most similar are those whose similarity less the offset is greatest.
        Of what is compact the best by code are compared in full, many more than are asked for.
        """
        found = [(segment, *segment.near(probes, count, self.plan.products)) for segment in self._kept(final=True)]
        if first_look := self._kept(final=False):
            found += self._compared(first_look, probes, count)
        return ordered(found, len(probes), min(count, len(self)))

    def _kept(self, *, final: bool) -> list[Segment]:
        return [each for each in self.segments if len(each) and each.rows.final is final]

    def _compared(self, segments: list[Segment], probes: Descriptors, count: int) -> list[Found]:
        """Look at the codes of all segments, and in full at the best of all."""
        each, wanted = self.plan.first_look(count)
        products = self.plan.products
        looked = products.spread(lambda segment: segment.near(probes, each, products), segments)
        guesses = np.concatenate([scores for _, scores in looked], axis=1)
        if wanted < guesses.shape[1]:
            bound = np.partition(guesses, -wanted, axis=1)[:, -wanted]
        else:
            bound = np.full(len(probes), np.float32(-np.inf))

        # On one thread: those few rows take less time than it takes to hand them to others.
        found: list[Found] = []
        for segment, (rows, scores) in zip(segments, looked, strict=True):
            full = np.full(scores.shape, np.float32(-np.inf))
            kept = (scores >= bound[:, None]) & (scores > -np.inf)
            for number, probe in enumerate(probes):
                full[number, kept[number]] = segment.similarities(probe, rows[number, kept[number]])
            found.append((segment, rows, full))
        return found

    def _seal(self, sealed: list[Segment], fresh: Segment) -> list[Segment]:
        """Put what is fresh to the last segment, or after it where that is full; make small what is mostly gone."""
        size = self.plan.rows(self.dimension)
        kept = sum(len(segment) for segment in sealed if segment.rows.final) + len(fresh)
        compact = self.plan.compact(4 * self.dimension * kept)
        last = sealed[-1] if sealed else None
        if last is not None and len(last) + len(fresh) <= size and last.rows.final is not compact:
            sealed[-1] = last.joined(fresh)
        else:
            rows = fresh.here()
            ids, names = ([words[row] for row in rows.tolist()] for words in (fresh.ids, fresh.names))
            sealed.append(Segment.of(ids, names, fresh.rows.take(rows), compact=compact))
        worst = max(range(len(sealed)), key=lambda place: sealed[place].dead)
        if sealed[worst].dead * 4 > len(sealed[worst].ids):
            sealed[worst] = sealed[worst].joined(empty(self.dimension))
        return [segment for segment in sealed if len(segment)]


def empty(dimension: int) -> Segment:
    """Return a segment without anybody."""
    return Segment.of((), (), np.empty((0, dimension), np.float32))


def _less(segment: Segment, touched: Sequence[str], gone: Sequence[str]) -> Segment:
    """Return the segment without who changed; made anew where it has a row, be it an old one, of who is gone for good."""
    found = [row for key in touched if (row := segment.find(key)) is not None]
    left = segment.without(found) if found else segment
    return left.joined(empty(left.dimension)) if any(segment.holds(key) for key in gone) else left
