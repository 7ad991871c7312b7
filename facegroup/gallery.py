"""Who a face is: descriptors in, a `Match` for each out, decided on an immutable snapshot of a gallery's centroids.

A `Snapshot` is loaded from a store once and caught up by the changes after its version; matching itself is one matrix
product and asks nobody. The rule is DESIGN §5, which settles what the course work left open: it says both "score =
1 - cos, above 0.4, take the maximum" and "argmin of cos"; taken is *similarity above the threshold, the maximum wins*.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facegroup.assignment import assign, top
from facegroup.errors import InvalidDescriptor, UnknownPerson
from facegroup.expiry import expired
from facegroup.store.base import Centroids, Store, VersionGone
from facegroup.store.rules import check_threshold
from facegroup.store.vectors import expiries
from facegroup.types import NOT_IN_DATASET, Candidate, Descriptors, Floats, Match, Times

_OFF_UNIT = 1e-2  # of a descriptor's length, which half-precision engines leave a little off


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The people of one gallery who can be named, at one version. It never changes, and its matrix is read-only.

    Attributes:
        gallery: the gallery's name.
        version: the version that all of it belongs to.
        network: the network that made the descriptors; those of another must not be matched.
        threshold: what a similarity must exceed unless the question says.
        ids: person ids, sorted.
        names: their names.
        matrix: (len(ids), d) float32 centroids, rows of unit length; the snapshot owns it.
        expires: from when on each is nobody's: (len(ids),) seconds since the epoch, infinite for never; None: nobody.
    """

    gallery: str
    version: int
    network: str
    threshold: float
    ids: tuple[str, ...]
    names: tuple[str, ...]
    matrix: Floats
    expires: Times | None = None

    def __post_init__(self) -> None:
        self.matrix.setflags(write=False)

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def load(cls, store: Store, gallery: str) -> Self:
        """Read a whole gallery. Raises `UnknownGallery` or `StoreUnavailable`."""
        return cls._of(gallery, store.centroids(gallery))

    def caught_up(self, store: Store) -> Self:
        """Return the snapshot of the present version: this one where nothing changed, else one with the changes read.

        Raises:
            UnknownGallery: it was erased.
            StoreUnavailable: the store does not answer; this snapshot can be matched on.
        """
        if store.version(self.gallery) == self.version:
            return self
        try:
            changes = store.centroids(self.gallery, since=self.version)
        except VersionGone:
            return self.load(store, self.gallery)
        return self._of(self.gallery, self._merged(changes))

    def match(
        self,
        probes: Descriptors,
        images: NDArray[np.integer[Any]],
        quality: Floats | None = None,
        threshold: float | None = None,
        candidates: int = 3,
    ) -> list[Match]:
        """Decide who each face is (DESIGN §5).

        The person with the greatest cosine similarity strictly above the threshold is named, one person at most once in
        one image: of all pairs of a face and a person above the threshold, the most similar is taken first, and neither
        is looked at again in that image. A face that lost its best person may so get its next one, with a negative
        margin, or none.

        Args:
            probes: (n, d) float32, rows of unit length; a row that is not (as with NaN in it) is nobody's, since one
                bad face must not cost the others in a batch their answers.
            images: (n,) integers: which image each face is in.
            quality: (n,) float32; of two faces equally similar to a person, the greater one gets the name.
            threshold: the gallery's own if None.
            candidates: how many of the best people each answer lists.

        Returns:
            n matches, in the order of the probes.

        Raises:
            InvalidDescriptor: the probes are not (n, d), or `images` or `quality` not (n,).
            MalformedRequest: the threshold is not in -1..1.
        """
        limit = self.threshold if threshold is None else check_threshold(threshold)
        scores = self._scores(probes)
        scores[:, expired(self.expires)] = -np.inf
        if images.shape != (len(probes),) or (quality is not None and quality.shape != (len(probes),)):
            raise InvalidDescriptor("there must be one image, and one quality if any, for each descriptor")
        # In an image of m faces, m - 1 people can be taken by the others: the best m of each face settle it exactly.
        crowd = max(Counter(images.tolist()).values(), default=0)
        people, best = top(scores, max(candidates, crowd, 2))
        named = assign(people, best, images, np.zeros(len(probes)) if quality is None else quality, limit)
        return [
            self._answer(people[row].tolist(), best[row].tolist(), named.get(row), limit, candidates)
            for row in range(len(probes))
        ]

    def similarity_to(self, person_id: str, probes: Descriptors) -> Floats:
        """Return the cosine similarity of each probe to one person, for verification.

        Args:
            person_id: who the faces are said to be.
            probes: (n, d) float32, rows of unit length.

        Returns:
            (n,) float32 in -1..1; -1 for a row that is not of unit length.

        Raises:
            UnknownPerson: nobody of this id has photos in the gallery.
            InvalidDescriptor: the probes are not (n, d).
        """
        row = self._row(person_id)
        scores: Floats = self._scores(probes, row, row + 1)[:, 0]
        return np.maximum(scores, np.float32(-1))

    def name_of(self, person_id: str) -> str:
        """Return the name of one person. Raises `UnknownPerson` where nobody of this id has photos in the gallery."""
        return self.names[self._row(person_id)]

    def _row(self, person_id: str) -> int:
        row = bisect_left(self.ids, person_id)
        if self.ids[row : row + 1] != (person_id,) or row in expired(self.expires):
            raise UnknownPerson(f"nobody with the id {person_id!r} has photos in the gallery")
        return row

    @classmethod
    def _of(cls, gallery: str, read: Centroids) -> Self:
        return cls(gallery, read.version, read.network, read.threshold, read.ids, read.names, read.matrix, read.expires)

    def _merged(self, changes: Centroids) -> Centroids:
        touched = {*changes.ids, *changes.gone}
        kept = [row for row, key in enumerate(self.ids) if key not in touched]
        names = {self.ids[row]: self.names[row] for row in kept} | dict(zip(changes.ids, changes.names, strict=True))
        ids = sorted(names)
        if not touched:
            matrix = self.matrix
        else:
            places = {key: place for place, key in enumerate(ids)}
            matrix = np.empty((len(ids), self.matrix.shape[1]), np.float32)
            matrix[[places[self.ids[row]] for row in kept]] = self.matrix[kept]
            matrix[[places[key] for key in changes.ids]] = changes.matrix
        if self.expires is None and changes.expires is None:
            return replace(changes, ids=tuple(ids), names=tuple(names[key] for key in ids), matrix=matrix)
        times = {key: None if limit == np.inf else limit for read in (self, changes) for key, limit in _times(read)}
        expires = expiries([times.get(key) for key in ids])
        return replace(changes, ids=tuple(ids), names=tuple(names[key] for key in ids), matrix=matrix, expires=expires)

    def _scores(self, probes: Descriptors, start: int = 0, stop: int | None = None) -> Floats:
        """Return the cosines (n, people) of probes to the people from `start` to `stop`; -inf for an unusable probe."""
        if probes.ndim != 2 or probes.shape[1] != self.matrix.shape[1]:
            raise InvalidDescriptor(f"descriptors must be (n, {self.matrix.shape[1]}), not {probes.shape}")
        with np.errstate(over="ignore", invalid="ignore"):
            usable = np.abs(np.linalg.norm(probes, axis=1) - 1) < _OFF_UNIT  # false where it is NaN
        clean = np.where(usable[:, None], probes, 0).astype(np.float32, copy=False)
        scores: Floats = clean @ self.matrix[start:stop].T
        np.clip(scores, -1, 1, out=scores)  # rounding can leave 1.0000001
        scores[~usable] = -np.inf
        return scores

    def _answer(
        self, people: list[int], best: list[float], rank: int | None, threshold: float, candidates: int
    ) -> Match:
        if not best or best[0] == -np.inf:
            return Match(None, NOT_IN_DATASET, -1.0, threshold, None)
        living = [score for score in best if score > -np.inf]  # best first, so that the others are the last
        best, people = living, people[: len(living)]
        similarity = best[rank or 0]
        others = best[:rank] + best[rank + 1 :] if rank is not None else best[1:]
        listed = zip(people[:candidates], best[:candidates], strict=True)
        return Match(
            person_id=None if rank is None else self.ids[people[rank]],
            name=NOT_IN_DATASET if rank is None else self.names[people[rank]],
            similarity=similarity,
            threshold=threshold,
            margin=similarity - others[0] if others else None,
            candidates=tuple(Candidate(self.ids[person], self.names[person], score) for person, score in listed),
        )


def _times(read: Snapshot | Centroids) -> Iterable[tuple[str, float]]:
    """Return each id with its expiry; infinite where nobody expires, for a change may have lifted one."""
    return zip(read.ids, [np.inf] * len(read.ids) if read.expires is None else read.expires.tolist(), strict=True)
