"""Compare the decisions `cosine` and `cohort` on the same searches: by tenths of commonness, and by groups of people.

The threshold of each decision is set for the same overall FPIR. What differs is who is named: see
`facegroup.evaluation.commonness`.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import CohortTooSmall
from facegroup.evaluation.commonness import TENTHS, commonness, tenths
from facegroup.evaluation.decision_rates import DecisionRates, GroupRates
from facegroup.evaluation.identification import FPIRS, Scored, search
from facegroup.evaluation.openset import Searches, threshold_at
from facegroup.evaluation.openset_data import OpenSetData
from facegroup.gallery.cohort import MOST, Cohort, score
from facegroup.gallery.index.products import Products
from facegroup.networks.embedder import failed, unit
from facegroup.types import DecisionRule, Descriptors, Floats

OVERALL = FPIRS[1]
"""The overall FPIR of the thresholds."""

LEAST_STRANGERS = 20
"""People without whom tenths say nothing."""


def compare(
    data: OpenSetData,
    enrol: int,
    splits: int,
    seed: int = 0,
    given: Descriptors | None = None,
    groups: Mapping[str, frozenset[str]] | None = None,
) -> tuple[DecisionRates, DecisionRates]:
    """Return the rates of both decisions, ``cosine`` first.

    Args:
        data: the members and strangers.
        enrol: number of photos to enrol of each member.
        splits: number of splits.
        seed: of the first split.
        given: (n, d) float32, rows of unit length: strangers of the cohort, beside the members; None for none.
        groups: names of people of each group.
    """
    members, strangers = list(data.members), list(data.strangers)
    photos = [row for rows in data.strangers.values() for row in rows]
    whose = np.repeat(np.arange(len(strangers)), [len(rows) for rows in data.strangers.values()])
    usable = np.logical_not(failed(data.embedded.rows[photos]))
    levels = _tenths(unit(data.embedded.rows[photos]), whose, usable)
    sizes: list[int] = []

    def rates(decision: DecisionRule, scored: Scored) -> DecisionRates:
        rows = [data.members[name] for name in members]
        done = [
            search(data.embedded.rows, rows, photos, enrol, seed + split, scored=scored).searches
            for split in range(splits)
        ]
        tpir = [
            float(np.mean([(each.mated > threshold_at(each.nonmated, fpir)).mean() for each in done])) for fpir in FPIRS
        ]
        return DecisionRates(
            decision,
            min(sizes, default=0),
            tuple(tpir),
            () if levels is None else tuple(_named(done, levels == tenth) for tenth in range(TENTHS)),
            {name: _group(done, people, members, strangers, whose) for name, people in (groups or {}).items()},
        )

    cosine = rates("cosine", lambda similarities, *_: similarities)
    try:
        return cosine, rates("cohort", by_cohort(given, sizes.append))
    except CohortTooSmall as error:
        return cosine, DecisionRates("cohort", min(sizes, default=0), refused=error.detail)


def by_cohort(given: Descriptors | None, told: Callable[[int], None] = lambda _: None) -> Scored:
    """Return the function of scores by a cohort: strangers, at most `MOST`, and members.

    The function raises `CohortTooSmall`.

    Args:
        given: (n, d) float32, rows of unit length, the strangers; None for none.
        told: called with the number of people in the cohort.
    """
    strangers = {} if given is None else {f"{place:06}": row for place, row in enumerate(given[:MOST])}

    def scored(similarities: Floats, probes: Floats, centroids: Floats) -> Floats:
        ids = [str(place) for place in range(len(centroids))]
        known = np.flatnonzero(centroids.any(axis=1))[: MOST - len(strangers)]
        cohort = Cohort.of(strangers, {ids[place]: centroids[place] for place in known.tolist()}, centroids.shape[1])
        told(len(cohort))
        cohort.check()
        offsets = cohort.offsets(cohort.of_people(centroids, ids))
        return score(similarities - offsets, cohort.probe_means(probes, Products(1)))

    return scored


def _tenths(faces: Descriptors, whose: NDArray[np.intp], usable: NDArray[np.bool_]) -> NDArray[np.intp] | None:
    """Return the tenth of each stranger's photo, -1 for one without a descriptor; None with too few people."""
    people, first = np.unique(whose[usable], return_index=True)
    if len(people) < LEAST_STRANGERS:
        return None
    others = faces[usable][first]
    found = np.full(len(faces), -1)
    found[usable] = tenths(commonness(faces[usable], others, np.searchsorted(people, whose[usable])))
    return found


def _named(done: Sequence[Searches], chosen: NDArray[np.bool_]) -> float:
    """Return the share of some strangers' photos that are named at the overall FPIR."""
    if not chosen.any():
        return float("nan")
    return float(np.mean([(each.nonmated > threshold_at(each.nonmated, OVERALL))[chosen].mean() for each in done]))


def _group(
    done: Sequence[Searches],
    people: frozenset[str],
    members: Sequence[str],
    strangers: Sequence[str],
    whose: NDArray[np.intp],
) -> GroupRates:
    within = np.flatnonzero([name in people for name in members])
    outside = np.flatnonzero([name in people for name in strangers])
    found = [
        float((each.mated > threshold_at(each.nonmated, OVERALL))[np.isin(each.owners, within)].mean())
        for each in (done if len(within) else ())
    ]
    tpir = float(np.mean(found)) if found else float("nan")
    return GroupRates(_named(done, np.isin(whose, outside)), tpir, len(outside), len(within))
