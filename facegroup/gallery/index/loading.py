"""A whole gallery out of a store, page by page into segments, so that little is held twice."""

import logging
from collections.abc import Iterator

import numpy as np

from facegroup.gallery.index.people import People, empty
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.index.segment import Segment
from facegroup.store.contract import Store
from facegroup.store.vectors import limits
from facegroup.types import Floats, Gallery

log = logging.getLogger(__name__)


def load(store: Store, gallery: str, plan: Plan) -> tuple[Gallery, People, dict[str, float], dict[str, Floats]]:
    """Return a gallery, its people, when those of them expire who do (seconds since the epoch), and the counter-examples.

    People may be of later versions than the gallery: to be caught up from the gallery's version.

    Raises:
        UnknownGallery: there is none.
        StoreUnavailable: the store does not answer.
    """
    found = store.gallery(gallery)
    size = plan.rows(found.dimension)
    compact = plan.compact(4 * found.dimension * found.people)
    sealed: list[Segment] = []
    ids: list[str] = []
    names: list[str] = []
    matrix = _room(min(size, found.people), found.dimension)
    expires: dict[str, float] = {}
    counters: dict[str, Floats] = {}
    for new_ids, new_names, rows in _once(store, gallery, found.dimension, expires, counters):
        done = 0
        while done < len(new_ids):
            if len(ids) == size:
                sealed.append(Segment.of(ids, names, matrix, compact=compact))
                ids, names = [], []
                matrix = _room(size, found.dimension)
            elif len(ids) == len(matrix):  # more came since the people were counted
                matrix = np.concatenate([matrix, _room(min(size - len(ids), len(ids) + 64), found.dimension)])
            taken = slice(done, done + min(len(matrix) - len(ids), len(new_ids) - done))
            matrix[len(ids) : len(ids) + taken.stop - done] = rows[taken]
            ids += new_ids[taken]
            names += new_names[taken]
            done = taken.stop
    if ids:
        sealed.append(Segment.of(ids, names, matrix[: len(ids)], compact=compact))
    people = People(plan, found.dimension, tuple(sealed), empty(found.dimension))
    people.nearest(
        np.zeros((1, found.dimension), np.float32), 1
    )  # what comparing needs is loaded now, not while somebody waits
    way = "exactly" if people.exact else "by code, the best in full (docs/decisions/0006-index.md)"
    level = logging.DEBUG if people.exact else logging.INFO  # exactly is what everybody expects
    log.log(level, "gallery %s: %d people × %d, compared %s", found.name, len(people), found.dimension, way)
    return found, people, expires, counters


def _once(
    store: Store, gallery: str, dimension: int, expires: dict[str, float], counters: dict[str, Floats]
) -> Iterator[tuple[list[str], list[str], Floats]]:
    """Give each person once, and put into `expires` when they do, into `counters` their counter-examples.

    A page may repeat one who was in another, and catching up knows whatever changed since.
    """
    seen: set[str] = set()
    for page in store.centroid_pages(gallery):
        if page.matrix.shape[1] != dimension:
            return  # erased and made anew meanwhile, which catching up notices
        new = [row for row, key in enumerate(page.ids) if key not in seen]
        seen.update(page.ids)
        expires.update(limits(page))
        counters.update(page.counters)
        yield [page.ids[row] for row in new], [page.names[row] for row in new], page.matrix[new]


def _room(rows: int, dimension: int) -> Floats:
    return np.empty((rows, dimension), np.float32)
