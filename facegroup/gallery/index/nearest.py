"""What each segment found, in; who is most similar to each probe of all people, equals by id, out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from facegroup.gallery.index.rows import Columns
from facegroup.gallery.index.segment import Segment
from facegroup.types import Floats

Found: TypeAlias = tuple[Segment, Columns, Floats]
"""A segment, and of it rows (b, k) and their similarities (b, k) float32 to each of b probes; -inf: not to be taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The people most similar to some probes.

    Attributes:
        ids: ids of all of these people, sorted.
        names: their names.
        people: (b, k) places in `ids`, the most similar first; equals by id.
        similarities: (b, k) float32 in -1..1, of the rows as kept.
        relative: (b, k) float32, the same less the people's offsets, by which they are ordered; None without offsets.
    """

    ids: Sequence[str]
    names: Sequence[str]
    people: Columns
    similarities: Floats
    relative: Floats | None = None


def ordered(found: Sequence[Found], probes: int, width: int) -> Nearest:
    """Return the best `width` people of each of so many probes; there must be as many."""
    nothing = np.empty((probes, 0), np.float32)
    best: Floats = np.concatenate([nothing, *(scores for _, _, scores in found)], axis=1)
    if best.shape[1] > 4 * width > 0:
        chosen: Columns = np.argpartition(best, -2 * width, axis=1)[:, -2 * width :]
    else:
        chosen = np.broadcast_to(np.arange(best.shape[1]), best.shape)
    edges = np.cumsum([0, *(rows.shape[1] for _, rows, _ in found)])
    whose = np.searchsorted(edges, chosen, side="right") - 1
    every = np.concatenate([nothing.astype(np.intp), *(rows for _, rows, _ in found)], axis=1)
    places = np.take_along_axis(every, chosen, axis=1) + (whose.astype(np.int64) << 32)
    unique, mine = np.unique(places, return_inverse=True)
    people = [(found[place >> 32][0], place & 0xFFFFFFFF) for place in unique.tolist()]
    ids = [segment.ids[row] for segment, row in people]
    by_id = sorted(range(len(ids)), key=ids.__getitem__)
    rank = np.empty(len(ids), np.intp)
    rank[by_id] = np.arange(len(ids))
    ranked = rank[mine.reshape(chosen.shape)]
    scores = np.take_along_axis(best, chosen, axis=1)
    order = np.lexsort((ranked, -scores), axis=1)[:, :width]
    similarities: Floats = np.take_along_axis(scores, order, axis=1)
    nearest = np.take_along_axis(ranked, order, axis=1)
    relative = None
    parts = [segment.offsets[rows] for segment, rows, _ in found if segment.offsets is not None]
    if parts:
        relative = similarities
        offsets = np.take_along_axis(np.concatenate(parts, axis=1), chosen, axis=1)
        similarities = relative + np.take_along_axis(offsets, order, axis=1)
    similarities = np.clip(similarities, -1, 1)  # rounding can leave 1.0000001
    names = [people[place][0].names[people[place][1]] for place in by_id]
    return Nearest([ids[place] for place in by_id], names, nearest, similarities, relative)
