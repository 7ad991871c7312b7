"""The cohort of a gallery, and what each person resembles of it, kept current while people and strangers change.

The cohort is the strangers that were given and the gallery's own members, together at most `cohort.MOST`. A change of a
member who is in the cohort changes the means of those who resemble that member. So each person keeps the largest
similarities with their places in the cohort: a row that comes is compared with everybody, and only people who resembled a
row that went are compared with the whole cohort again.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facegroup.gallery.cohort import MOST, Cohort, rank
from facegroup.gallery.index.largest import GONE, Largest, Places
from facegroup.gallery.index.people import People
from facegroup.gallery.index.segment import Segment
from facegroup.types import Floats

_PIECE = 4096  # rows compared at once: at 2048 numbers each, 32 MB


def begin(people: People, strangers: Mapping[str, Floats]) -> tuple[Cohort, People]:
    """Return the cohort of a gallery, and its people with what they resemble of it.

    Args:
        people: of the gallery.
        strangers: rows of all strangers that were given, by id.
    """
    return catch_up(Cohort.of({}, {}, people.dimension), people, (), strangers)


def catch_up(
    before: Cohort, people: People, changed: Iterable[str], strangers: Mapping[str, Floats] | None = None
) -> tuple[Cohort, People]:
    """Return the cohort after a change, and the people with what they resemble of it.

    Args:
        before: the cohort before it.
        people: as they are now.
        changed: ids of those who came, changed or went since.
        strangers: all that were given; None: as before.
    """
    given = dict(zip(before.strangers, before.matrix, strict=False)) if strangers is None else strangers
    chosen = heapq.nsmallest(MOST, given)
    members = _members(people, before.members, changed, MOST - len(chosen))
    cohort = Cohort.of({key: given[key] for key in chosen}, _rows(people, members), people.dimension)
    moved = _moved(before, cohort)
    again = cohort.averaged != before.averaged
    segments = [_compared(segment, cohort, moved, again=again) for segment in people.segments]
    return cohort, replace(people, sealed=tuple(segments[:-1]), fresh=segments[-1])


def plain(people: People) -> People:
    """Return people without what they resemble of a cohort."""
    sealed = tuple(replace(segment, largest=None, offsets=None) for segment in people.sealed)
    return replace(people, sealed=sealed, fresh=replace(people.fresh, largest=None, offsets=None))


def _members(people: People, before: Sequence[str], changed: Iterable[str], room: int) -> list[str]:
    """Return the ids of the members of the cohort: those of the least rank, so that most of them stay."""
    here = {key for key in {*before, *changed} if _has(people, key)}
    # Those of before are the least of all, so that whoever did not change cannot be among the least now.
    if len(before) < room or not here.issuperset(before):
        here = {segment.ids[row] for segment in people.segments for row in segment.here().tolist()}
    return heapq.nsmallest(room, sorted(here), key=rank)


def _has(people: People, key: str) -> bool:
    return any(segment.find(key) is not None for segment in people.segments)


def _rows(people: People, members: Iterable[str]) -> dict[str, Floats]:
    found = ((key, *people.find(key)) for key in members)
    return {key: segment.rows.take(np.array([row]))[0] for key, segment, row in found}


def _moved(before: Cohort, now: Cohort) -> Places:
    """Return where each row of a cohort is now; `GONE` where it is not, or is another."""
    places = {(True, key): place for place, key in enumerate(now.strangers)}
    places |= {(False, key): place for key, place in now.place.items()}
    keys = [*((True, key) for key in before.strangers), *((False, key) for key in before.members)]
    moved = np.array([places.get(key, GONE) for key in keys], np.int32)
    kept = np.flatnonzero(moved != GONE)
    moved[kept[(before.matrix[kept] != now.matrix[moved[kept]]).any(axis=1)]] = GONE
    return moved


def _compared(segment: Segment, cohort: Cohort, moved: Places, *, again: bool) -> Segment:
    """Return a segment with what its people resemble of the cohort now.

    Args:
        segment: people, with what they resembled before.
        cohort: as it is now.
        moved: where each of its rows of before is now.
        again: whether the means are of another number of similarities now.
    """
    new = np.setdiff1d(np.arange(len(cohort), dtype=np.int32), moved)
    if segment.largest is None or 2 * len(new) > len(cohort):
        return _with(segment, _largest(segment, cohort, np.arange(len(segment.ids))), cohort)
    if len(new) or (moved != np.arange(len(moved))).any():
        largest = segment.largest.moved(moved)
        rows = largest.incomplete
        for piece in _pieces(np.arange(len(segment.ids))) if len(new) else ():
            added = cohort.added(largest.take(piece), segment.rows.take(piece), _ids(segment, piece), new)
            largest = largest.replaced(piece, added)
    else:
        largest, rows = segment.largest, segment.largest.incomplete
    # A segment that was made anew without someone who went has no offsets, even where nobody's similarities changed.
    if largest is segment.largest and not len(rows) and not again and segment.offsets is not None:
        return segment
    whole = largest.replaced(rows, _largest(segment, cohort, rows)) if len(rows) else largest
    return _with(segment, whole, cohort)


def _largest(segment: Segment, cohort: Cohort, rows: NDArray[np.intp]) -> Largest:
    found = [cohort.of_people(segment.rows.take(piece), _ids(segment, piece)) for piece in _pieces(rows)]
    nothing = cohort.of_people(segment.rows.take(rows[:0]), ())
    for each in found:
        nothing = nothing.joined(each)
    return nothing


def _pieces(rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    return [rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE)]


def _ids(segment: Segment, rows: NDArray[np.intp]) -> list[str]:
    return [segment.ids[row] for row in rows.tolist()]


def _with(segment: Segment, largest: Largest, cohort: Cohort) -> Segment:
    return replace(segment, largest=largest, offsets=cohort.offsets(largest))
