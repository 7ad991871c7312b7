"""Measure whether rejecting the poorest faces reduces the errors of the others.

    python -m studies.quality_rejection DIR --network retail-0095 --crowd WIDER --plot curves.png

DIR has a folder per person, like LFW: some people with several photos are enrolled and searched with their other photos;
those with one photo are strangers. Both are searched with unchanged, and separately as poor copies (`degrading`). Every face
in the photos of the crowd is a stranger. FNIR (members not named, or wrongly) and FPIR (strangers named) are for the
remaining faces at the network's threshold. Photos without a face are counted, but belong to no rate.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from facegroup.errors import ImageError, MalformedRequest
from facegroup.evaluation.openset import split
from facegroup.images import folders
from facegroup.images.decode import decode
from facegroup.networks.embedder import Embedder, open_embedder, unit_mean
from facegroup.pipeline import quality_policies
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import Limits, load
from facegroup.types import Floats
from studies.dataset import told
from studies.degrading import copies
from studies.measured_faces import encoded, measured
from studies.rejection_tables import POLICIES, Probes, by_kind, by_policy, curves, draw, searched


def costs(folder: Path, finder: Finder, embedder: Embedder) -> str:
    """Return how many photos with one face the policies would refuse to enrol, and why, as a row of a table."""
    files = folders.photos([folder]).files
    seen = measured((path.read_bytes() for path in files), finder, embedder, every=True)
    single = np.bincount(seen.photos, minlength=len(files))[seen.photos] == 1
    graded = quality_policies.grades(seen.quality, seen.confidence)[single]
    cells = []
    for policy in POLICIES[1:]:
        codes = Counter(code for row in graded for code in quality_policies.reasons(row, policy))
        refused = int((~quality_policies.meets(graded, policy)).sum())
        cells.append(f"{refused} ({', '.join(f'{code} {count}' for code, count in codes.most_common())})")
    return f"| {folder.name} | {len(files)} | {len(graded)} | {' | '.join(cells)} |".replace(" ()", "")


def main() -> None:
    """Print the tables in Markdown, as the module describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--network", help="[default: FACEGROUP_NETWORK]")
    parser.add_argument("--threshold", type=float, help="[default: the network's]")
    parser.add_argument("--crowd", type=Path, metavar="DIR", help="photos of which every face is a stranger's")
    parser.add_argument(
        "--cost", type=Path, nargs="+", metavar="DIR", help="photos to enrol: tell how many are refused"
    )
    parser.add_argument("--least", type=int, default=6, help="photos that a person to enrol must have")
    parser.add_argument("--most", type=int, default=9, help="of those, photos that are used")
    parser.add_argument("--enrol", type=int, default=3, help="photos of each person")
    parser.add_argument("--people", type=int, default=100, help="to enrol, evenly spaced by name")
    parser.add_argument("--strangers", type=int, default=600, help="evenly spaced by name")
    parser.add_argument("--copies", type=int, default=4, help="poor copies of each photo")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what every face gave here")
    given = parser.parse_args()
    settings = load(network=given.network)
    embedder = open_embedder(settings)
    finder = open_finder(settings, embedder.spec)
    try:
        sets = _sets(given, finder, embedder)
        costly = [costs(folder, finder, embedder) for folder in given.cost or ()]
    finally:
        finder.close()
    threshold = embedder.spec.threshold if given.threshold is None else given.threshold
    print(f"\n{settings.network}, threshold {threshold}: {given.people} people with {given.enrol} photos enrolled\n")
    tables = [by_policy(sets, threshold), *(curves(each, threshold) for each in sets[:2]), by_kind(sets[1], threshold)]
    if costly:
        tables.append(
            [
                "| photos to enrol | photos | of one face | standard refuses | strict refuses |",
                "|---" * 5 + "|",
                *costly,
            ]
        )
    print("\n\n".join("\n".join(lines) for lines in tables))
    if given.plot:
        draw(sets[:2], threshold, given.plot, f"{settings.network}, threshold {threshold}")
    if given.json:
        rows = {each.name: [each.kinds, each.owners, each.similarity, each.grades] for each in sets}
        given.json.write_text(json.dumps({name: [part.tolist() for part in parts] for name, parts in rows.items()}))


def _sets(given: argparse.Namespace, finder: Finder, embedder: Embedder) -> list[Probes]:
    everybody = list(folders.people(given.folder).photos.values())
    people = _spaced([files for files in everybody if len(files) >= given.least], given.people)
    files = [path for photos in people for path in photos[: given.most]]
    if len(people) < 2 or not any(len(files) == 1 for files in everybody):
        raise MalformedRequest(
            f"{given.folder} needs two people with {given.least} photos, and one with a single photo"
        )
    edges = np.cumsum([0, *(min(given.most, len(photos)) for photos in people)])
    chosen = split([range(start, end) for start, end in pairwise(edges.tolist())], given.enrol, 0)
    centroids = np.stack([_centroid([files[row] for row in rows], finder, embedder) for rows in chosen.enrolled])
    strangers = [photos[0] for photos in _spaced([files for files in everybody if len(files) == 1], given.strangers)]
    probes = [*(files[row] for row in chosen.probes), *strangers]
    owners = [*chosen.owners.tolist(), *[-1] * len(strangers)]
    real = measured((path.read_bytes() for path in probes), finder, embedder, told=told)
    kinds: list[str] = []
    poor = measured(_copies(probes, given.copies, kinds), finder, embedder, told=told)
    repeated = [owner for owner in owners for _ in range(given.copies)]
    sets = [
        searched("photos as they are", ["real 0"] * len(probes), owners, real, centroids),
        searched("poor copies", kinds, repeated, poor, centroids),
    ]
    if given.crowd:
        crowd = folders.photos([given.crowd]).files
        seen = measured((path.read_bytes() for path in crowd), finder, embedder, every=True, told=told)
        sets.append(searched("crowd", ["real 0"] * len(crowd), [-1] * len(crowd), seen, centroids))
    return sets


def _centroid(photos: Sequence[Path], finder: Finder, embedder: Embedder) -> Floats:
    found = measured((path.read_bytes() for path in photos), finder, embedder).descriptors
    # Of whom no face is found nobody is enrolled: zeros are like nobody, and the searches of that person all miss.
    return unit_mean(found) if len(found) else np.zeros(embedder.spec.dimension, np.float32)


def _copies(photos: Sequence[Path], count: int, kinds: list[str]) -> Iterator[bytes]:
    for seed, path in enumerate(photos):
        data = path.read_bytes()
        try:
            made = [(kind, encoded(copy)) for kind, copy in copies(decode(data, Limits()).image, count, seed)]
        except ImageError:
            made = [("unreadable 0", data)] * count  # so that it is counted with the photos without a face
        for kind, copy in made:
            kinds.append(kind)
            yield copy


def _spaced(items: Sequence[Sequence[Path]], count: int) -> list[Sequence[Path]]:
    return [items[place * len(items) // count] for place in range(count)] if count < len(items) else list(items)


if __name__ == "__main__":
    main()
