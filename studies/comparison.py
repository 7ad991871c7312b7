"""Compare templates on a data set by TPIR at several FPIR, with correct and with wrong enrolments.

    python -m studies.comparison DIR --network retail-0095 --json table.json

DIR has a folder per person, like LFW: people with several photos are enrolled, those with one are the strangers.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from facegroup.evaluation import bootstrap
from facegroup.evaluation.bootstrap import Drawings, Estimate, estimate
from facegroup.evaluation.openset import Searches, Split, mislabelled, searches, split
from facegroup.networks import registry
from facegroup.networks.embedder import unit
from facegroup.settings import load
from studies import dataset
from studies.dataset import People
from studies.templates import Template, templates

BASE = "mean"
FPIRS = (0.001, 0.01, 0.1)


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one template at one FPIR.

    Attributes:
        enrolled: photos enrolled per person.
        mislabelled: share of the people with one enrolled photo of another person.
        template: name of the template.
        fpir: FPIR for which the threshold is set.
        tpir: mean TPIR over the splits.
        gain: TPIR minus that of `BASE`, paired.
    """

    enrolled: int
    mislabelled: float
    template: str
    fpir: float
    tpir: Estimate
    gain: Estimate


def search(photos: People, chosen: Split, template: Template) -> Searches:
    """Return the results of the searches of one split."""
    descriptors = unit(photos.embeddings)
    enrolled = [photos.embeddings[list(rows)] for rows in chosen.enrolled]
    mated = template(enrolled, descriptors[chosen.probes])
    return searches(mated, chosen.owners, template(enrolled, descriptors[list(photos.strangers)]))


def compare(
    photos: People, wanted: dict[str, Template], enrol: int, share: float, splits: int, drawn: Drawings
) -> list[Row]:
    """Return a row per template and FPIR, for a number of enrolled photos and a share of mislabelled people."""
    chosen = [split(photos.people, enrol, seed) for seed in range(splits)]
    if share:
        chosen = [mislabelled(each, seed, share) for seed, each in enumerate(chosen)]
    done = {name: [search(photos, each, template) for each in chosen] for name, template in wanted.items()}
    values = {name: [bootstrap.mean_tpir(each, fpir) for fpir in FPIRS] for name, each in done.items()}
    drawings = {name: bootstrap.rates(each, FPIRS, drawn) for name, each in done.items()}
    return [
        Row(
            *(enrol, share, name, fpir),
            estimate(values[name][place], drawings[name][place]),
            estimate(values[name][place] - values[BASE][place], drawings[name][place] - drawings[BASE][place]),
        )
        for name in wanted
        for place, fpir in enumerate(FPIRS)
    ]


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown. A gain is marked if its interval excludes 0."""
    lines = ["| enrolled | mislabelled | template | " + " | ".join(f"FPIR {fpir:.1%}" for fpir in FPIRS) + " |"]
    lines.append("|---" * (3 + len(FPIRS)) + "|")
    for first in range(0, len(rows), len(FPIRS)):
        part = rows[first : first + len(FPIRS)]
        cells = [f"{row.tpir}{_mark(row.gain)}" for row in part]
        lines.append(f"| {part[0].enrolled} | {part[0].mislabelled:.0%} | {part[0].template} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table in Markdown, as the module describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--network", help="[default: FACEGROUP_NETWORK]")
    parser.add_argument("--enrol", type=int, nargs="+", default=[1, 2, 3, 5], help="photos of each person")
    parser.add_argument("--mislabelled", type=float, nargs="+", default=[0.0, 1.0], help="shares of the people")
    parser.add_argument("--least", type=int, default=6, help="photos that a person to enrol must have")
    parser.add_argument("--most", type=int, help="photos that a person to enrol may have")
    parser.add_argument("--people", type=int, help="how many to enrol [default: all]")
    parser.add_argument("--strangers", type=int, help="how many [default: all]")
    parser.add_argument("--strangers-from", type=Path, metavar="DIR", help="their folder [default: DIR itself]")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--drawings", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows here")
    given = parser.parse_args()
    settings = load(network=given.network)
    photos = dataset.read(
        given.folder,
        settings,
        least=given.least,
        most=given.most,
        people=given.people,
        strangers=given.strangers,
        strangers_from=given.strangers_from,
        told=dataset.told,
    )
    drawn = bootstrap.draw(len(photos.people), len(photos.strangers), given.drawings)
    wanted = templates(registry.spec(settings.network, settings).threshold)
    pairs = [(enrol, share) for share in given.mislabelled for enrol in given.enrol if not share or enrol > 1]
    rows = [row for pair in pairs for row in compare(photos, wanted, *pair, given.splits, drawn)]
    counts = {"people": len(photos.people), "strangers": len(photos.strangers), "without_a_face": photos.missed}
    print(f"\n{settings.network}, {given.splits} splits: {counts}\n\n{table(rows)}")
    if given.json:
        written = {"network": settings.network, **counts, "splits": given.splits, "rows": [asdict(row) for row in rows]}
        given.json.write_text(json.dumps(written, indent=1) + "\n")


def _mark(gain: Estimate) -> str:
    if gain.low > 0:
        return f" **+{gain.value:.3f}**"
    return f" *{gain.value:.3f}*" if gain.high < 0 else ""


if __name__ == "__main__":
    main()
