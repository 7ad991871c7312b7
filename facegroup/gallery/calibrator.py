"""A gallery tried on its own people, and on strangers where there are photos of some: a snapshot in, a `Calibration` out.

Each photo of a member is searched with as if it came in anew: genuine is its similarity to the mean of the person's other
photos (leave-one-out), impostor the greatest to anybody else. It is the gallery's own index that compares, so nothing is
loaded but the photos searched with: `SEARCHES` of them at most, of people drawn by a fixed seed.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facegroup.enrolment.samples import Refused
from facegroup.errors import (
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
from facegroup.gallery.snapshot import Snapshot
from facegroup.networks.embedder import failed, unit
from facegroup.pipeline.messages import PhotoResult
from facegroup.store.audit import Origin
from facegroup.store.calls import CallStore
from facegroup.store.contract import Store
from facegroup.store.vectors import centroid
from facegroup.types import Calibration, Candidate, Descriptors, Floats, Gallery

SEARCHES = 4096
"""Photos of members that are searched with, at most: 300 are needed for an FPIR of 1 %, and 3,000 for 0.1 %."""

STRANGERS = 10_000
"""Photos of strangers, at most."""

_BATCH = 256
_COMPARED = 1024  # people whose centroids are compared one to one
_CLOSEST = 5


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """Photos of people who are not in a gallery.

    Attributes:
        descriptors: (n, d) float32, brought to unit length here.
        whose: (n,) who is in each photo, in whatever words; photos of one stranger count less than as many of several.
    """

    descriptors: Descriptors
    whose: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClosestPair:
    """A photo of one person, or of a stranger, that is most like another person."""

    whose: str
    like: Candidate


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """What a calibration found, and did.

    Attributes:
        gallery: after it.
        found: the calibration, which the gallery has now where it was applied.
        applied: whether the gallery's threshold was set.
        before: the gallery's threshold before.
        searches: non-mated searches: photos that the threshold must keep nameless.
        closest: the worst of them: a member under two ids, or a stranger who is a member, shows here.
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
) -> CalibrationResult:
    """Calibrate a gallery: find the threshold for an FPIR, and set it with its provenance in one step.

    Args:
        ask: calls the store that the gallery is in.
        snapshot: of the gallery, as new as it can be had.
        fpir: the false-positive identification rate wanted, in 0.0003..0.5.
        strangers: whose searches must stay nameless; None: members stand in for them.
        dry_run: whether nothing is set.
        by: whose request it is.

    Raises:
        TooFewToCalibrate: the photos are too few.
        MalformedRequest: the FPIR or the strangers cannot be.
        NetworkMismatch: the gallery was switched to another network meanwhile.
        InvalidDescriptor: a stranger's descriptor is not (d,) finite numbers.
        FacegroupError: what the store raises.
    """
    calibration.check_fpir(fpir)
    before = ask(Store.gallery, snapshot.gallery)
    if before.network != snapshot.network:
        raise NetworkMismatch(
            f"facegroup migrate moved the gallery {before.name} to {before.network} meanwhile; it was of {snapshot.network}"
        )
    if strangers is None and calibration.RULE_OF_THREE / fpir > SEARCHES:
        needed = math.ceil(calibration.RULE_OF_THREE / fpir - 1e-9)
        raise TooFewToCalibrate(
            f"members can tell an FPIR of {calibration.RULE_OF_THREE / SEARCHES:.5f} at the least, since {SEARCHES} photos "
            f"of theirs are searched with: give photos of {needed} strangers, one of each (--strangers FOLDER), or ask for "
            f"a greater FPIR. {calibration.WHERE}"
        )
    snapshot = snapshot.living()
    scores, closest = run_searches(lambda person: _descriptors(ask, snapshot.gallery, person), snapshot, strangers)
    found = calibration.calibrate(scores, fpir, snapshot.network, before, time.time())
    after = before
    if not dry_run:
        after = ask(Store.update_gallery, snapshot.gallery, threshold=found.threshold, calibration=found, by=by)
    return CalibrationResult(after, found, not dry_run, before.threshold, len(scores.nonmated), closest)


def strangers(
    photos: Sequence[tuple[str, PhotoResult | FacegroupError]], people: Sequence[str] | None = None
) -> tuple[Strangers, list[Refused]]:
    """Return every usable face of some named photos that were seen with descriptors, and the photos without one.

    `people` says who is in each photo; None: each shows somebody else.

    Raises:
        NoFace: no photo shows any.
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
    """Return what searching a gallery gives, and the non-mated searches that were nearest to a name.

    Args:
        photos: person id → (n, d) descriptors.
        snapshot: of the gallery.
        strangers: None: members stand in for them.
    """
    if strangers is not None:
        _check(strangers, snapshot.people.dimension)
    ids, probes, owners, own, centroids = _drawn(photos, snapshot)
    names = [ids[owner] for owner in owners.tolist()]
    best, like = _searched(snapshot, probes, names)
    genuine = np.isfinite(own)
    mated = np.where(own > best, own, np.float32(-np.inf))[genuine]
    if strangers is None:
        pairs = _pairs(probes, owners, centroids)
        return Scores(len(snapshot), mated, owners[genuine], best, owners, False, pairs), _closest(names, best, like)
    unknown = unit(strangers.descriptors)
    best, like = _searched(snapshot, unknown, [None] * len(unknown))
    pairs = _pairs(unknown, np.full(len(unknown), -1), centroids)
    scores = Scores(len(snapshot), mated, owners[genuine], best, whole(strangers.whose), True, pairs)
    return scores, _closest(strangers.whose, best, like)


def _check(strangers: Strangers, dimension: int) -> None:
    rows = strangers.descriptors
    if len(rows) != len(strangers.whose):
        raise MalformedRequest("there must be a word on each stranger of who it is, or on none")
    _check_count(len(rows))
    if rows.ndim != 2 or rows.shape[1] != dimension or not np.isfinite(rows).all() or failed(rows).any():
        raise InvalidDescriptor(f"a stranger's descriptor is {dimension} finite numbers, not all of them zero")


def _check_count(count: int) -> None:
    if count > STRANGERS:
        raise MalformedRequest(f"there are {count:,} faces of strangers; send {STRANGERS:,} at most")


def _descriptors(ask: CallStore, gallery: str, person: str) -> Descriptors:
    try:
        samples = ask(Store.samples, gallery, person)
    except UnknownPerson:  # erased since the snapshot
        samples = []
    return np.stack([each.descriptor for each in samples]) if samples else np.empty((0, 0), np.float32)


def _drawn(
    photos: Callable[[str], Descriptors], snapshot: Snapshot
) -> tuple[list[str], Descriptors, calibration.Groups, Floats, Floats]:
    """Return people, photos of theirs, whose each is, its similarity to its person's others, and those people's centroids.

    The similarity is -inf where there are no others.
    """
    random = np.random.default_rng(0)
    each, more = divmod(SEARCHES, max(len(snapshot), 1))  # rather more people than more photos of one
    ids: list[str] = []
    rows, owners, own, centroids = [], [], [], []
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
        return [], none, np.empty(0, np.intp), none[:, 0], none
    return ids, np.concatenate(rows), np.concatenate(owners), np.concatenate(own), np.stack(centroids)


def _some(snapshot: Snapshot, random: np.random.Generator) -> list[str]:
    """Return the ids of all people in a random order, or of as many as can be searched with."""
    segments = snapshot.people.segments
    edges = np.cumsum([0, *(len(segment) for segment in segments)])
    chosen = np.sort(random.permutation(edges[-1])[:SEARCHES])
    ids = []
    for start, segment in zip(edges.tolist(), segments, strict=False):
        mine = chosen[(chosen >= start) & (chosen < start + len(segment))] - start
        ids += [segment.ids[row] for row in segment.here()[mine].tolist()]
    ids.sort()
    return [ids[place] for place in random.permutation(len(ids)).tolist()]


def _searched(snapshot: Snapshot, probes: Descriptors, own: Sequence[str | None]) -> tuple[Floats, list[Candidate]]:
    """Return the greatest similarity of each photo to anybody but its own person, and to whom; -1 where there is nobody."""
    best: list[float] = []
    like = []
    for start in range(0, len(probes), _BATCH):
        near = snapshot.people.nearest(np.ascontiguousarray(probes[start : start + _BATCH]), 2)
        rows = zip(near.people.tolist(), near.similarities.tolist(), own[start : start + _BATCH], strict=True)
        for people, similarities, mine in rows:
            other = next((place for place, person in enumerate(people) if near.ids[person] != mine), None)
            if other is None:
                best.append(-1.0)
                like.append(Candidate("", "", -1.0))
                continue
            best.append(similarities[other])
            like.append(Candidate(near.ids[people[other]], near.names[people[other]], similarities[other]))
    return np.asarray(best, np.float32), like


def _pairs(probes: Descriptors, owners: calibration.Groups, centroids: Floats) -> Floats:
    """Return the similarities of photos to single people whom they do not show."""
    compared = centroids[:_COMPARED]
    if not len(compared) or not len(probes):
        return np.empty(0, np.float32)
    scores: Floats = probes @ compared.T
    others: Floats = scores[owners[:, None] != np.arange(len(compared))]
    return others


def _closest(whose: Sequence[str], best: Floats, like: Sequence[Candidate]) -> tuple[ClosestPair, ...]:
    worst: dict[tuple[str, str], ClosestPair] = {}
    for place in np.argsort(-best, kind="stable").tolist():
        pair = (whose[place], like[place].person_id)
        # Two people who look alike are so from both sides.
        if like[place].person_id and pair not in worst and pair[::-1] not in worst:
            worst[pair] = ClosestPair(whose[place], like[place])
        if len(worst) == _CLOSEST:
            break
    return tuple(worst.values())
