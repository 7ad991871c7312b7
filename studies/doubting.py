"""Measure how often a warning at enrolment is right: correct photos with a warning, and wrong photos caught.

    python -m studies.doubting DIR --network retail-0095 --json table.json

Some photos of each person of DIR, as for `comparison`, are enrolled. Each of the other photos is then offered to its own
person, to another enrolled person (*misfiled*), and as the first photo of a new person (*twice*). Each stranger is offered
to an enrolled person (*stranger*), and as the first photo of a new person (*new*), which is correct.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from facegroup.enrolment.doubts import REACH, verdict
from facegroup.errors import LooksLike
from facegroup.evaluation.openset import split
from facegroup.networks import registry
from facegroup.networks.embedder import unit
from facegroup.settings import load
from facegroup.types import Floats
from studies import dataset
from studies.dataset import People
from studies.templates import mean, of_one

REACHES = (1.0, 1.25, REACH, 1.75, 2.0)
RIGHT = ("own", "new")


@dataclass(frozen=True, slots=True)
class Row:
    """The results for photos of one kind.

    Attributes:
        enrolled: photos enrolled per person before.
        kind: kind of the offered photos; see the module.
        reach: see `doubts.REACH`.
        offered: number of offered photos, over all splits.
        looks_like: share with this warning.
        unlike_own: share with this warning.
    """

    enrolled: int
    kind: str
    reach: float
    offered: int
    looks_like: float
    unlike_own: float

    @property
    def doubted(self) -> float:
        """The share with any warning."""
        return self.looks_like + self.unlike_own


Offers = list[tuple[float | None, float]]
"""Similarity to the person's own photos, if there are any, and the greatest to anybody else."""


def offers(photos: People, enrol: int, seed: int) -> dict[str, Offers]:
    """Return the offers of each kind in one split."""
    chosen = split(photos.people, enrol, seed)
    descriptors = unit(photos.embeddings)
    enrolled = [photos.embeddings[list(rows)] for rows in chosen.enrolled]
    mated = of_one(mean)(enrolled, descriptors[chosen.probes])
    nonmated = of_one(mean)(enrolled, descriptors[list(photos.strangers)])
    draw = np.random.default_rng([seed, 2])
    count = len(enrolled)
    wrong = (chosen.owners + draw.integers(1, count, len(mated))) % count
    anybody = draw.integers(0, count, len(nonmated))
    return {
        "own": _filed(mated, chosen.owners.tolist()),
        "new": [(None, float(row.max())) for row in nonmated],
        "misfiled": _filed(mated, wrong.tolist()),
        "stranger": _filed(nonmated, anybody.tolist()),
        "twice": [(None, float(row.max())) for row in mated],
    }


def rows(offered: Sequence[dict[str, Offers]], enrol: int, threshold: float) -> list[Row]:
    """Return a row per kind and reach, over all splits."""
    made = []
    for kind in offered[0]:
        pairs = [pair for each in offered for pair in each[kind]]
        for reach in REACHES:
            found = [verdict(own, other, threshold, reach) for own, other in pairs]
            like = sum(each is LooksLike for each in found)
            unlike = sum(each is not None for each in found) - like
            made.append(Row(enrol, kind, reach, len(pairs), like / len(pairs), unlike / len(pairs)))
    return made


def table(made: Sequence[Row]) -> str:
    """Return the shares with a warning as a table in Markdown."""
    lines = ["| enrolled | photo offered | " + " | ".join(f"reach {reach}" for reach in REACHES) + " |"]
    lines.append("|---" * (2 + len(REACHES)) + "|")
    for first in range(0, len(made), len(REACHES)):
        part = made[first : first + len(REACHES)]
        kind = f"{part[0].kind} ({'right' if part[0].kind in RIGHT else 'wrong'})"
        lines.append(f"| {part[0].enrolled} | {kind} | " + " | ".join(f"{row.doubted:.2%}" for row in part) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table in Markdown, as the module describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--network", help="[default: FACEGROUP_NETWORK]")
    parser.add_argument("--threshold", type=float, help="of the gallery [default: the network's]")
    parser.add_argument("--enrol", type=int, nargs="+", default=[1, 2, 3, 5], help="photos of each person before")
    parser.add_argument("--least", type=int, default=6, help="photos that a person to enrol must have")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows here")
    given = parser.parse_args()
    settings = load(network=given.network)
    photos = dataset.read(given.folder, settings, least=given.least, told=dataset.told)
    threshold = registry.spec(settings.network, settings).threshold if given.threshold is None else given.threshold
    made = []
    for enrol in given.enrol:
        made += rows([offers(photos, enrol, seed) for seed in range(given.splits)], enrol, threshold)
    counts = {"people": len(photos.people), "strangers": len(photos.strangers)}
    print(f"\n{settings.network}, threshold {threshold}, {given.splits} splits: {counts}\n\n{table(made)}")
    if given.json:
        written = {"network": settings.network, "threshold": threshold, **counts, "rows": [asdict(row) for row in made]}
        given.json.write_text(json.dumps(written, indent=1) + "\n")


def _filed(similarities: Floats, under: Sequence[int]) -> Offers:
    """Return the offers of photos to the given people, from (n, people) similarities."""
    places = np.arange(len(similarities))
    own = similarities[places, under].tolist()
    others = similarities.copy()
    others[places, under] = -np.inf
    return list(zip(own, others.max(axis=1).tolist(), strict=True))


if __name__ == "__main__":
    main()
