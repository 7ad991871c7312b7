"""Matching of descriptors with galleries, whose snapshots it keeps current with the store.

Before every batch it looks up the version of each gallery. So an answer is never older than the last write that was
acknowledged before its request. While the store does not answer, or after it lost data, the last snapshot goes on answering,
marked as `degraded`. The rule that applies the threshold is in `facegroup.gallery.decision`.
"""

import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import (
    FacegroupError,
    InvalidDescriptor,
    NetworkMismatch,
    StoreInvalid,
    StoreUnavailable,
    StoreWentBack,
    UnknownGallery,
)
from facegroup.gallery.calibration import rate_at
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.live_faces import Decide, live_above, match_live, verify_live
from facegroup.gallery.pins import Pins
from facegroup.gallery.snapshot import Snapshot
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline import quality_policies
from facegroup.pipeline.messages import PhotoMatches, Query
from facegroup.store.availability import Availability
from facegroup.store.cohort import LEAST
from facegroup.store.contract import Store
from facegroup.store.data_loss import LossDetector
from facegroup.store.gallery_settings import check_threshold
from facegroup.types import (
    NOT_IN_DATASET,
    POOR_QUALITY,
    Calibration,
    Candidate,
    CohortMeans,
    Descriptors,
    Floats,
    Match,
    Policy,
    ScoredCandidate,
)

log = logging.getLogger(__name__)

_LOOKS = 3


class Matcher:
    """Class that matches descriptors with the galleries of a store. Used from one thread at a time.

    Args:
        store: the galleries.
        spec: the network whose descriptors are compared.
        plan: how the galleries are kept in memory. None keeps them exactly, on one thread.
        observe: called with the code of the reason each time that answers become `degraded`.
        liveness: the score that a live face exceeds; None: this server does not tell whether a face is live.
        pins: what galleries are pinned to. None checks only the name of the network.
    """

    def __init__(
        self,
        store: Store,
        spec: NetworkSpec,
        plan: Plan | None = None,
        observe: Callable[[str], None] = lambda _: None,
        liveness: float | None = None,
        pins: Pins | None = None,
    ) -> None:
        self.store = store
        self._plan = Plan() if plan is None else plan
        self._spec = spec
        self._liveness = liveness
        self.pins = Pins(spec.name) if pins is None else pins
        self._snapshots: dict[str, Snapshot] = {}
        self.availability = Availability(store.ping, lambda: observe(StoreUnavailable.code))
        self.losses = LossDetector(store, lambda: observe(StoreWentBack.code))
        self._told: set[str] = set()

    def match(
        self,
        descriptors: Descriptors,
        asked: Sequence[tuple[Query, int]],
        grades: Floats | None = None,
        liveness: Floats | None = None,
    ) -> list[PhotoMatches | FacegroupError]:
        """Decide on the faces of some photos.

        Args:
            descriptors: (n, d) float32 of unit length, photo after photo.
            asked: for each photo its query and its count of faces; the counts add up to n.
            grades: (n, …) float32 of `quality_policies.grades`; None: nothing is known, and no face is too poor.
            liveness: (n,) float32: how live each face is, NaN if it has no score; None: nothing is known.

        Returns:
            the decisions for each photo, or why there are none.
        """
        edges = np.cumsum([0, *(count for _, count in asked)])
        current = {name: self._current(name) for name in {query.gallery for query, _ in asked}}
        answers: list[PhotoMatches | FacegroupError | None] = [None] * len(asked)
        together: dict[Query, list[int]] = {}
        for index, (query, _) in enumerate(asked):
            together.setdefault(query, []).append(index)
        for query, indices in together.items():
            known = current[query.gallery]
            probes = np.concatenate([descriptors[edges[index] : edges[index + 1]] for index in indices])
            photos = np.repeat(indices, [asked[index][1] for index in indices])
            graded, scores = (
                None if each is None else np.concatenate([each[edges[i] : edges[i + 1]] for i in indices])
                for each in (grades, liveness)
            )
            try:
                if isinstance(known, FacegroupError):
                    raise known
                matched = self._decide(*known, probes, photos, query, graded, scores)
            except FacegroupError as error:
                for index in indices:
                    answers[index] = type(error)(*error.args)  # one for each: it is raised where each is answered
                continue
            for index in indices:
                mine = itertools.compress(matched.matches, photos == index)
                answers[index] = replace(matched, matches=tuple(mine))
        return [answer for answer in answers if answer is not None]

    def snapshot(self, gallery: str) -> Snapshot:
        """Return a gallery as it is now, which never changes and may be used from any thread.

        Raises:
            FacegroupError: it cannot be read: unknown, of another network, damaged; or the store is away or lost data.
        """
        current = self._current(gallery)
        if isinstance(current, FacegroupError):
            raise current
        snapshot, reason = current
        if reason == StoreWentBack.code:
            raise StoreWentBack(f"the store lost data of the gallery {gallery}")
        if reason is not None:
            raise StoreUnavailable("the store does not answer, so that the gallery may be an old one; try again later")
        return snapshot

    def ways(self) -> dict[str, str]:
        """Return for each gallery that is held whether its people are compared `exact` or `compact`."""
        return {name: "exact" if held.people.exact else "compact" for name, held in sorted(self._snapshots.items())}

    def held(self) -> list[Snapshot]:
        """Return the galleries that are held in memory, as they were matched last. Any thread may call this."""
        return list(self._snapshots.values())

    def _decide(
        self,
        snapshot: Snapshot,
        reason: str | None,
        probes: Descriptors,
        photos: NDArray[np.intp],
        query: Query,
        grades: Floats | None,
        liveness: Floats | None,
    ) -> PhotoMatches:
        """Decide on all faces that one question is asked about, in one matrix product."""
        if probes.shape[1:] != (self._spec.dimension,) or not np.isfinite(probes).all():
            raise InvalidDescriptor(f"descriptors of {self._spec.name} are {self._spec.dimension} finite numbers")
        threshold = snapshot.threshold if query.threshold is None else check_threshold(query.threshold)
        least = live_above(query, snapshot.liveness, liveness, self._liveness)
        judged = None if query.over_track else least
        similar = None if snapshot.cohort is None else self._spec.threshold
        about = (snapshot.version, threshold, reason is not None, reason, least, similar)
        if query.enrolling and snapshot.cohort is not None and len(snapshot.cohort) < LEAST:
            nobody = Match(None, NOT_IN_DATASET, -1.0, threshold, None)
            return PhotoMatches((nobody,) * len(probes), *about)
        if query.person_id is None:
            policy = snapshot.probe_quality if query.quality is None else query.quality

            def search(rows: NDArray[np.intp], quality: Floats | None) -> list[Match]:
                found = snapshot.match(probes[rows], photos[rows], quality, threshold, query.candidates, query.unique)
                return [_in_photo(each, rows, photos) for each in found]

            match: Decide = search
            if judged is not None and liveness is not None:
                match = match_live(search, liveness, judged, threshold)
            every = np.arange(len(probes))
            matches = match(every, None) if grades is None else match_by_quality(grades, policy, threshold, match)
        else:
            person_id, name = query.person_id, snapshot.name_of(query.person_id)
            similarities = snapshot.similarity_to(person_id, probes)
            out = snapshot.rules_out(person_id, probes, similarities)
            scored = snapshot.score_of(person_id, probes, similarities)
            scores, means = (similarities, [None] * len(probes)) if scored is None else scored
            matches = [
                _verified(person_id, name, *each, threshold)
                for each in zip(similarities.tolist(), out.tolist(), scores.tolist(), means, strict=True)
            ]
            if judged is not None and liveness is not None:
                matches = verify_live(matches, liveness, judged)
        if snapshot.calibration is not None and snapshot.calibration.decision == snapshot.decision:
            matches = _estimated(matches, snapshot.calibration, threshold, one_to_one=query.person_id is not None)
        return PhotoMatches(tuple(matches), *about)

    def _current(self, gallery: str) -> tuple[Snapshot, str | None] | FacegroupError:
        held = self._snapshots.get(gallery)
        try:
            self.availability.check()
        except StoreUnavailable as error:
            return (held, error.code) if held else error
        try:
            snapshot = self._newest(gallery, held)
            if snapshot.network != self._spec.name:
                raise NetworkMismatch.of(gallery, snapshot.network, self._spec.name)
            self.pins.check(gallery, snapshot)
        except (UnknownGallery, NetworkMismatch) as error:
            self._snapshots.pop(gallery, None)
            return error
        except StoreUnavailable as error:
            self.availability.noticed(error)
            return (held, error.code) if held else error
        except (StoreWentBack, StoreInvalid) as error:
            self._tell(gallery, error)
            return (held, error.code) if held else error
        except FacegroupError as error:
            return error
        self._snapshots[gallery] = snapshot = snapshot.living()
        return snapshot, None

    def _tell(self, gallery: str, error: FacegroupError) -> None:
        """Log once what is wrong with the gallery; the loss detector logs a store that went back."""
        if isinstance(error, StoreInvalid) and str(error) not in self._told:
            self._told.add(str(error))
            log.error("the gallery %s cannot be read; its last snapshot goes on answering: %s", gallery, error)

    def _newest(self, gallery: str, held: Snapshot | None) -> Snapshot:
        for _ in range(_LOOKS):
            standing = self.losses.look(gallery)
            if held is not None and held.version == standing.version:
                return held
            try:
                snapshot = (
                    Snapshot.load(self.store, gallery, self._plan) if held is None else held.caught_up(self.store)
                )
            except UnknownGallery:
                continue  # erased since the look, or lost: the next one tells
            if snapshot.version >= standing.floor:
                return snapshot
        raise StoreUnavailable(f"gallery {gallery} is being deleted and created again; try again later")


def match_by_quality(
    graded: Floats,
    policy: Policy,
    threshold: float,
    match: Callable[[NDArray[np.intp], Floats], list[Match]],
) -> list[Match]:
    """Return a match for each of n faces; one that does not meet the policy is `POOR_QUALITY`.

    Such a face has no candidate, and takes nobody's name from a better face of its photo.

    Args:
        graded: (n, …) float32 of `quality_policies.grades`.
        policy: that a face must meet.
        threshold: what the answers say it was.
        match: decides on the faces that meet it: given their rows, and the quality of each, of which the greater wins
            where two faces are equally similar to a person.
    """
    fine = quality_policies.meets(graded, policy)
    rows = np.flatnonzero(fine)
    matched = iter(match(rows, graded[rows].min(axis=1)))
    return [
        next(matched)
        if fit
        else Match(None, POOR_QUALITY, -1.0, threshold, None, reasons=quality_policies.reasons(row, policy))
        for fit, row in zip(fine.tolist(), graded, strict=True)
    ]


def _in_photo(match: Match, rows: NDArray[np.intp], photos: NDArray[np.intp]) -> Match:
    """Let a match say which face of its photo took the name, of those matched together; `photos` is sorted."""
    if match.taken_by is None:
        return match
    face = rows[match.taken_by]
    return replace(match, taken_by=int(face - np.searchsorted(photos, photos[face])))


def _estimated(matches: list[Match], made: Calibration, threshold: float, *, one_to_one: bool) -> list[Match]:
    rate = rate_at(made.one_to_one if one_to_one else made.curve, threshold)
    if one_to_one:
        return [replace(match, estimated_fmr=rate) for match in matches]
    # Of a face that is too poor to be named, or not live, nobody was looked for.
    return [match if match.poor or match.not_live else replace(match, estimated_fpir=rate) for match in matches]


def _verified(
    person_id: str,
    name: str,
    similarity: float,
    out: bool,
    deciding: float,
    means: CohortMeans | None,
    threshold: float,
) -> Match:
    score = None if means is None else deciding
    who = Candidate(person_id, name, similarity)
    if score is not None:
        who = ScoredCandidate(person_id, name, similarity, score)
    alike = deciding > threshold
    same = alike and not out
    return Match(
        person_id if same else None,
        name if same else NOT_IN_DATASET,
        similarity,
        threshold,
        None,
        (who,),
        excluded=(who,) if alike and out else (),
        score=score,
        cohort=means,
    )
