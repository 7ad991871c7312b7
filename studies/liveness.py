"""Measure the liveness detector: BPCER on photos and clips of people, what simulated attacks score, and CPU time.

Run `python -m studies.liveness --json FILE`. It needs ../shared. BPCER is the share of people's faces that are not live,
APCER that of attacks that are (ISO/IEC 30107-3). Attacks are simulated (studies/presentation_attacks.py): their rate here is
no APCER of the standard. The results are in docs/liveness.md.
"""

import argparse
import json
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.images.decode import decode
from facegroup.liveness.detector import LivenessDetector
from facegroup.liveness.minifasnet import SCALES, MiniFasNet
from facegroup.liveness.patches import SIDE
from facegroup.networks import weights
from facegroup.networks.registry import spec
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.liveness_files import FILES
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import Limits, Settings, load
from facegroup.types import Floats, Image
from studies.presentation_attacks import ATTACKS

SHARED = Path(__file__).resolve().parents[2] / "shared"
FACES = SHARED / "faces"
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PRECISIONS = ("fp32", "bf16")
SIDES = (20, 30, 40, 50, 60, 80)
_PHOTOS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Faces that were scored: (n, precisions) scores, (n, networks) scores in fp32, shorter sides, and their photos."""

    scores: Floats
    networks: Floats
    sides: Floats
    names: tuple[str, ...]

    def only(self, chosen: NDArray[np.bool_]) -> "Faces":
        """Return some of the faces."""
        names = tuple(name for name, fits in zip(self.names, chosen.tolist(), strict=True) if fits)
        return Faces(self.scores[chosen], self.networks[chosen], self.sides[chosen], names)


class Scorer:
    """Finds one face of each photo, the one in the middle or the largest, and scores it in every precision."""

    def __init__(self, settings: Settings) -> None:
        self._finder: Finder = open_finder(settings, spec("retail-0095"))
        paths = weights.fetch_files(FILES["minifasnet"], "minifasnet", settings)
        self.networks = [MiniFasNet(paths, 1, precision) for precision in PRECISIONS]
        self._alone = [MiniFasNet([path], 1, "fp32") for path in paths]
        self._detector = LivenessDetector(self.networks[0], 0.5, 1)

    def scored(self, photos: Iterable[tuple[str, bytes]], *, central: bool) -> Faces:
        """Return the faces of encoded photos, each with its name; photos without a face are left out."""
        patches, sides, names = [], [], []
        for part in _parts(photos):
            for (name, data), found in zip(part, self._finder.find([Photo(data) for _, data in part]), strict=True):
                if not isinstance(found, DetectedFaces) or not len(found.faces):
                    continue
                boxes, image = found.faces.boxes, decode(data, Limits()).image
                if image.shape[1::-1] != (found.width, found.height):
                    continue  # decoded smaller
                middle = np.array([found.width, found.height]) / 2
                away = np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 - middle, axis=1)
                area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
                which = int(np.argmin(away) if central else np.argmax(area))
                cut = self._detector.cut(image, boxes[[which]])
                if len(cut.pixels):
                    patches.append(cut.pixels)
                    sides.append(float((boxes[which, 2:] - boxes[which, :2]).min()))
                    names.append(name)
        pixels = np.concatenate(patches) if patches else np.empty((0, len(SCALES), SIDE, SIDE, 3), np.uint8)
        scores = np.stack([each.scores(pixels) for each in self.networks], axis=1)
        alone = [each.scores(pixels[:, [index]]) for index, each in enumerate(self._alone)]
        return Faces(scores, np.stack(alone, axis=1), np.array(sides, np.float32), tuple(names))


def people(faces: Faces) -> dict[str, Any]:
    """Return the BPCER at every threshold, and what else describes the scores of people."""
    scores = faces.scores[:, 0]
    return {
        "faces": len(scores),
        "bpcer": {f"{limit:g}": float((scores <= limit).mean()) for limit in THRESHOLDS},
        "quantiles": {f"{part:g}": float(np.quantile(scores, part)) for part in (0.01, 0.05, 0.1, 0.25, 0.5)},
        "bpcer of one network at 0.5": [float((each <= 0.5).mean()) for each in faces.networks.T],
        "bf16": {
            "mean difference": float(np.abs(scores - faces.scores[:, 1]).mean()),
            "greatest difference": float(np.abs(scores - faces.scores[:, 1]).max()),
            "other decision at 0.5": float(((scores > 0.5) != (faces.scores[:, 1] > 0.5)).mean()),
        },
    }


def attacks(faces: Faces) -> dict[str, Any]:
    """Return which share of simulated attacks is live at every threshold."""
    scores = faces.scores[:, 0]
    return {
        "faces": len(scores),
        "accepted": {f"{limit:g}": float((scores > limit).mean()) for limit in THRESHOLDS},
        "median": float(np.median(scores)),
        "accepted by one network at 0.5": [float((each > 0.5).mean()) for each in faces.networks.T],
    }


def cost(networks: Sequence[MiniFasNet]) -> dict[str, dict[str, float]]:
    """Return CPU ms per face and network on one thread, in batches of 1, 8 and 32: the least of 25."""
    patches = np.random.default_rng(0).integers(0, 256, (32, len(SCALES), SIDE, SIDE, 3), np.uint8)
    told: dict[str, dict[str, float]] = {}
    for precision, network in zip(PRECISIONS, networks, strict=True):
        for count in (1, 8, 32):
            network.scores(patches[:count])
            took = []
            for _ in range(25):
                start = time.process_time()
                network.scores(patches[:count])
                took.append(time.process_time() - start)
            told.setdefault(precision, {})[str(count)] = 1000 * min(took) / count / len(SCALES)
    return told


def grey(photo: Image) -> Image:
    """Return a photo without colour, as cameras send at night."""
    return np.asarray(np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2), np.uint8)


def dark(photo: Image) -> Image:
    """Return a photo with a third of its light."""
    return np.asarray(photo * 0.35, np.uint8)


def compressed(photo: Image) -> Image:
    """Return a photo as a JPEG of quality 30."""
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1), np.uint8)


CHANGES = {each.__name__: each for each in (grey, dark, compressed)}
"""Photos of people as worse cameras take them."""


def _black(path: Path) -> float:
    """Return which share of a photo is black, as the corners are where LFW was turned."""
    return float((_image(path).max(axis=2) < 4).mean())


def _parts(photos: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    part: list[tuple[str, bytes]] = []
    for photo in photos:
        part.append(photo)
        if len(part) == _PHOTOS:
            yield part
            part = []
    if part:
        yield part


def _files(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    return ((path.name, path.read_bytes()) for path in paths)


def _image(path: Path) -> Image:
    return decode(path.read_bytes(), Limits()).image


def _encoded(image: Image) -> bytes:
    return bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1])


def _smaller(photos: Iterable[tuple[str, bytes]], faces: Faces, side: int) -> Iterator[tuple[str, bytes]]:
    """Return photos scaled down until the face that was found has this side; those in which it is smaller are left out."""
    sides = dict(zip(faces.names, faces.sides.tolist(), strict=True))
    for name, data in photos:
        image, factor = decode(data, Limits()).image, side / sides.get(name, side)
        if factor < 1:
            size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
            yield name, _encoded(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8))


def _seeded(name: str, photo: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{name}/{photo}".encode()))


def main() -> None:
    """Run all measurements, and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=2000, help="of LFW")
    parser.add_argument("--attacked", type=int, default=200, help="photos of LFW that are attacked in each way")
    parser.add_argument("--detector", default="mtcnn")
    given = parser.parse_args()
    told: dict[str, Any] = {}

    def tell(name: str, found: Mapping[str, Any]) -> None:
        told[name] = found
        given.json.write_text(json.dumps(told, indent=1))
        print(name, json.dumps(found), flush=True)

    scorer = Scorer(load(model_dir=SHARED / "models", detector={"threads": 1, "model": given.detector}))
    tell("cost", cost(scorer.networks))
    originals = sorted((FACES / "lfw_original_subset").rglob("*.jpg"))
    funneled = {path.name: path for path in (FACES / "lfw_deepfunneled").rglob("*.jpg")}
    tell("LFW originals", people(scorer.scored(_files(originals), central=True)))
    both = [path for path in originals if path.name in funneled]
    tell("the same, original", people(scorer.scored(_files(both), central=True)))
    tell("the same, deep-funneled", people(scorer.scored(_files(funneled[each.name] for each in both), central=True)))
    large = sorted((FACES / "face_recognition_examples" / "examples").rglob("*.jp*g"))
    tell("large portraits", people(scorer.scored(_files(large), central=False)))
    lfw = [funneled[name] for name in sorted(funneled)]
    some = [lfw[int(each)] for each in np.linspace(0, len(lfw) - 1, given.photos)]
    whole = scorer.scored(_files(some), central=True)
    tell("LFW", people(whole))
    black = np.array([_black(funneled[name]) for name in whole.names])
    for name, chosen in (("above", black > 0.06), ("below", black <= 0.06)):
        tell(f"LFW, {name} 6 % black", people(whole.only(chosen)))
    for name, change in CHANGES.items():
        made = [(path.name, _encoded(change(_image(path)))) for path in [*originals, *large]]
        tell(f"people, {name}", people(scorer.scored(made, central=False)))
    for name, attack in ATTACKS.items():
        made = [(path.name, _encoded(attack(_image(path), _seeded(name, path.name)))) for path in [*originals, *large]]
        found = scorer.scored(made, central=False)
        tell(f"simulated: {name}", attacks(found))
        for side in SIDES if name in ("printed", "on screen") else ():
            smaller = _smaller(made, found, side)
            tell(f"simulated: {name}, at {side} px", attacks(scorer.scored(smaller, central=False)))
    part = some[:: max(1, len(some) // given.attacked)]
    for side in SIDES:
        tell(f"LFW at {side} px", people(scorer.scored(_smaller(_files(part), whole, side), central=True)))


if __name__ == "__main__":
    main()
