"""Measure the effect of "not this person": strangers who are named become counter-examples of that person.

    python -m studies.feedback DIR --network retail-0095 --json table.json

Half of the people of DIR with several photos, as for `comparison`, are enrolled. One photo of each of the others, and of
everybody with only one, is a stranger's. The threshold is set for an FPIR and stays. Each stranger who is named becomes a
counter-example of that person, and all are searched again: the strangers' same photos, their *other* photos, and the
members'. *Many* makes the k nearest strangers counter-examples of everybody, *mistaken* k photos of the person.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from facegroup.evaluation import bootstrap
from facegroup.evaluation.bootstrap import Drawings, Estimate, estimate
from facegroup.evaluation.openset import threshold_at
from facegroup.settings import load
from studies import dataset
from studies.counter_example_scenario import Counters, Scenario, corrected, many, mistaken, named, scenario

FPIRS = (0.01, 0.1, 0.3)
MANY = (1, 3, 5, 10, 20)
MISTAKEN = (1, 2)
REACHES = (0.4, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        kind: what became counter-examples: `corrected`, `many` or `mistaken`.
        fpir: FPIR for which the threshold was set, and at which `corrected` starts.
        count: counter-examples per person: k, or the mean over those who have some.
        same: share of the counter-examples' own photos that get the same name again.
        strangers: share of the strangers' photos that get any name afterwards.
        others: share of the other photos of a misidentified stranger that get this name, before.
        others_after: the same share afterwards.
        tpir: TPIR of the members before.
        cost: loss of TPIR, paired.
    """

    kind: str
    fpir: float
    count: float
    same: float
    strangers: float
    others: float | None
    others_after: float | None
    tpir: float
    cost: Estimate


def measured(kind: str, fpir: float, done: Sequence[tuple[Scenario, Counters, float]], drawn: Drawings) -> Row:
    """Return the effect of some counter-examples, over splits with a threshold each."""
    figures: list[tuple[float, ...]] = []
    drawings = []
    for one, counters, threshold in done:
        before, after = (named(one.probes, one.centroids, each, threshold) == one.owners for each in ({}, counters))
        weights = drawn.people[:, one.members[one.owners]]
        lost = before.astype(float) - after
        drawings.append((weights * lost).sum(axis=1) / weights.sum(axis=1))
        again = [named(rows, one.centroids, counters, threshold) == member for member, rows in counters.items()]
        old = named(one.strangers, one.centroids, {}, threshold)
        taken = old[one.whose]
        known = taken >= 0
        others = [
            (named(one.others, one.centroids, each, threshold) == taken)[known].mean() if known.any() else np.nan
            for each in ({}, counters)
        ]
        figures.append(
            (
                float(np.mean([len(rows) for rows in counters.values()])),
                float(np.concatenate(again).mean()),
                float((named(one.strangers, one.centroids, counters, threshold) >= 0).mean()),
                *others,
                before.mean(),
                lost.mean(),
            )
        )
    count, same, strangers, first, second, tpir, cost = np.nanmean(np.asarray(figures), axis=0).tolist()
    others_before, others_after = (first, second) if kind == "corrected" else (None, None)
    gone = estimate(cost, np.mean(drawings, axis=0))
    return Row(kind, fpir, count, same, strangers, others_before, others_after, tpir, gone)


def doubted(scenarios: Sequence[Scenario], fpir: float) -> dict[float, tuple[float, float]]:
    """Return for each reach how many correct counter-examples get a warning, and how many mistaken ones are caught."""
    right, wrong = [], []
    limits = []
    for one in scenarios:
        threshold = _threshold(one, fpir)
        limits.append(threshold)
        best = (one.strangers @ one.centroids.T).max(axis=1)
        own = (one.probes * one.centroids[one.owners]).sum(axis=1)
        right.append((1 - best[best > threshold]) / (1 - threshold))
        wrong.append((1 - own[own > threshold]) / (1 - threshold))
    shares = [np.concatenate(each) for each in (right, wrong)]
    return {reach: (float((shares[0] < reach).mean()), float((shares[1] < reach).mean())) for reach in REACHES}


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| counter-examples | FPIR set | of a person | same name again | strangers named after | their other photos: same "
        "name, before → after | TPIR before | lost |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        others = "" if row.others is None else f"{row.others:.1%} → {row.others_after:.1%}"
        lines.append(
            f"| {row.kind} | {row.fpir:.0%} | {row.count:.1f} | {row.same:.2%} | {row.strangers:.2%} | {others} | "
            f"{row.tpir:.4f} | {row.cost.value:.4f} ({row.cost.low:.4f}–{row.cost.high:.4f}) |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the tables in Markdown, as the module describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--network", help="[default: FACEGROUP_NETWORK]")
    parser.add_argument("--enrol", type=int, default=3, help="photos of each member")
    parser.add_argument("--least", type=int, default=6, help="photos that a member must have")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--drawings", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows here")
    given = parser.parse_args()
    settings = load(network=given.network)
    photos = dataset.read(given.folder, settings, least=given.least, told=dataset.told)
    drawn = bootstrap.draw(len(photos.people), len(photos.strangers), given.drawings)
    scenarios = [scenario(photos, given.enrol, seed) for seed in range(given.splits)]
    rows = []
    for fpir in FPIRS:
        limits = [_threshold(one, fpir) for one in scenarios]
        sets = {("corrected", 0): [(one, corrected(one, limit)) for one, limit in zip(scenarios, limits, strict=True)]}
        sets |= {("many", count): [(one, many(one, count)) for one in scenarios] for count in MANY}
        sets |= {("mistaken", count): [mistaken(one, count) for one in scenarios] for count in MISTAKEN}
        rows += [
            measured(kind, fpir, [(*each, limit) for each, limit in zip(done, limits, strict=True)], drawn)
            for (kind, _), done in sets.items()
        ]
    doubts = {fpir: doubted(scenarios, fpir) for fpir in FPIRS}
    counts = {"people": len(photos.people), "strangers": len(photos.strangers), "splits": given.splits}
    print(f"\n{settings.network}: {counts}\n\n{table(rows)}\n\nreach: right ones doubted, mistaken ones caught")
    for fpir, found in doubts.items():
        print(f"FPIR {fpir:.0%}: " + ", ".join(f"{reach}: {r:.2%} {w:.1%}" for reach, (r, w) in found.items()))
    if given.json:
        written = {"network": settings.network, **counts, "rows": [asdict(row) for row in rows], "doubts": doubts}
        given.json.write_text(json.dumps(written, indent=1) + "\n")


def _threshold(one: Scenario, fpir: float) -> float:
    return threshold_at((one.strangers @ one.centroids.T).max(axis=1), fpir)


if __name__ == "__main__":
    main()
