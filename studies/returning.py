"""Measure how well strangers who return are recognised, by the purity and fragments of their visits.

    python -m studies.returning DIR --network retail-0095 --json table.json

People of DIR with `--least` photos or more return: their photos, at most `--most`, are visits of one or two photos each;
people with one photo visit once. All visits are shuffled, and pass through `facegroup.cameras.sightings.strangers` one after
the other, at several similarities. *Merging* joins two strangers whose centroids have become similar. *Batch* is average
linkage (scipy) on all visits at once, which no server ever has, as a reference.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegroup.cameras.sightings.strangers import Strangers, grown, mean
from facegroup.cameras.sightings.types import Shot, Unknown
from facegroup.networks import registry
from facegroup.settings import load
from studies import dataset

AROUND = (-0.1, -0.05, 0.0, 0.05, 0.1, 0.15)
"""Similarities that are tried, beside the gallery's threshold."""

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Visits in order.

    Attributes:
        people: (n,) the person of each visit.
        looks: the shots of each visit.
    """

    people: Labels
    looks: tuple[tuple[Shot, ...], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. Shares are of visits, and means over the orders.

    Attributes:
        way: online, merging or batch.
        similarity: similarity at which two are the same stranger.
        purity: share of visits that belong to the main person of their stranger.
        fragments: mean number of strangers per returning person.
        whole: share of returning people with a single stranger.
        precision: share of a stranger's other visits that are of the same person (B-cubed: Bagga and Baldwin 1998).
        recall: share of a returning person's other visits that are in the same stranger.
        strangers: number of strangers made.
    """

    way: str
    similarity: float
    purity: float
    fragments: float
    whole: float
    precision: float
    recall: float
    strangers: float


def visits(photos: dataset.People, most: int, people: int | None, once: int, seed: int) -> Visits:
    """Return visits in a random order.

    Args:
        photos: photos of returning people and of strangers.
        most: most photos of a person.
        people: number of people who return; None takes all.
        once: number of people who visit once.
        seed: seed for the choice and the order.
    """
    random = np.random.default_rng(seed)
    rows = photos.embeddings / np.linalg.norm(photos.embeddings, axis=1, keepdims=True)
    back = random.permutation(len(photos.people))[:people].tolist()
    made: list[tuple[int, list[int]]] = []
    for person in back:
        left = random.permutation(photos.people[person])[:most].tolist()
        while left:
            count = int(random.integers(1, 3))
            made.append((person, left[:count]))
            left = left[count:]
    chosen = random.permutation(len(photos.strangers))[:once].tolist()
    made += [(len(photos.people) + each, [photos.strangers[each]]) for each in chosen]
    order = random.permutation(len(made)).tolist()
    looks = tuple(tuple(Shot(rows[row], None, float(random.random())) for row in made[place][1]) for place in order)
    return Visits(np.array([made[place][0] for place in order]), looks)


def online(seen: Visits, similarity: float, merging: float | None = None) -> Labels:
    """Return the stranger of each visit, as a server would number them.

    Args:
        seen: the visits.
        similarity: similarity at which a visit belongs to a stranger.
        merging: similarity of two strangers' centroids at which they are joined; None never joins.
    """
    known, kept, labels = Strangers(), dict[str, Unknown](), list[str]()
    for at, looks in enumerate(seen.looks):
        look = mean(looks)
        nearest = known.nearest(look)
        if nearest is not None and nearest[1] >= similarity:
            one = grown(kept[nearest[0].id], looks, float(at), 1)
        else:
            one = Unknown(str(at), "", "", look, 1, float(at), float(at), looks)
        kept[one.id] = one
        labels.append(one.id)
        known.put(one)
        if merging is not None and nearest is not None:
            _merge(one, merging, known, kept, labels)
    return np.array([int(label) for label in labels])


def batch(seen: Visits, similarities: Sequence[float]) -> list[Labels]:
    """Return the cluster of each visit by average linkage of cosine distances, cut at each similarity."""
    from scipy.cluster.hierarchy import fcluster, linkage

    rows = np.stack([mean(looks) for looks in seen.looks]).astype(np.float64)
    upper = np.triu_indices(len(rows), 1)
    tree = linkage(np.clip(1 - rows @ rows.T, 0, 2)[upper], "average")
    return [fcluster(tree, 1 - each, "distance").astype(np.int64) for each in similarities]


def figures(people: Labels, labels: Labels) -> tuple[float, ...]:
    """Return purity, fragments, whole, precision, recall and strangers of a clustering, as in `Row`."""
    _, who = np.unique(people, return_inverse=True)
    _, which = np.unique(labels, return_inverse=True)
    shared = np.zeros((who.max() + 1, which.max() + 1))
    np.add.at(shared, (who, which), 1)
    of_person, of_stranger = shared.sum(axis=1), shared.sum(axis=0)
    back = of_person > 1
    fragments = (shared > 0).sum(axis=1)[back]
    both = shared[who, which] - 1
    mates, own = of_stranger[which] - 1, of_person[who] - 1
    precision = (both[mates > 0] / mates[mates > 0]).mean() if (mates > 0).any() else 1.0
    recall = (both[own > 0] / own[own > 0]).mean()
    purity = shared.max(axis=0).sum() / shared.sum()
    return (
        *(float(each) for each in (purity, fragments.mean(), (fragments == 1).mean(), precision, recall)),
        float(len(of_stranger)),
    )


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| | similarity | purity | fragments | one stranger | precision | recall | strangers |",
        "|---" * 8 + "|",
    ]
    lines += [
        f"| {row.way} | {row.similarity:.2f} | {row.purity:.2%} | {row.fragments:.2f} | {row.whole:.1%} | "
        f"{row.precision:.2%} | {row.recall:.1%} | {row.strangers:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def measured(seen: Sequence[Visits], threshold: float) -> list[Row]:
    """Return the table of several orders of visits, around a threshold."""
    tried = [round(threshold + each, 4) for each in AROUND]
    ways: dict[tuple[str, float], list[tuple[float, ...]]] = {}
    for one in seen:
        for each, labels in zip(tried, batch(one, tried), strict=True):
            ways.setdefault(("online", each), []).append(figures(one.people, online(one, each)))
            ways.setdefault(("merging", each), []).append(figures(one.people, online(one, each, each)))
            ways.setdefault(("batch", each), []).append(figures(one.people, labels))
    means = {way: np.mean(found, axis=0).tolist() for way, found in ways.items()}
    order = sorted(means, key=lambda way: (("online", "merging", "batch").index(way[0]), way[1]))
    return [Row(*way, *means[way]) for way in order]


def main() -> None:
    """Print the tables in Markdown, as the module describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--network", help="[default: FACEGROUP_NETWORK]")
    parser.add_argument("--least", type=int, default=4, help="least photos of a person who returns")
    parser.add_argument("--most", type=int, default=20, help="photos of a person that are used")
    parser.add_argument("--orders", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows here")
    given = parser.parse_args()
    settings = load(network=given.network)
    photos = dataset.read(given.folder, settings, least=given.least, told=dataset.told)
    threshold = registry.spec(settings.network, settings).threshold
    found = {}
    for people, once in ((50, 50), (None, len(photos.strangers))):
        seen = [visits(photos, given.most, people, once, seed) for seed in range(given.orders)]
        count = {"back": people or len(photos.people), "once": once, "visits": len(seen[0].looks)}
        rows = found[str(count)] = measured(seen, threshold)
        print(f"\n{settings.network} at {threshold}: {count}\n\n{table(rows)}")
    if given.json:
        given.json.write_text(json.dumps({name: [asdict(row) for row in rows] for name, rows in found.items()}))


def _merge(one: Unknown, merging: float, known: Strangers, kept: dict[str, Unknown], labels: list[str]) -> None:
    """Join the stranger that grew and those as similar to it. The older number stays."""
    while True:
        known.remove(one.id)
        other = known.nearest(one.centroid)
        known.put(one)
        if other is None or other[1] < merging:
            return
        first, second = sorted((one.id, other[0].id), key=int)
        one = grown(kept[first], kept[second].shots, max(one.last_seen, other[0].last_seen), kept[second].visits)
        known.remove(second)
        del kept[second]
        kept[first] = one
        known.put(one)
        labels[:] = [first if label == second else label for label in labels]


if __name__ == "__main__":
    main()
