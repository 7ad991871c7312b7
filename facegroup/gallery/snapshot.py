"""Who a face is: descriptors in, a `Match` for each out, decided on an immutable snapshot of a gallery's centroids.

A `Snapshot` is loaded from a store once and caught up by the changes after its version; matching itself asks nobody. How
the people are compared is the business of `facegroup.gallery.index`; what follows from it is decided here. The rule is
DESIGN §5, which settles what the course work left open: it says both "score = 1 - cos, above 0.4, take the maximum"
and "argmin of cos"; taken is *similarity above the threshold, the maximum wins*.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import InvalidDescriptor
from facegroup.gallery.cohort import Cohort, score
from facegroup.gallery.decision import assign
from facegroup.gallery.exclusion import Counters, excluded, ruled_out
from facegroup.gallery.index.loading import load
from facegroup.gallery.index.nearest import Nearest
from facegroup.gallery.index.people import People
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.normalization import begin, catch_up, plain
from facegroup.store.contract import Centroids, Store, VersionGone
from facegroup.store.gallery_settings import check_threshold
from facegroup.store.vectors import limits
from facegroup.types import (
    NOT_IN_DATASET,
    TAKEN,
    Calibration,
    Candidate,
    CohortMeans,
    DecisionRule,
    Descriptors,
    Floats,
    Gallery,
    LivenessPolicy,
    Match,
    Policy,
    ScoredCandidate,
)

_Scored: TypeAlias = tuple[list[float], CohortMeans]
"""Of a probe the cosines of the people listed for it, and the means of the probe and of the one who is answered."""

_OFF_UNIT = 1e-2  # of a descriptor's length, which half-precision engines leave a little off


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The people of one gallery who can be named, at one version. It never changes.

    Attributes:
        gallery: the gallery's name.
        version: the version that all of it belongs to.
        network: the network that made the descriptors; those of another must not be matched.
        threshold: what a similarity must exceed unless the question says.
        people: ids, names and centroids.
        expires: from when on somebody is nobody, in seconds since the epoch; only of those who expire.
        probe_quality: how good a face must be to be named.
        unique: whether a person is named at most once in an image, unless the question says.
        calibration: how the threshold was found, where it was.
        counters: counter-examples of those who have some.
        liveness: where a face must be live.
        detector: name of the detector that the gallery is pinned to; "" until a server pins it.
        fingerprint: of the network that it is pinned to; "" as above.
        decision: whether the cosine decides or the score by a cohort.
        cohort: who faces and people are compared with, where that decides.
        cohort_version: changes when the strangers of the cohort do.
    """

    gallery: str
    version: int
    network: str
    threshold: float
    people: People
    expires: Mapping[str, float] = field(default_factory=dict)
    probe_quality: Policy = "off"
    calibration: Calibration | None = None
    counters: Counters = field(default_factory=dict)
    unique: bool = True
    liveness: LivenessPolicy = "off"
    detector: str = ""
    fingerprint: str = ""
    decision: DecisionRule = "cosine"
    cohort: Cohort | None = None
    cohort_version: int = -1

    def __len__(self) -> int:
        return len(self.people)

    @property
    def ids(self) -> tuple[str, ...]:
        """All person ids, sorted: for looking at, since it takes as long as there are people."""
        return tuple(key for key, *_ in self.people)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names; as `ids`."""
        return tuple(name for _, name, *_ in self.people)

    @property
    def matrix(self) -> Floats:
        """Their centroids, (len(ids), d) float32, a copy; as `ids`."""
        rows = [segment.rows.take(np.array([row]))[0] for _, _, segment, row in self.people]
        return np.stack(rows) if rows else np.empty((0, self.people.dimension), np.float32)

    @classmethod
    def load(cls, store: Store, gallery: str, plan: Plan | None = None) -> Self:
        """Read a whole gallery, to be kept as planned (None: exactly). Raises `UnknownGallery` or `StoreUnavailable`."""
        found, people, expires, counters = load(store, gallery, Plan() if plan is None else plan)
        made = cls(gallery, people=people, expires=expires, counters=counters, **_settings(found))
        return made._normalized(store, made, ()).caught_up(store)

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
            return self.load(store, self.gallery, self.people.plan)
        people = self.people.changed(changes.ids, changes.names, changes.matrix, changes.gone)
        touched = {*changes.ids, *changes.gone}
        expires = {key: limit for key, limit in self.expires.items() if key not in touched} | limits(changes)
        counters = {key: rows for key, rows in self.counters.items() if key not in touched} | dict(changes.counters)
        settings = {**_settings(changes), "cohort_version": changes.cohort_version}
        made = replace(self, people=people, expires=expires, counters=counters, cohort=None, **settings)
        return made._normalized(store, self, touched)

    def _normalized(self, store: Store, before: "Snapshot", touched: Iterable[str]) -> Self:
        """Return the snapshot with the cohort, where that decides.

        Args:
            store: has the strangers.
            before: the snapshot that this one follows; its own self where there is none.
            touched: ids of the people who changed since.
        """
        if self.decision == "cosine":
            return self if before.cohort is None else replace(self, people=plain(self.people))
        if before.cohort is not None and self.cohort_version == before.cohort_version:
            cohort, people = catch_up(before.cohort, self.people, touched)
            return replace(self, people=people, cohort=cohort)
        kept = store.cohort(self.gallery)
        same = kept.network == self.network  # not since a migration, of which the next catching up knows
        strangers = dict(zip(kept.ids, kept.matrix, strict=True)) if same else {}
        if before.cohort is None:
            cohort, people = begin(self.people, strangers)
        else:
            cohort, people = catch_up(before.cohort, self.people, touched, strangers)
        return replace(self, people=people, cohort=cohort, cohort_version=kept.version)

    def living(self, now: float | None = None) -> Self:
        """Return the snapshot without the people whose time is over at `now`, in seconds since the epoch; None: now."""
        now = time.time() if now is None else now
        over = [key for key, limit in self.expires.items() if limit <= now]
        if not over:
            return self
        people = self.people.changed((), (), np.empty((0, self.people.dimension), np.float32), over)
        counters = {key: rows for key, rows in self.counters.items() if key not in over}
        expires = {key: limit for key, limit in self.expires.items() if key not in over}
        living = replace(self, people=people, expires=expires, counters=counters)
        if self.cohort is None:
            return living
        cohort, people = catch_up(self.cohort, people, over)
        return replace(living, people=people, cohort=cohort)

    def match(
        self,
        probes: Descriptors,
        images: NDArray[np.integer[Any]],
        quality: Floats | None = None,
        threshold: float | None = None,
        candidates: int = 3,
        unique: bool | None = None,
    ) -> list[Match]:
        """Decide who each face is (DESIGN §5).

        The person with the greatest cosine similarity strictly above the threshold is named, one person at most once in
        one image (`unique`): of all pairs of a face and a person above the threshold, the most similar is taken first, and
        neither is looked at again in that image. A face that lost its best person may so get its next one, with a
        negative margin, or none. A person whom a counter-example rules out for a face (`facegroup.gallery.exclusion`) is
        passed over as if not in the gallery, and told in `Match.excluded` where that made a difference.

        Where a cohort decides, all of this holds of the score (`facegroup.gallery.cohort`) in place of the similarity, but
        that a counter-example is compared by similarity: else a face could get the name again that it was corrected for.

        Args:
            probes: (n, d) float32, rows of unit length; a row that is not (as with NaN in it) is nobody's, since one
                bad face must not cost the others in a batch their answers.
            images: (n,) integers: which image each face is in.
            quality: (n,) float32; of two faces equally similar to a person, the greater one gets the name.
            threshold: the gallery's own if None.
            candidates: how many of the best people each answer lists.
            unique: whether a person is named at most once in an image; None: as the gallery has it.

        Returns:
            n matches, in the order of the probes; `Match.taken_by` counts the probes.

        Raises:
            InvalidDescriptor: the probes are not (n, d), or `images` or `quality` not (n,).
            MalformedRequest: the threshold is not in -1..1.
            CohortTooSmall: a cohort decides and has too few people.
        """
        limit = self.threshold if threshold is None else check_threshold(threshold)
        living = self.living()
        clean, usable = self._checked(probes)
        if images.shape != (len(probes),) or (quality is not None and quality.shape != (len(probes),)):
            raise InvalidDescriptor("there must be one image, and one quality if any, for each descriptor")
        if not len(probes):
            return []
        # In an image of m faces, m - 1 people can be taken by the others: the best m of each face settle it exactly.
        crowd = max(Counter(images.tolist()).values(), default=0)
        found, out = living._nearest(clean, max(candidates, crowd, 2))
        means = living.probe_means(clean)
        scores = score(relative(found), means)
        best = np.where(usable[:, None] & ~out, scores, np.float32(-np.inf))
        ranking = np.zeros(len(probes)) if quality is None else quality
        named, lost = assign(found.people, best, images, ranking, limit, living.unique if unique is None else unique)
        told = _told(found, scores, means is not None, out & usable[:, None], limit)
        told_means = None if means is None else living._means(found, scores, means, named)
        matches = []
        for row in range(len(probes)):
            given = (found, found.people[row].tolist(), best[row].tolist(), named.get(row), limit, candidates)
            scored = None if told_means is None else told_means[row]
            matches.append(_answer(*given, told.get(row, ()), lost.get(row), scored))
        return matches

    def probe_means(self, probes: Descriptors, own: Sequence[str] = ()) -> Floats | None:
        """Return the mean of each probe's largest similarities to the cohort, (n,) float32; None where the cosine decides.

        Args:
            probes: (n, d) float32, rows of unit length.
            own: ids of members whom the probes show, to be left out as if they were not in the gallery.

        Raises:
            CohortTooSmall: a cohort decides and has too few people.
        """
        if self.cohort is None:
            return None
        self.cohort.check()
        return self.cohort.probe_means(probes, self.people.plan.products, own)

    def offsets(self, rows: Floats, ids: Sequence[str]) -> Floats:
        """Return what is subtracted from each similarity to (n, d) rows that stand for people, (n,) float32."""
        if self.cohort is None:
            return np.zeros(len(rows), np.float32)
        return self.cohort.offsets(self.cohort.of_people(rows, ids))

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
        segment, row = self.living().people.find(person_id)
        clean, usable = self._checked(probes)
        scores = np.clip(clean @ segment.rows.take(np.array([row]))[0], -1, 1)
        return np.where(usable, scores, np.float32(-1))

    def score_of(
        self, person_id: str, probes: Descriptors, similarities: Floats
    ) -> tuple[Floats, list[CohortMeans]] | None:
        """Return the score of each probe with one person, (n,), and the means; None where the similarity decides.

        Their similarities are those of `similarity_to`, and as there -1 is the score of a row that is not of unit length.
        Raises `CohortTooSmall` or `UnknownPerson`.
        """
        living = self.living()
        clean, usable = self._checked(probes)
        means = living.probe_means(clean)
        if living.cohort is None or means is None:
            return None
        segment, row = living.people.find(person_id)
        assert segment.offsets is not None
        offset = segment.offsets[row]
        scores = np.where(usable, score(similarities - offset, means), np.float32(-1))
        return scores, [CohortMeans(mean, 2 * float(offset), len(living.cohort)) for mean in means.tolist()]

    def rules_out(self, person_id: str, probes: Descriptors, similarities: Floats) -> NDArray[np.bool_]:
        """Return which of some probes, (n,) bool, a counter-example rules out to be one person.

        Their similarities are those of `similarity_to`.
        """
        counters = self.counters.get(person_id)
        if counters is None:
            return np.zeros(len(probes), np.bool_)
        return ruled_out(self._checked(probes)[0], similarities, counters)

    def name_of(self, person_id: str) -> str:
        """Return the name of one person. Raises `UnknownPerson` where nobody of this id has photos in the gallery."""
        segment, row = self.living().people.find(person_id)
        return segment.names[row]

    def _nearest(self, probes: Descriptors, count: int) -> tuple[Nearest, NDArray[np.bool_]]:
        """Return so many of the people nearest to each probe that `count` are not ruled out, and who is: (n, k) bool.

        Those who are ruled out come last.
        """
        wanted = count
        while True:
            found = self.people.nearest(probes, wanted)
            out = excluded(found, probes, self.counters) if self.counters else None
            if out is None:
                return found, np.zeros(found.people.shape, np.bool_)
            if wanted >= len(self.people) or not ((~out).sum(axis=1) < count).any():
                order = np.argsort(out, axis=1, kind="stable")
                people = np.take_along_axis(found.people, order, axis=1)
                similarities = np.take_along_axis(found.similarities, order, axis=1)
                relative = None if found.relative is None else np.take_along_axis(found.relative, order, axis=1)
                ordered = replace(found, people=people, similarities=similarities, relative=relative)
                return ordered, np.take_along_axis(out, order, axis=1)
            wanted *= 2

    def _means(self, found: Nearest, scores: Floats, means: Floats, named: Mapping[int, int]) -> list[_Scored]:
        """Return for each probe the cosines of the people near to it, and its mean with that of the one who is answered."""
        assert self.cohort is not None
        size = len(self.cohort)
        if not found.people.shape[1]:
            return [([], CohortMeans(mean, 0.0, size)) for mean in means.tolist()]
        rows = np.arange(len(means))
        ranks = [named.get(row, 0) for row in range(len(means))]
        people = 2 * (found.similarities[rows, ranks] - scores[rows, ranks]) - means
        pairs = zip(found.similarities.tolist(), means.tolist(), people.tolist(), strict=True)
        return [(cosines, CohortMeans(mean, person, size)) for cosines, mean, person in pairs]

    def _checked(self, probes: Descriptors) -> tuple[Descriptors, NDArray[np.bool_]]:
        """Return the probes with zeros in place of the unusable ones, and which are usable."""
        if probes.ndim != 2 or probes.shape[1] != self.people.dimension:
            raise InvalidDescriptor(f"descriptors must be (n, {self.people.dimension}), not {probes.shape}")
        with np.errstate(over="ignore", invalid="ignore"):
            usable: NDArray[np.bool_] = np.abs(np.linalg.norm(probes, axis=1) - 1) < _OFF_UNIT  # false where it is NaN
        return np.ascontiguousarray(np.where(usable[:, None], probes, 0), np.float32), usable


def relative(found: Nearest) -> Floats:
    """Return the similarities of some people near to probes, less the people's offsets where they have some."""
    return found.similarities if found.relative is None else found.relative


def _settings(read: Gallery | Centroids) -> dict[str, Any]:
    """Return what a snapshot has of a gallery's settings, as they are at the version that was read."""
    names = ("version", "network", "threshold", "probe_quality", "calibration", "unique", "liveness", "decision")
    return {name: getattr(read, name) for name in (*names, "detector", "fingerprint")}


def _told(
    found: Nearest, scores: Floats, scored: bool, out: NDArray[np.bool_], threshold: float
) -> dict[int, tuple[Candidate, ...]]:
    """Return for each probe the people who are ruled out, where there are any above the threshold."""
    told: dict[int, tuple[Candidate, ...]] = {}
    for row, rank in np.argwhere(out & (scores > threshold)).tolist():
        person, similarity = found.people[row, rank], float(found.similarities[row, rank])
        who = (found.ids[person], found.names[person], similarity)
        each = ScoredCandidate(*who, float(scores[row, rank])) if scored else Candidate(*who)
        told[row] = (*told.get(row, ()), each)
    return told


def _answer(
    found: Nearest,
    people: list[int],
    best: list[float],
    rank: int | None,
    threshold: float,
    candidates: int,
    told: tuple[Candidate, ...],
    taken_by: int | None,
    scored: _Scored | None,
) -> Match:
    if not best or best[0] == -np.inf:
        return Match(None, NOT_IN_DATASET, -1.0, threshold, None, excluded=told)
    best = [score for score in best if score > -np.inf]
    deciding = best[rank or 0]
    others = best[:rank] + best[rank + 1 :] if rank is not None else best[1:]
    listed: list[Candidate]
    if scored is None:
        listed = [
            Candidate(found.ids[person], found.names[person], similarity)
            for person, similarity in zip(people[:candidates], best[:candidates], strict=False)
        ]
    else:
        parts = zip(people[:candidates], scored[0][:candidates], best[:candidates], strict=False)
        listed = [ScoredCandidate(found.ids[person], found.names[person], *each) for person, *each in parts]
    return Match(
        person_id=None if rank is None else found.ids[people[rank]],
        name=NOT_IN_DATASET if rank is None else found.names[people[rank]],
        similarity=deciding if scored is None else scored[0][rank or 0],
        threshold=threshold,
        margin=deciding - others[0] if others else None,
        candidates=tuple(listed),
        excluded=tuple(each for each in told if each.deciding > deciding),
        reasons=(TAKEN,) if taken_by is not None and rank is None else (),
        taken_by=taken_by,
        score=None if scored is None else deciding,
        cohort=None if scored is None else scored[1],
    )
