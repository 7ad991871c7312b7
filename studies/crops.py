"""Measure the effect of the crop, of averaging with the mirror image, and of the precision on TPIR.

    python -m studies.crops DIR --network retail-0095 --json table.json

DIR is as for `comparison`. Each photo is detected once, and its central face cut out in each way: as the network wants it,
as a box (the course work's), as a box extended by 0.3, and framed (VGGFace2's protocol). One photo of each person is
enrolled. The gain of each row is paired with the first row, which is what the program does.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from facegroup.errors import ImageError, MalformedRequest
from facegroup.evaluation import bootstrap
from facegroup.evaluation.bootstrap import Drawings, Estimate, estimate
from facegroup.evaluation.lfw import central
from facegroup.evaluation.openset import Searches, searches, split
from facegroup.images import folders
from facegroup.images.decode import decode
from facegroup.networks.alignment import Aligner
from facegroup.networks.embedder import Embedder, open_embedder, unit
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import Settings, load
from facegroup.types import Crops, Descriptors
from studies.dataset import told

FPIRS = (0.01, 0.1)
_SPLITS = 10
_DRAWINGS = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one way from a face to a descriptor.

    Attributes:
        crop: how the face is cut out.
        mirrored: whether the descriptor is the mean of those of the crop and its mirror image.
        precision: the network's precision.
        fpir: FPIR for which the threshold is set.
        tpir: mean TPIR over the splits.
        gain: TPIR minus that of the first row, paired.
    """

    crop: str
    mirrored: bool
    precision: str
    fpir: float
    tpir: Estimate
    gain: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """The photos of a data set, cut out in every way.

    Attributes:
        crops: (n, s, s, 3) crops for each way.
        people: numbers of the photos of each person.
        strangers: numbers of the photos of people who are not enrolled.
        missed: photos without a face.
    """

    crops: dict[str, Crops]
    people: tuple[tuple[int, ...], ...]
    strangers: tuple[int, ...]
    missed: int


def ways(spec: NetworkSpec) -> dict[str, NetworkSpec]:
    """Return the network with its own crop, and with other crops."""
    return {
        f"{spec.crop}, its own": spec,
        "box": replace(spec, crop="box", margin=0.0, framed=False),
        "box × 1.3": replace(spec, crop="box", margin=0.3, framed=False),
        "box × 1.3, framed": replace(spec, crop="box", margin=0.3, framed=True),
    }


def cut(folder: Path, settings: Settings, spec: NetworkSpec, least: int, strangers: int) -> Photos:
    """Find the central face of each photo, and cut it out in every way.

    Raises:
        MalformedRequest: there are not two people with `least` photos that show a face, or no stranger.
    """
    found = folders.people(folder).photos
    files = [each for each in found.values() if len(each) >= least]
    alone = [each for each in found.values() if len(each) == 1]
    count = min(strangers, len(alone))
    files += [alone[place * len(alone) // count] for place in range(count)]
    aligners = {name: Aligner(way) for name, way in ways(spec).items()}
    finder = open_finder(settings, spec)
    made: dict[str, list[Crops]] = {name: [] for name in aligners}
    people: list[tuple[int, ...]] = []
    others: list[int] = []
    place = seen = 0
    try:
        for photos in files:
            mine = []
            for photo in photos:
                seen += 1
                told(seen)
                try:
                    picture = decode(photo.read_bytes(), settings.limits)
                except ImageError:
                    continue
                (faces,) = finder.detector.detect([picture.image], [settings.detector.min_face_size])
                faces = faces[np.flatnonzero(faces.confidence >= finder.min_confidence)]
                if not len(faces):
                    continue
                face = faces[[central(faces, *picture.image.shape[1::-1])]]
                for name, aligner in aligners.items():
                    made[name].append(aligner.align(picture.image, face))
                mine.append(place)
                place += 1
            if len(photos) == 1:
                others += mine
            elif len(mine) >= least:
                people.append(tuple(mine))
    finally:
        finder.close()
    if len(people) < 2 or not others:
        raise MalformedRequest(f"{folder} has {len(people)} people with {least} usable photos, {len(others)} strangers")
    crops = {name: np.concatenate(each) for name, each in made.items()}
    return Photos(crops, tuple(people), tuple(others), seen - place)


def averaged(embedder: Embedder, crops: Crops, rows: Descriptors) -> Descriptors:
    """Return the unit-length mean of the crops' descriptors `rows` and those of their mirror images."""
    return unit(rows + embedder.embed(np.ascontiguousarray(crops[:, :, ::-1])))


def searched(photos: Photos, rows: Descriptors) -> list[Searches]:
    """Enrol one photo of each person and search with all others, in several splits."""
    done = []
    for seed in range(_SPLITS):
        chosen = split(photos.people, 1, seed)
        enrolled = rows[[each[0] for each in chosen.enrolled]].T
        done.append(searches(rows[chosen.probes] @ enrolled, chosen.owners, rows[list(photos.strangers)] @ enrolled))
    return done


def measure(photos: Photos, settings: Settings, precisions: Sequence[str], drawn: Drawings) -> Iterator[Row]:
    """Return the rows: every crop, mirrored or not, in fp32; and the network's own crop in other precisions."""
    own = next(iter(photos.crops))
    asked = [(crop, mirrored, "fp32") for crop in photos.crops for mirrored in (False, True)]
    asked += [(own, False, precision) for precision in precisions]
    embedders: dict[str, Embedder] = {}
    base: tuple[list[float], bootstrap.Numbers] | None = None
    rows = np.empty((0, 0), np.float32)
    for crop, mirrored, precision in asked:
        if precision not in embedders:
            wanted = settings.embedder.model_copy(update={"precision": precision})
            embedders[precision] = open_embedder(settings.model_copy(update={"embedder": wanted}))
        if mirrored:  # the row before is the same crop as it is
            rows = averaged(embedders[precision], photos.crops[crop], rows)
        else:
            rows = embedders[precision].embed(photos.crops[crop])
        done = searched(photos, rows)
        values = [bootstrap.mean_tpir(done, fpir) for fpir in FPIRS]
        drawings = bootstrap.rates(done, FPIRS, drawn)
        base = base or (values, drawings)
        for place, fpir in enumerate(FPIRS):
            gain = estimate(values[place] - base[0][place], drawings[place] - base[1][place])
            yield Row(crop, mirrored, precision, fpir, estimate(values[place], drawings[place]), gain)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| crop | mirrored | precision | " + " | ".join(f"FPIR {fpir:.0%} | gain" for fpir in FPIRS) + " |"]
    lines.append("|---" * (3 + 2 * len(FPIRS)) + "|")
    for first in range(0, len(rows), len(FPIRS)):
        part = rows[first : first + len(FPIRS)]
        cells = [f"{row.tpir} | {row.gain.value:+.3f} ({row.gain.low:+.3f} to {row.gain.high:+.3f})" for row in part]
        mirrored = "yes" if part[0].mirrored else "no"
        lines.append(f"| {part[0].crop} | {mirrored} | {part[0].precision} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table in Markdown, as the module describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--network", help="[default: FACEGROUP_NETWORK]")
    parser.add_argument("--precision", nargs="*", default=[], help="others than fp32, such as bf16 int8")
    parser.add_argument("--least", type=int, default=6, help="photos that a person to enrol must have")
    parser.add_argument("--strangers", type=int, default=600, help="people with one photo, evenly spaced by name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows here")
    given = parser.parse_args()
    settings = load(network=given.network)
    spec = open_embedder(settings).spec
    photos = cut(given.folder, settings, spec, given.least, given.strangers)
    drawn = bootstrap.draw(len(photos.people), len(photos.strangers), _DRAWINGS)
    rows = list(measure(photos, settings, given.precision, drawn))
    counts = {"people": len(photos.people), "strangers": len(photos.strangers), "without_a_face": photos.missed}
    print(f"\n{settings.network}: {counts}\n\n{table(rows)}")
    if given.json:
        written = {"network": settings.network, **counts, "rows": [asdict(row) for row in rows]}
        given.json.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
