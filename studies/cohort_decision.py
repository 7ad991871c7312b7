"""Compare the cohort decision with the cosine, with Z- and T-norm, and with an extreme value machine, on a data set.

    python -m studies.cohort_decision DIR --network retail-0095

DIR has a folder per person, like LFW. In each split half of the people are the cohort, one photo each: some decide, and
others, who are never in a cohort, say how common a stranger's face is. Of the other half, people with six photos and more
are members, and all others are strangers with one photo each.
"""

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegroup.evaluation.commonness import commonness, tenths
from facegroup.evaluation.descriptors import embed
from facegroup.evaluation.openset import searches, split, threshold_at
from facegroup.images import folders
from facegroup.networks.embedder import failed, unit, unit_mean
from facegroup.settings import load
from facegroup.types import Descriptors
from studies.cohort_rules import Rule, Searched, cohort, cosine, extreme_value_machine, plain
from studies.dataset import told

LEAST, MOST, ENROL, SPLITS = 6, 8, 3, 10
REFERENCE = 1000
"""People who say how common a face is."""

SIZES = (10, 20, 30, 40, 50, 75, 100, 200, 448, 1000)
"""Of cohorts."""

CHOSEN = cohort(0.01)
"""The rule of `facegroup.gallery.cohort`."""

Groups = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One split: a gallery, its cohort, and who is searched for."""

    centroids: Descriptors
    mated: Descriptors
    owners: Groups
    strangers: Descriptors
    cohort: Descriptors
    tenths: Groups


@dataclass(frozen=True, slots=True)
class Row:
    """What a rule gives: means over the splits; the FPIR of each tenth of commonness is at an overall FPIR of 1 %."""

    name: str
    tpir: tuple[float, float]
    tenths: tuple[float, ...]
    thresholds: tuple[float, float]

    def __str__(self) -> str:
        cells = [f"{100 * each:.2f}" for each in (*self.tpir, max(self.tenths))]
        levels = " ".join(f"{100 * each:.1f}" for each in self.tenths)
        return f"| {self.name} | {' | '.join(cells)} | {levels} | {self.thresholds[1]:.3f} | {self.thresholds[0]:.3f} |"


HEAD = "| rule | TPIR at FPIR 0.1 % | at 1 % | worst tenth | tenths at 1 % | threshold for 1 % | for 0.1 % |\n"
HEAD += "|---" * 7 + "|"


def read(folder: Path, network: str) -> list[Descriptors]:
    """Return the descriptors of every person with a usable photo: of strangers one, of members up to `MOST`."""
    every = folders.people(folder).photos
    people = {name: photos[:MOST] if len(photos) >= LEAST else photos[:1] for name, photos in every.items()}
    files = [path for photos in people.values() for path in photos]
    rows = embed(files, load(network=network), told).rows
    usable = np.logical_not(failed(rows))
    edges = np.cumsum([0, *map(len, people.values())])
    spans = [np.arange(start, end) for start, end in itertools.pairwise(edges)]
    found = [rows[span[usable[span]]] for span in spans]
    return [unit(each) for each in found if len(each)]


def cases(people: Sequence[Descriptors], members: int | None, splits: int = SPLITS) -> list[Case]:
    """Return the splits; `members` is the most that a gallery has."""
    made = []
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(len(people)).tolist()
        half = len(order) // 2
        outside = np.stack([people[place][0] for place in order[:half]])
        inside = [people[place] for place in order[half:]]
        several = [rows for rows in inside if len(rows) >= LEAST]
        known = several[:members]
        strangers = np.stack([rows[0] for rows in inside if len(rows) < LEAST])
        every = np.concatenate(known)
        starts = np.cumsum([0, *map(len, known)])
        chosen = split([range(start, end) for start, end in itertools.pairwise(starts)], ENROL, seed)
        centroids = np.stack([unit_mean(every[list(rows)]) for rows in chosen.enrolled])
        measured = commonness(strangers, outside[:REFERENCE])
        made.append(
            Case(centroids, every[chosen.probes], chosen.owners, strangers, outside[REFERENCE:], tenths(measured))
        )
    return made


def measure(name: str, rule: Rule, splits: Sequence[Case], size: int = 448, *, members: bool = False) -> Row:
    """Return what a rule gives with a cohort of `size` strangers, and of the members if asked."""
    tpirs, levels, thresholds = [], [], []
    for case in splits:
        given = case.cohort[:size]
        scores = [rule(Searched(case.centroids, probes, given, members)) for probes in (case.mated, case.strangers)]
        done = searches(scores[0], case.owners, scores[1])
        at = [threshold_at(done.nonmated, fpir) for fpir in (0.001, 0.01)]
        thresholds.append(at)
        tpirs.append([float((done.mated > each).mean()) for each in at])
        named = done.nonmated > at[1]
        levels.append([float(named[case.tenths == tenth].mean()) for tenth in range(10)])
    return Row(name, *(tuple(np.mean(each, axis=0).tolist()) for each in (tpirs, levels, thresholds)))


def _table(title: str, rows: Sequence[Row]) -> None:
    print(f"\n{title}\n\n{HEAD}\n" + "\n".join(map(str, rows)), flush=True)


def _same_threshold(splits: Sequence[Case], threshold: float) -> None:
    print(
        f"\nFPIR and TPIR of the rule chosen at a threshold of {threshold}\n\n| cohort | FPIR | TPIR |\n|---|---|---|"
    )
    for size, members in [*((size, False) for size in SIZES), (0, True), (100, True), (425, True)]:
        rates = []
        for case in splits:
            given = [
                Searched(case.centroids, probes, case.cohort[:size], members) for probes in (case.mated, case.strangers)
            ]
            done = searches(CHOSEN(given[0]), case.owners, CHOSEN(given[1]))
            rates.append([float((done.nonmated > threshold).mean()), float((done.mated > threshold).mean())])
        mean = 100 * np.mean(rates, axis=0)
        print(
            f"| {size} strangers{' and the members' if members else ''} | {mean[0]:.2f} | {mean[1]:.2f} |", flush=True
        )


def report(people: Sequence[Descriptors]) -> None:
    """Print every table of the decision."""
    splits = cases(people, None)
    one = splits[0]
    print(f"{len(people)} people; split 0: {len(one.centroids)} members, {len(one.strangers)} strangers")
    _table(
        "448 strangers as the cohort",
        [
            measure("cosine", cosine, splits),
            *(measure(f"mean of K = {k}", cohort(k), splits) for k in (1, 2, 5, 10, 20, 50, 100)),
            measure("**mean of 1 %, K = 4**", CHOSEN, splits),
            measure("K = 5, the largest left out", cohort(5, leave="largest"), splits),
            *(measure(f"mean and spread of K = {k}", cohort(k, spread=True), splits) for k in (5, 10, 20, 50, 100)),
            measure("Z-norm", plain(persons=True, probes=False), splits),
            measure("T-norm", plain(persons=False, probes=True), splits),
            measure("Z- and T-norm (S-norm)", plain(persons=True, probes=True), splits),
            *(measure(f"extreme value machine, tail of {n}", extreme_value_machine(n), splits) for n in (5, 20, 100)),
        ],
    )
    for title, rule in (("1 %, two at least", CHOSEN), ("2 %, two at least", cohort(0.02)), ("K = 5", cohort(5))):
        _table(f"size of the cohort, {title}", [measure(f"{n} strangers", rule, splits, n) for n in SIZES])
    _table(
        "members in the cohort",
        [
            measure("the person left out, K = 2", cohort(2, leave="person"), splits, 0, members=True),
            measure("**the most similar member left out**", CHOSEN, splits, 0, members=True),
            measure("the largest left out, K = 2", cohort(2, leave="largest"), splits, 0, members=True),
            *(measure(f"members and {n} strangers", CHOSEN, splits, n, members=True) for n in (50, 100, 200, 425)),
        ],
    )
    for count in (10, 20, 30, 46, 60):
        few = cases(people, count)
        _table(
            f"galleries of {count}",
            [
                measure("cosine", cosine, few),
                measure("own members", CHOSEN, few, 0, members=True),
                *(measure(f"members and {n} strangers", CHOSEN, few, n, members=True) for n in (50, 100, 512 - count)),
            ],
        )
    _same_threshold(splits, 0.18)


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", default="retail-0095")
    given = parser.parse_args()
    report(read(given.folder, given.network))


if __name__ == "__main__":
    main()
