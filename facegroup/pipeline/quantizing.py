"""Quantise a network in a child process, with faces from photos for calibration and other faces to check the result."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facegroup.detection.mtcnn import Mtcnn
from facegroup.detection.nets_openvino import OpenVinoNets
from facegroup.engines import worker_process
from facegroup.engines.precision import narrow_weights
from facegroup.errors import InvalidSettings
from facegroup.networks import cache, calibration_photos, quantization, registry
from facegroup.networks.alignment import Aligner
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.settings import Detector, Limits
from facegroup.types import Crops

CROPS = 300
"""Most faces to take, a third of them for the check."""

FEWEST = 30
"""Least number of faces in a folder."""

_PER_PHOTO = 4
_CHUNK = 16
# Higher than for answers: one false face among thirty would stretch the ranges.
_WANTED = Detector(min_confidence=0.95)


def main(network: str, ir: str, calibration: str, threads: str, out: str) -> None:
    """Quantise in this process, and write the IR to `out` with its record beside it (`facegroup.networks.quantization`)."""
    with worker_process.reporting() as report:
        # NNCF would send usage data; without this package it does not.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

        spec = registry.spec(network)  # a name, or the path of a YAML file
        photos = calibration_photos.chosen(Path(calibration))
        given, held_out = crops(spec, photos, int(threads), report)
        quantization.quantise(spec, Path(ir), given, Path(out), report)
        report("checking", 0, 0)
        found = quantization.check(spec, Path(ir), Path(out), held_out, int(threads))
        record = {"network": spec.name, **found.as_dict(), "calibrated_on": len(given), "narrow": narrow_weights()}
        versions = {name: cache.release(name) for name in ("openvino", "nncf")}
        Path(out).with_name(quantization.RECORD).write_text(json.dumps(record | versions, indent=2) + "\n")


def crops(
    spec: NetworkSpec, photos: Sequence[Path], threads: int, report: worker_process.Report
) -> tuple[Crops, Crops]:
    """Return faces to calibrate on, and faces of other photos for the check.

    Args:
        spec: the network for which they are cut out.
        photos: photos of any format. Files that are not photos, or have no face, are skipped.
        threads: threads for detection.
        report: function that is told how many photos are done.

    Returns:
        (n, s, s, 3) and (m, s, s, 3) uint8 RGB; m is about n/2.

    Raises:
        InvalidSettings: the photos have too few faces.
    """
    finder = Finder(Mtcnn(OpenVinoNets(threads)), Aligner(spec), Limits(), _WANTED, threads)
    parts: tuple[list[Crops], list[Crops]] = ([], [])
    seen = taken = 0
    for start in range(0, len(photos), _CHUNK):
        part = [Photo(data, liveness=False) for _, data in calibration_photos.read_all(photos[start : start + _CHUNK])]
        report("finding faces", start, len(photos))
        for found in finder.find(part):
            if isinstance(found, DetectedFaces) and len(found.crops) and taken < CROPS:
                largest = np.argsort(-found.quality.size, kind="stable")[:_PER_PHOTO]
                parts[seen % 3 == 2].append(found.crops[largest])
                seen, taken = seen + 1, taken + len(largest)
    finder.close()
    if taken < FEWEST or min(map(len, parts)) == 0:
        raise InvalidSettings(
            f"embedder.calibration has only {taken} faces in {seen} of {len(photos)} photos. At least {FEWEST} are needed."
        )
    return np.concatenate(parts[0]), np.concatenate(parts[1])
