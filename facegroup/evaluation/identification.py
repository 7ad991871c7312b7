"""Measure open-set identification: how often members and strangers are named.

Each split enrols some photos of every member, chosen by the seed, and searches with all others. A photo without a face stays
in the denominator: it is a miss for a member, and not a false alarm for a stranger. The searches of a member whose enrolled
photos have no face (a failure to enrol) count as misses too. Terms follow ISO/IEC 19795-1; see `openset`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegroup.evaluation import bootstrap, openset
from facegroup.evaluation.bootstrap import Drawings, Estimate, Numbers
from facegroup.evaluation.decision_rates import DecisionRates
from facegroup.evaluation.openset import Searches, threshold_at
from facegroup.evaluation.openset_data import OpenSetData
from facegroup.networks.embedder import failed, unit, unit_mean
from facegroup.types import Floats

FPIRS = (0.001, 0.01, 0.1)

FNIR_AT = 0.003
"""FPIR at which FNIR is told: the point at which NIST's FRTE 1:N lists identification."""

_BAND = 200  # drawings for the curve's band, enough for a picture


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The results of one network.

    Attributes:
        network: its name.
        precision: its numerical precision.
        data: the members and strangers.
        splits: number of splits.
        tpir: TPIR at each of `FPIRS`, the mean over the splits.
        thresholds: threshold at each of `FPIRS`, the mean over the splits.
        rank_1: share of the mated searches in which the right person is the most similar, at any similarity.
        at_default: the network's own threshold, and FPIR and TPIR there.
        genuine: similarity of each mated search of the first split to the right person.
        impostor: greatest similarity of each non-mated search of the first split.
        curve: FPIR, FNIR, and the ends of its interval.
        unenrolled: number of splits in which a member has no enrolled photo with a face.
        fnir: FNIR at an FPIR of `FNIR_AT`, the mean over the splits.
        fnir_threshold: threshold there, the mean over the splits.
        height: height in pixels of the faces that are searched with; None: as they are.
        decisions: the rates of each decision; empty if they were not compared.
    """

    network: str
    precision: str
    data: OpenSetData
    splits: int
    tpir: tuple[Estimate, ...]
    thresholds: tuple[float, ...]
    rank_1: Estimate
    at_default: tuple[float, Estimate, Estimate]
    genuine: Floats
    impostor: Floats
    curve: tuple[Numbers, Numbers, Numbers, Numbers]
    unenrolled: Mapping[str, int]
    fnir: Estimate
    fnir_threshold: float
    height: int | None = None
    decisions: tuple[DecisionRates, ...] = ()

    @property
    def label(self) -> str:
        """The precision, and the height of the faces if they were scaled."""
        return self.precision if self.height is None else f"{self.precision}, {self.height} px"


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """The results of one split: the searches, each mated search's similarity to the right person, and failures to enrol."""

    searches: Searches
    own: Floats
    unenrolled: tuple[int, ...]


Scored = Callable[[Floats, Floats, Floats], Floats]
"""Function from (n, people) similarities, (n, d) probes and (people, d) centroids to (n, people) scores."""


def search(
    embeddings: Floats,
    members: Sequence[Sequence[int]],
    strangers: Sequence[int],
    enrol: int,
    seed: int,
    enrolled: Floats | None = None,
    scored: Scored = lambda similarities, *_: similarities,
) -> Searched:
    """Enrol and search with the product's template, the mean of the unit descriptors.

    Args:
        embeddings: (n, d) raw embeddings, zeros for failures.
        members: the rows of each member.
        strangers: the rows of the non-mated searches.
        enrol: number of photos to enrol of each member.
        seed: seed for their choice.
        enrolled: (n, d) raw embeddings of the same photos for enrolment; None: the same.
        scored: returns what decides; the similarities by default. A member without a usable photo has a row of zeros.
    """
    descriptors, templates = unit(embeddings), unit(embeddings if enrolled is None else enrolled)
    usable: NDArray[np.bool_] = np.logical_not(failed(descriptors))
    good = np.logical_not(failed(templates))
    chosen = openset.split(members, enrol, seed)
    kept = [[row for row in rows if good[row]] for rows in chosen.enrolled]
    known = np.array([bool(rows) for rows in kept])
    centroids = np.zeros((len(members), embeddings.shape[1]), np.float32)
    for place in np.flatnonzero(known).tolist():
        centroids[place] = unit_mean(templates[kept[place]])

    def similarities(rows: Sequence[int]) -> Floats:
        found = scored(descriptors[list(rows)] @ centroids.T, descriptors[list(rows)], centroids)
        return np.where(usable[list(rows)][:, None] & known, found, np.float32(-np.inf))

    mated = similarities(chosen.probes.tolist())
    done = openset.searches(mated, chosen.owners, similarities(strangers))
    return Searched(done, mated[np.arange(len(mated)), chosen.owners], tuple(np.flatnonzero(~known).tolist()))


def measure(
    data: OpenSetData,
    named: tuple[str, str],
    threshold: float,
    enrol: int,
    splits: int,
    seed: int = 0,
    drawings: int = 1000,
    enrolled: Floats | None = None,
    height: int | None = None,
) -> Run:
    """Return the results of a network.

    Args:
        data: the members and strangers, embedded by the network.
        named: the network and its precision.
        threshold: the network's threshold.
        enrol: number of photos to enrol of each member.
        splits: number of splits.
        seed: seed of the first split; each further split has the next.
        drawings: drawings of the bootstrap.
        enrolled: embeddings of the photos for enrolment, where `data` has those of photos that were scaled down.
        height: height of the faces in these.
    """
    members, others = list(data.members), list(data.strangers.values())
    owners = np.repeat(np.arange(len(others)), [len(rows) for rows in others])
    strangers = [row for rows in others for row in rows]
    rows = [data.members[name] for name in members]
    every = [search(data.embedded.rows, rows, strangers, enrol, seed + split, enrolled) for split in range(splits)]
    done = [each.searches for each in every]
    drawn = bootstrap.draw(len(members), len(others), drawings, seed)
    # A stranger is drawn with all photos, like a member.
    drawn = Drawings(drawn.people, drawn.strangers[:, owners])
    alone = len(members) < 2 or len(others) < 2

    def told(value: float, each: Numbers) -> Estimate:
        return bootstrap.unknown(value) if alone else bootstrap.estimate(value, each)

    wanted = (*FPIRS, 1.0, FNIR_AT)  # at an FPIR of 1, TPIR is the rank-1 rate
    values = [bootstrap.mean_tpir(done, fpir) for fpir in wanted]
    *tpirs, rank_1, named_there = map(told, values, bootstrap.rates(done, wanted, drawn))
    fpir = float(np.mean([openset.fpir(each, threshold) for each in done]))
    tpir = float(np.mean([openset.tpir(each, threshold) for each in done]))
    alarms = np.mean([bootstrap.shares(each.nonmated > threshold, drawn.strangers) for each in done], axis=0)
    hits = np.mean([bootstrap.shares(each.mated > threshold, drawn.people[:, each.owners]) for each in done], axis=0)
    absent = Counter(members[place] for each in every for place in each.unenrolled)
    return Run(
        *(*named, data, splits, tuple(tpirs)),
        tuple(float(np.mean([threshold_at(each.nonmated, fpir) for each in done])) for fpir in FPIRS),
        rank_1,
        (threshold, told(fpir, alarms), told(tpir, hits)),
        *(every[0].own[np.isfinite(every[0].own)], done[0].nonmated[np.isfinite(done[0].nonmated)]),
        _curve(done, Drawings(drawn.people[:_BAND], drawn.strangers[:_BAND])),
        absent,
        Estimate(1 - named_there.value, 1 - named_there.high, 1 - named_there.low),
        float(np.mean([threshold_at(each.nonmated, FNIR_AT) for each in done])),
        height,
    )


def _curve(done: Sequence[Searches], drawn: Drawings) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    fpirs = np.geomspace(max(1 / len(done[0].nonmated), 1e-4), 1, 25)
    missed = 1 - np.array([bootstrap.mean_tpir(done, fpir) for fpir in fpirs])
    low, high = np.percentile(1 - bootstrap.rates(done, fpirs.tolist(), drawn), (2.5, 97.5), axis=1)
    return fpirs, missed, low, high
