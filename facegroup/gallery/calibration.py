"""Scores of people who are known and of people who are not → a threshold for the FPIR asked, and how sure that is.

The terms are those of ISO/IEC 19795-1, as in `facegroup.evaluation.openset`. A threshold that is put at an order statistic
of n independent non-mated scores, with k above it, has an FPIR that is distributed as Beta(k + 1, n - k) whatever the scores
look like (Wilks 1941): its mean, (k + 1) / (n + 1), is what is brought to the FPIR asked, and its quantiles are the
interval. Photos of one person are not independent: n and k are divided by their design effect (Kish 1965; Korn and
Graubard 1998 for the interval). Pure NumPy; docs/calibration.md says it for people who are no statisticians.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegroup.detection.detector import MTCNN
from facegroup.errors import MalformedRequest, TooFewToCalibrate
from facegroup.types import Calibration, Floats, Gallery

Groups = NDArray[np.intp]
Curve = tuple[tuple[float, float], ...]

LEAST_FPIR, MOST_FPIR = 3e-4, 0.5

RULE_OF_THREE = 3
"""So many searches must be there for each that may be answered wrongly: with none wrong of 3/p, p is what 95 % are sure
of (Hanley and Lippman-Hand 1983)."""

WHERE = (
    "Strangers are people outside the gallery: volunteers, or a public data set such as LFW; see docs/calibration.md"
)
"""Where one gets their photos, to follow a message."""

GROWN = 0.2
"""A gallery whose count of people differs by more than this share has another FPIR than was estimated."""

_POINTS = 64
_DRAWS = 50_000
_ENDS = (0.025, 0.975)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What searching a gallery of `people` gave.

    Attributes:
        people: who have photos in the gallery: what a stranger is compared with.
        mated: (m,) float32: similarity of a member's photo to the mean of that member's others where nobody else is as
            similar, else -inf.
        owners: (m,) whose photo each is.
        nonmated: (n,) float32: the greatest similarity of a photo to anybody whom it does not show.
        groups: (n,) whose photo each is.
        strangers: whether the non-mated photos are of people outside the gallery. Else they are of members, each compared
            with the `people` - 1 others.
        pairs: (p,) float32: similarities of such photos to single people whom they do not show.
    """

    people: int
    mated: Floats
    owners: Groups
    nonmated: Floats
    groups: Groups
    strangers: bool
    pairs: Floats


def calibrate(scores: Scores, fpir: float, network: str, gallery: Gallery, at: float) -> Calibration:
    """Return the least threshold that keeps the FPIR asked, with what is known of it.

    Raises:
        MalformedRequest: the FPIR is not in 0.0003..0.5.
        TooFewToCalibrate: the photos are too few for it; the message says how many more are needed.
    """
    check_fpir(fpir)
    searches = len(scores.nonmated)
    counting = effective(scores.nonmated, scores.groups) / (1 if scores.strangers else 2)
    _check_enough(scores, fpir, counting)
    power = 1.0 if scores.strangers else scores.people / (scores.people - 1)
    allowed = math.floor(_shrunk(fpir, 1 / power) * (searches + 1) + 1e-9) - 1
    falling = np.sort(scores.nonmated)[::-1]
    # Rounded up, so that it can be said and typed: whoever was not above it still is not.
    threshold = min(1.0, math.ceil(float(falling[allowed]) * 1e5) / 1e5)
    above = int((scores.nonmated > threshold).sum())
    low, high = _ends(above * counting / searches + 1, counting * (1 - above / searches))
    tpir, tpir_interval = _found(scores, threshold)
    return Calibration(
        threshold,
        fpir,
        (round(_shrunk(low, power), 6), round(_shrunk(high, power), 6)),
        tpir,
        tpir_interval,
        network,
        gallery.people,
        len(scores.mated) if scores.strangers else searches,
        searches if scores.strangers else 0,
        at,
        curve(scores.nonmated, power),
        len(np.unique(scores.owners if scores.strangers else scores.groups)),
        curve(scores.pairs),
        decision=gallery.decision,
    )


def check_fpir(fpir: float) -> float:
    """Return an FPIR that can be asked for. Raises `MalformedRequest`."""
    if not LEAST_FPIR <= fpir <= MOST_FPIR:  # NaN is not, either
        raise MalformedRequest(
            f"the FPIR must be a number in {LEAST_FPIR:g}..{MOST_FPIR}: 0.01 is one stranger in a hundred"
        )
    return fpir


def effective(scores: Floats, groups: Groups) -> float:
    """Return how many independent scores some scores, of which several are of one group, are worth.

    It is n divided by the design effect 1 + (m - 1) ρ (Kish 1965), where m is the size of the group of a random score, and ρ
    the intraclass correlation of the scores, by analysis of variance.
    """
    count = len(scores)
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < 2 or len(sizes) == count:
        return float(min(count, len(sizes)))
    values = scores.astype(np.float64)
    means = np.bincount(group, values) / sizes
    between = (sizes * (means - values.mean()) ** 2).sum() / (len(sizes) - 1)
    within = ((values - means[group]) ** 2).sum() / (count - len(sizes))
    typical = (count - (sizes**2).sum() / count) / (len(sizes) - 1)
    spread = between + (typical - 1) * within
    correlation = min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else 1.0
    return float(count / (1 + ((sizes**2).sum() / count - 1) * correlation))


def curve(impostors: Floats, power: float = 1.0) -> Curve:
    """Return (similarity, rate) pairs, the similarity rising: the rate of impostor scores above it that is to be expected.

    Args:
        impostors: (n,) scores.
        power: by how many times more people a stranger is compared with: rates become 1 - (1 - rate)^power.
    """
    if not len(impostors):
        return ()
    rising = np.sort(impostors)
    ranks = np.unique(np.geomspace(1, len(rising), _POINTS).astype(np.intp))
    places = np.unique(rising[len(rising) - ranks])
    above = len(rising) - np.searchsorted(rising, places, side="right")
    rates = [_shrunk((count + 1) / (len(rising) + 1), power) for count in above.tolist()]
    points = [(round(float(place), 6), float(f"{rate:.4g}")) for place, rate in zip(places, rates, strict=True)]
    return tuple(points) if points[0][0] <= -1 else ((-1.0, 1.0), *points)


def rate_at(points: Curve, threshold: float) -> float | None:
    """Return the rate that a curve tells for a threshold; None where there is no curve.

    Above the greatest score that was seen it stays at what one more score could have shown.
    """
    if not points:
        return None
    places, rates = zip(*points, strict=True)
    return float(np.interp(threshold, places, rates))


def stale(gallery: Gallery, detector: str = "") -> str | None:
    """Return why a gallery's calibration is not what it was, None where it is or there is none.

    `detector_changed`: faces are found by another detector (`detector`, or the gallery's if that is "") than those that were
    compared. Older versions, which recorded none, had MTCNN.

    `threshold_changed`: the threshold was set since; what is estimated for it is still read off the calibration.
    `decision_changed`: the decision was set since; of its scores nothing is known.
    `people_changed`: there are over 20 % more or fewer people, so that a stranger meets more or fewer who look alike.
    """
    made = gallery.calibration
    if made is None:
        return None
    if made.decision != gallery.decision:
        return "decision_changed"
    now = detector or gallery.detector
    if now and now != (made.detector or MTCNN):
        return "detector_changed"
    if abs(gallery.people - made.people) > GROWN * made.people:
        return "people_changed"
    return "threshold_changed" if gallery.threshold != made.threshold else None


def _check_enough(scores: Scores, fpir: float, counting: float) -> None:
    needed = math.ceil(RULE_OF_THREE / fpir - 1e-9)
    independent = math.ceil(1 / fpir - 1e-9)
    searches = len(scores.nonmated)
    groups = len(np.unique(scores.groups))
    if scores.people < (1 if scores.strangers else 2) or not searches:
        raise TooFewToCalibrate("there must be photos of at least two people in the gallery")
    lacking = max(needed - searches, 0)
    if counting < independent:
        # More people like these, with as many photos each.
        more = math.ceil(groups * independent / counting) - groups
        lacking = max(lacking, math.ceil(more * searches / groups))
    if not lacking:
        return
    whom = "strangers" if scores.strangers else "members"
    others = (
        f"or leave the strangers out, so that the members stand in for them. {WHERE}"
        if scores.strangers
        else f"or give photos of {needed} strangers, one of each (--strangers FOLDER). {WHERE}"
    )
    least = math.ceil(max(RULE_OF_THREE / searches, 1 / counting) * 1000) / 1000
    raise TooFewToCalibrate(
        f"an FPIR of {fpir:g} needs {needed} photos and {independent} that count as independent; there are {searches} of "
        f"{groups} {whom}, which count as {int(counting)}: {lacking} more photos are needed, of "
        f"{math.ceil(lacking * groups / searches)} more {whom}, {others}"
        + (f". These photos are enough for an FPIR of {least:g}" if least <= MOST_FPIR else "")
    )


def _found(scores: Scores, threshold: float) -> tuple[float | None, tuple[float, float] | None]:
    """Return the TPIR and its interval (Clopper and Pearson 1934, on as many searches as the photos are worth)."""
    count = len(scores.mated)
    if not count:
        return None, None
    share = float((scores.mated > threshold).mean())
    worth = effective(np.where(np.isfinite(scores.mated), scores.mated, np.float32(-1)), scores.owners)
    hits = share * worth
    low = 0.0 if share == 0 else _ends(hits, worth - hits + 1)[0]
    high = 1.0 if share == 1 else _ends(hits + 1, worth - hits)[1]
    return round(share, 6), (low, high)


def _ends(a: float, b: float) -> tuple[float, float]:
    """Return the 2.5th and the 97.5th percentile of Beta(a, b), by drawing from it: to 1 % of their distance."""
    low, high = np.quantile(np.random.default_rng(0).beta(a, max(b, 1e-9), _DRAWS), _ENDS)
    return round(float(low), 6), round(float(high), 6)


def _shrunk(rate: float, power: float) -> float:
    """Return the rate of at least one hit where a chance is taken `power` times as often, each independent."""
    return float(-math.expm1(power * math.log1p(-min(rate, 1 - 1e-12))))


def whole(groups: Sequence[object]) -> Groups:
    """Return numbers for the groups that some things are of, equal ones for equal groups."""
    known: dict[object, int] = {}
    return np.asarray([known.setdefault(each, len(known)) for each in groups], np.intp)
