"""Measure whether a calibrated threshold keeps its FPIR for other people, and what a default threshold gives.

    python -m studies.calibrating DIR --network retail-0095 --json table.json

DIR has a folder per person, like LFW. Half of the people are enrolled and their gallery is calibrated, on itself or on half
of the strangers. The other half of the strangers search it, and the result is compared with the reported interval.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from facegroup.errors import TooFewToCalibrate
from facegroup.gallery.calibration import calibrate
from facegroup.gallery.calibrator import Strangers, run_searches
from facegroup.gallery.index.people import People as Index
from facegroup.gallery.snapshot import Snapshot
from facegroup.networks import registry
from facegroup.networks.embedder import unit
from facegroup.settings import load
from facegroup.store.vectors import centroid
from facegroup.types import Descriptors, Floats, Gallery
from studies import dataset
from studies.dataset import People

_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Kept:
    """The calibrations of one kind, and what was measured afterwards.

    Attributes:
        people: number of people enrolled.
        on: the photos on which the gallery was calibrated.
        fpir: the requested FPIR.
        seeds: number of repetitions, each with other halves.
        refused: how often there were too few photos.
        measured: FPIR of the other strangers: mean, standard deviation and maximum over the seeds.
        width: the reported interval, the means of its ends.
        inside: share of seeds in which the measured rate was in the interval.
        expected: `inside` if each interval were exact: below 95 %, because the other strangers are few too.
        tpir: mean of the reported TPIR.
        threshold: mean and standard deviation of the threshold.
    """

    people: int
    on: str
    fpir: float
    seeds: int
    refused: int
    measured: tuple[float, float, float]
    width: tuple[float, float]
    inside: float
    expected: float
    tpir: float
    threshold: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sized:
    """The results of a threshold in galleries of one size, with three enrolled photos per person.

    Attributes:
        people: number of people enrolled.
        fpir: mean, minimum and maximum over the draws of people.
        tpir: mean TPIR.
        at_one_percent: mean threshold for an FPIR of 1 %, and its mean TPIR.
    """

    people: int
    fpir: tuple[float, float, float]
    tpir: float
    at_one_percent: tuple[float, float]


def snapshot(people: Sequence[Descriptors], network: str) -> Snapshot:
    """Return a gallery of people with the given descriptors. The n-th person has the id `str(n)`."""
    ids = [str(number) for number in range(len(people))]
    rows = [centroid([*each]) for each in people]
    matrix = np.stack([row for row in rows if row is not None])
    return Snapshot("measured", 0, network, 0.0, Index.of(ids, ids, matrix))


def kept(photos: People, network: str, fpir: float, strangers: int, seeds: int) -> Kept:
    """Calibrate on half of the people and some of half of the strangers (0: none), and measure on the others."""
    descriptors = unit(photos.embeddings)
    rows, chance = [], []
    for seed in range(seeds):
        draw = np.random.default_rng([seed, strangers])
        mine = draw.permutation(len(photos.people))[: len(photos.people) // 2]
        members = [descriptors[list(photos.people[place])] for place in mine.tolist()]
        others = descriptors[list(photos.strangers)][draw.permutation(len(photos.strangers))]
        half = len(others) // 2
        known = others[: min(half, strangers)]
        given = Strangers(known, tuple(map(str, range(len(known))))) if strangers else None
        made = snapshot(members, network)
        scores, _ = run_searches(lambda person, members=members: members[int(person)], made, given)  # type: ignore[misc]
        try:
            found = calibrate(scores, fpir, network, Gallery("measured", network, 1, 0.0, people=len(members)), 0.0)
        except TooFewToCalibrate:
            continue
        best = made.people.nearest(others[half:], 1).similarities[:, 0]
        low, high = found.fpir_interval
        measured = float((best > found.threshold).mean())
        rows.append((measured, low, high, found.tpir or 0.0, found.threshold, low <= measured <= high))
        above = int((scores.nonmated > found.threshold).sum())
        chance.append(_chance(above, len(scores.nonmated), len(best), (low, high), seed) if strangers else np.nan)
    on = f"{min(strangers, len(photos.strangers) // 2)} strangers" if strangers else "its members"
    count = len(photos.people) // 2
    if not rows:
        nothing = (np.nan, np.nan)
        return Kept(count, on, fpir, seeds, seeds, (np.nan, *nothing), nothing, np.nan, np.nan, np.nan, nothing)
    table = np.array(rows, np.float64)
    mean, spread = table.mean(axis=0).tolist(), table.std(axis=0).tolist()
    return Kept(
        *(count, on, fpir, seeds, seeds - len(rows)),
        (mean[0], spread[0], float(table[:, 0].max())),
        (mean[1], mean[2]),
        mean[5],
        float(np.mean(chance)),
        mean[3],
        (mean[4], spread[4]),
    )


def sized(photos: People, network: str, threshold: float, people: int, draws: int) -> Sized:
    """Enrol three photos each of some people, repeatedly, and search with all strangers and the other photos."""
    descriptors = unit(photos.embeddings)
    strangers = descriptors[list(photos.strangers)]
    rows = []
    for seed in range(draws):
        draw = np.random.default_rng([seed, people])
        mine = [draw.permutation(photos.people[place]) for place in draw.permutation(len(photos.people))[:people]]
        made = snapshot([descriptors[each[:3]] for each in mine], network)
        nonmated: Floats = np.sort(made.people.nearest(strangers, 1).similarities[:, 0])[::-1]
        near = made.people.nearest(descriptors[np.concatenate([each[3:] for each in mine])], 1)
        owners = np.repeat(np.arange(people), [len(each) - 3 for each in mine])
        right = np.array([int(near.ids[place]) for place in near.people[:, 0]]) == owners
        mated = np.where(right, near.similarities[:, 0], -1)
        wanted = float(nonmated[int(0.01 * len(nonmated))])
        rows.append(((nonmated > threshold).mean(), (mated > threshold).mean(), wanted, (mated > wanted).mean()))
    table = np.array(rows, np.float64)
    fpir, tpir, wanted, found = table.mean(axis=0).tolist()
    return Sized(people, (fpir, float(table[:, 0].min()), float(table[:, 0].max())), tpir, (wanted, found))


def tables(promises: Sequence[Kept], sizes: Sequence[Sized], threshold: float) -> str:
    """Return both tables in Markdown."""
    lines = [
        "| calibrated on | FPIR asked | measured on the others: mean ± sd, greatest | interval told, mean "
        "| inside (if exact) | TPIR told | threshold | refused |",
        "|" + "---|" * 8,
    ]
    for each in promises:
        mean, spread, most = each.measured
        exact = "" if np.isnan(each.expected) else f" ({each.expected:.0%})"
        low, high = each.width
        middle, around = each.threshold
        lines.append(
            f"| {each.on} | {each.fpir:.1%} | {mean:.2%} ± {spread:.2%}, {most:.2%} | {low:.2%}–{high:.2%} "
            f"| {each.inside:.0%}{exact} | {each.tpir:.3f} | {middle:.3f} ± {around:.3f} "
            f"| {each.refused} of {each.seeds} |"
        )
    lines += [
        "",
        f"| people | FPIR at {threshold}: mean (least–greatest) | TPIR | threshold for 1 % | TPIR there |",
        "|" + "---|" * 5,
    ]
    for row in sizes:
        mean, least, most = row.fpir
        lines.append(
            f"| {row.people} | {mean:.2%} ({least:.2%}–{most:.2%}) | {row.tpir:.3f} | {row.at_one_percent[0]:.3f} "
            f"| {row.at_one_percent[1]:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the tables in Markdown, as the module describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--network", help="[default: FACEGROUP_NETWORK]")
    parser.add_argument("--threshold", type=float, help="to look at [default: the network's]")
    parser.add_argument("--fpir", type=float, nargs="+", default=[0.01, 0.05])
    parser.add_argument("--strangers", type=int, nargs="+", default=[300, 600, 1471, 0], help="0: the members stand in")
    parser.add_argument("--people", type=int, nargs="+", default=[10, 30, 100, 300], help="sizes of galleries")
    parser.add_argument("--least", type=int, default=4, help="photos that a person to enrol must have")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows here")
    given = parser.parse_args()
    settings = load(network=given.network)
    photos = dataset.read(given.folder, settings, least=given.least, told=dataset.told)
    threshold = registry.spec(settings.network, settings).threshold if given.threshold is None else given.threshold
    pairs = [(fpir, strangers) for fpir in given.fpir for strangers in given.strangers]
    promises = [kept(photos, settings.network, *pair, given.seeds) for pair in pairs]
    sizes = [
        sized(photos, settings.network, threshold, size, 20) for size in given.people if size <= len(photos.people)
    ]
    counts = {"people": len(photos.people), "strangers": len(photos.strangers), "without_a_face": photos.missed}
    print(f"\n{settings.network}: {counts}\n\n{tables(promises, sizes, threshold)}")
    if given.json:
        rows = {"kept": [asdict(each) for each in promises], "sizes": [asdict(each) for each in sizes]}
        given.json.write_text(json.dumps({"network": settings.network, **counts, **rows}, indent=1) + "\n")


def _chance(above: int, searches: int, others: int, interval: tuple[float, float], seed: int) -> float:
    """Return how often the measured rate of the other strangers would be in the interval, if the reported rate were true."""
    draw = np.random.default_rng(seed)
    measured = draw.binomial(others, draw.beta(above + 1, searches - above, _DRAWS)) / others
    return float(((measured >= interval[0]) & (measured <= interval[1])).mean())


if __name__ == "__main__":
    main()
