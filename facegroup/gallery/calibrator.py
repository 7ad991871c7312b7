"""Calibration of a gallery: searches with photos of its members, and of strangers where there are any, give the threshold.

Each photo of a member is a search as if it were new. Its genuine score is its similarity to the mean of the person's other
photos (leave-one-out), its impostor score the greatest similarity to anybody else. The gallery's own index compares, so only
the probes are loaded: at most `SEARCHES` photos, of people drawn with a fixed seed.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facegroup.enrolment.samples import Refused
from facegroup.errors import (
    Conflict,
    FacegroupError,
    InvalidDescriptor,
    MalformedRequest,
    NetworkMismatch,
    NoFace,
    TooFewToCalibrate,
    UnknownPerson,
)
from facegroup.gallery import calibration
from facegroup.gallery.calibration import Scores, whole
from facegroup.gallery.cohort import score
from facegroup.gallery.snapshot import Snapshot, relative
from facegroup.networks.embedder import failed, unit
from facegroup.pipeline.messages import PhotoResult
from facegroup.store.audit import Origin
from facegroup.store.calls import CallStore
from facegroup.store.contract import Store
from facegroup.store.vectors import centroid
from facegroup.types import Calibration, Candidate, Descriptors, Floats, Gallery, ScoredCandidate

SEARCHES = 4096
"""Most photos of members used as probes: an FPIR of 1 % needs 300, and one of 0.1 % needs 3,000."""

STRANGERS = 10_000
"""Most photos of strangers."""

_BATCH = 256
_COMPARED = 1024  # people whose centroids are compared one to one
_CLOSEST = 5
_LEAST = np.float32(-1)  # threshold; a score below it, as of someone who is alone in the gallery, is as good as equal


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """Photos of people who are not in a gallery.

    Attributes:
        descriptors: (n, d) float32; the calibration brings them to unit length.
        whose: (n,) any name for who is in each photo. Photos of one stranger count less than as many photos of several.
    """

    descriptors: Descriptors
    whose: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClosestPair:
    """A photo of a member or a stranger, and the other person whom it resembles most."""

    whose: str
    like: Candidate


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """Result of a calibration.

    Attributes:
        gallery: as it is after the calibration.
        found: the calibration. Where it was applied, the gallery has it now.
        applied: whether the gallery's threshold was set.
        before: the gallery's threshold before.
        searches: number of non-mated searches, which the threshold must leave without a name.
        closest: those of them with the greatest similarity, such as a member under two ids.
    """

    gallery: Gallery
    found: Calibration
    applied: bool
    before: float
    searches: int
    closest: tuple[ClosestPair, ...]


def run(
    ask: CallStore,
    snapshot: Snapshot,
    fpir: float,
    strangers: Strangers | None = None,
    *,
    dry_run: bool = False,
    by: Origin | None = None,
    detector: str = "",
) -> CalibrationResult:
    """Find the threshold of a gallery for an FPIR, and set it with its provenance in one step.

    Args:
        ask: calls the store that the gallery is in.
        snapshot: the newest of the gallery.
        fpir: the false-positive identification rate wanted, in 0.0003..0.5.
        strangers: people who must get no name. None uses members in their place.
        dry_run: whether the threshold is only computed, and not set.
        by: who asked, for the audit log.
        detector: name of the detector that found the strangers' faces.

    Raises:
        TooFewToCalibrate: there are too few photos.
        MalformedRequest: the FPIR or the strangers are invalid.
        NetworkMismatch: the gallery was moved to another network in the meantime.
        Conflict: the decision of the gallery was changed in the meantime.
        InvalidDescriptor: a stranger's descriptor is not (d,) finite numbers.
        FacegroupError: what the store raises.
    """
    calibration.check_fpir(fpir)
    before = ask(Store.gallery, snapshot.gallery)
    if before.network != snapshot.network:
        raise NetworkMismatch(
            f"facegroup migrate moved the gallery {before.name} from {snapshot.network} to {before.network} meanwhile"
        )
    if before.decision != snapshot.decision:
        raise Conflict(
            f'The decision of the gallery "{before.name}" was set to "{before.decision}" during the calibration. '
            "Calibrate the gallery again."
        )
    if strangers is None and calibration.RULE_OF_THREE / fpir > SEARCHES:
        needed = math.ceil(calibration.RULE_OF_THREE / fpir - 1e-9)
        raise TooFewToCalibrate(
            f"with photos of members alone the least FPIR is {calibration.RULE_OF_THREE / SEARCHES:.5f}, since at most "
            f"{SEARCHES} of them are used. Give photos of {needed} strangers, one of each (--strangers FOLDER), or ask for "
            f"a greater FPIR. {calibration.WHERE}"
        )
    snapshot = snapshot.living()
    scores, closest = run_searches(lambda person: _descriptors(ask, snapshot.gallery, person), snapshot, strangers)
    by_detector = detector if strangers is not None else before.detector or detector
    found = replace(calibration.calibrate(scores, fpir, snapshot.network, before, time.time()), detector=by_detector)
    after = before
    if not dry_run:
        after = ask(Store.update_gallery, snapshot.gallery, threshold=found.threshold, calibration=found, by=by)
    return CalibrationResult(after, found, not dry_run, before.threshold, len(scores.nonmated), closest)


def strangers(
    photos: Sequence[tuple[str, PhotoResult | FacegroupError]], people: Sequence[str] | None = None
) -> tuple[Strangers, list[Refused]]:
    """Return every usable face of some photos, and the photos without one.

    Args:
        photos: name of each, and what is in it, with descriptors.
        people: who is in each photo. None takes every photo for another person.

    Raises:
        NoFace: no photo shows a face.
        MalformedRequest: there are more than `STRANGERS` faces.
    """
    rows, whose, refused = [], [], []
    for place, (name, seen) in enumerate(photos):
        if isinstance(seen, FacegroupError):
            refused.append(Refused(name, seen))
            continue
        assert seen.descriptors is not None
        good = seen.descriptors[~failed(seen.descriptors)]
        if not len(good):
            refused.append(Refused(name, NoFace("no face was found in the photo")))
        rows.append(good)
        whose += [f"{place} {name}" if people is None else people[place]] * len(good)
    if not whose:
        raise NoFace("no face was found in any photo of strangers")
    _check_count(len(whose))
    return Strangers(np.concatenate(rows), tuple(whose)), refused


def run_searches(
    photos: Callable[[str], Descriptors], snapshot: Snapshot, strangers: Strangers | None
) -> tuple[Scores, tuple[ClosestPair, ...]]:
    """Return the scores of the searches, and the non-mated ones with the greatest similarity.

    Args:
        photos: returns the (n, d) descriptors of a person, by id.
        snapshot: of the gallery.
        strangers: people outside the gallery. None uses members in their place.
    """
    if strangers is not None:
        _check(strangers, snapshot.people.dimension)
    probes = _draw(photos, snapshot)
    others = _search(snapshot, probes.descriptors, probes.names)
    own = score(probes.own - snapshot.offsets(probes.others, probes.names), others.means)
    genuine = np.isfinite(own)
    mated = np.where(own > others.scores, own, np.float32(-np.inf))[genuine]
    groups = probes.owners
    if strangers is None:
        closest = _closest(probes.names, others)
        means = snapshot.probe_means(probes.descriptors, probes.names)
        pairs = _pairs(snapshot, probes.descriptors, groups, probes, means)
    else:
        rows = unit(strangers.descriptors)
        others = _search(snapshot, rows, [None] * len(rows))
        closest, means = _closest(strangers.whose, others), others.means
        pairs = _pairs(snapshot, rows, np.full(len(rows), -1), probes, means)
        groups = whole(strangers.whose)
    nonmated = np.maximum(score(others.relative, means), _LEAST)
    pairs = np.maximum(pairs, _LEAST)
    found = Scores(len(snapshot), mated, probes.owners[genuine], nonmated, groups, strangers is not None, pairs)
    return found, closest


@dataclass(frozen=True, slots=True, eq=False)
class _Probes:
    """Photos of members that are searched with.

    Attributes:
        ids: the members, whose centroids are `centroids`.
        centroids: (len(ids), d) float32.
        descriptors: (n, d) float32, a row a photo.
        owners: (n,) index in `ids` of the person whom each photo shows.
        own: (n,) float32 similarity to the mean of the person's other photos; -inf where there are none.
        others: (n, d) float32, those means; the photo itself where there are none.
    """

    ids: list[str]
    centroids: Floats
    descriptors: Descriptors
    owners: calibration.Groups
    own: Floats
    others: Floats

    @property
    def names(self) -> list[str]:
        """Id of the person whom each photo shows."""
        return [self.ids[owner] for owner in self.owners.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class _Others:
    """The most similar other person of each search.

    Attributes:
        relative: (n,) float32, similarities less the people's offsets; -inf where there is nobody else.
        means: (n,) float32 of the probes; None where the cosine decides.
        people: who it is, for each search; one with an empty id where there is nobody else.
    """

    relative: Floats
    means: Floats | None
    people: list[Candidate]

    @property
    def scores(self) -> Floats:
        """What decides on them, (n,) float32."""
        return score(self.relative, self.means)


def _check(strangers: Strangers, dimension: int) -> None:
    rows = strangers.descriptors
    if len(rows) != len(strangers.whose):
        raise MalformedRequest("`whose` must have one entry for each stranger; give all of them, or leave it out")
    _check_count(len(rows))
    if rows.ndim != 2 or rows.shape[1] != dimension or not np.isfinite(rows).all() or failed(rows).any():
        raise InvalidDescriptor(f"a stranger's descriptor must be {dimension} finite numbers, not all of them zero")


def _check_count(count: int) -> None:
    if count > STRANGERS:
        raise MalformedRequest(f"there are {count:,} faces of strangers; send at most {STRANGERS:,}")


def _descriptors(ask: CallStore, gallery: str, person: str) -> Descriptors:
    try:
        samples = ask(Store.samples, gallery, person)
    except UnknownPerson:  # erased since the snapshot
        samples = []
    return np.stack([each.descriptor for each in samples]) if samples else np.empty((0, 0), np.float32)


def _draw(photos: Callable[[str], Descriptors], snapshot: Snapshot) -> _Probes:
    """Draw at most `SEARCHES` photos of members, always the same of the same gallery."""
    random = np.random.default_rng(0)
    each, more = divmod(SEARCHES, max(len(snapshot), 1))  # rather more people than more photos of one
    ids: list[str] = []
    rows, owners, own, centroids, means = [], [], [], [], []
    left = SEARCHES
    for place, person in enumerate(_some(snapshot, random)):
        most = each + (place < more)
        found = photos(person)
        if len(found) and found.shape[1] != snapshot.people.dimension:
            raise NetworkMismatch("facegroup migrate moved the gallery to another network meanwhile")
        middle = centroid([*found]) if len(found) else None
        if middle is None:
            continue
        chosen = random.permutation(len(found))[: min(most, left)]
        others = unit(found.sum(axis=0, dtype=np.float64) - found[chosen]).astype(np.float32)
        means.append(others if len(found) > 1 else found[chosen])
        own.append((others * found[chosen]).sum(axis=1) if len(found) > 1 else np.full(1, -np.inf, np.float32))
        owners.append(np.full(len(chosen), len(ids)))
        rows.append(found[chosen])
        centroids.append(middle)
        ids.append(person)
        left -= len(chosen)
        if left <= 0:
            break
    if not ids:
        none = np.empty((0, snapshot.people.dimension), np.float32)
        return _Probes([], none, none, np.empty(0, np.intp), none[:, 0], none)
    parts = [np.concatenate(each) for each in (rows, owners, own, means)]
    return _Probes(ids, np.stack(centroids), *parts)


def _some(snapshot: Snapshot, random: np.random.Generator) -> list[str]:
    """Return the ids of all people in a random order, at most `SEARCHES` of them."""
    segments = snapshot.people.segments
    edges = np.cumsum([0, *(len(segment) for segment in segments)])
    chosen = np.sort(random.permutation(edges[-1])[:SEARCHES])
    ids = []
    for start, segment in zip(edges.tolist(), segments, strict=False):
        mine = chosen[(chosen >= start) & (chosen < start + len(segment))] - start
        ids += [segment.ids[row] for row in segment.here()[mine].tolist()]
    ids.sort()
    return [ids[place] for place in random.permutation(len(ids)).tolist()]


def _search(snapshot: Snapshot, probes: Descriptors, own: Sequence[str | None]) -> _Others:
    """Return for each photo whoever is most similar but its own person."""
    means = snapshot.probe_means(probes)
    lessened = np.full(len(probes), -np.inf, np.float32)
    people = [Candidate("", "", -1.0)] * len(probes)
    for start in range(0, len(probes), _BATCH):
        piece = slice(start, start + _BATCH)
        near = snapshot.people.nearest(np.ascontiguousarray(probes[piece]), 2)
        less = relative(near)
        decided = score(less, None if means is None else means[piece])
        for row, (found, mine) in enumerate(zip(near.people.tolist(), own[piece], strict=True)):
            other = next((rank for rank, person in enumerate(found) if near.ids[person] != mine), None)
            if other is None:
                continue
            person = found[other]
            who = (near.ids[person], near.names[person], float(near.similarities[row, other]))
            lessened[start + row] = less[row, other]
            people[start + row] = (
                Candidate(*who) if means is None else ScoredCandidate(*who, float(decided[row, other]))
            )
    return _Others(lessened, means, people)


def _pairs(
    snapshot: Snapshot, probes: Descriptors, owners: calibration.Groups, people: _Probes, means: Floats | None
) -> Floats:
    """Return what decides on each photo and each of some people whom it does not show."""
    compared = people.centroids[:_COMPARED]
    if not len(compared) or not len(probes):
        return np.empty(0, np.float32)
    scores = score(probes @ compared.T - snapshot.offsets(compared, people.ids[:_COMPARED]), means)
    others: Floats = scores[owners[:, None] != np.arange(len(compared))]
    return others


def _closest(whose: Sequence[str], others: _Others) -> tuple[ClosestPair, ...]:
    worst: dict[tuple[str, str], ClosestPair] = {}
    for place in np.argsort(-others.scores, kind="stable").tolist():
        like = others.people[place]
        pair = (whose[place], like.person_id)
        # Two people who look alike are so from both sides.
        if like.person_id and pair not in worst and pair[::-1] not in worst:
            worst[pair] = ClosestPair(whose[place], like)
        if len(worst) == _CLOSEST:
            break
    return tuple(worst.values())
