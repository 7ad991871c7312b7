"""A folder of photos → face crops for one network: what it is calibrated on when it is quantised, and checked with.

Which photos are taken depends on their names only, so the same folder gives the same crops.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from facegroup import folders
from facegroup.align import Aligner
from facegroup.errors import FacegroupError, InvalidSettings, MalformedRequest
from facegroup.finder import Finder
from facegroup.mtcnn import Mtcnn
from facegroup.networks.base import NetworkSpec
from facegroup.networks.child import Report
from facegroup.photos import Found, Photo
from facegroup.reading import read
from facegroup.settings import Detector, Limits
from facegroup.types import Crops

log = logging.getLogger(__name__)

PHOTOS = 400
"""Most photos of a folder that are looked at, spread evenly over it."""

CROPS = 300
"""Most faces that are taken, a third of them to check with."""

FEWEST = 30
"""Faces that a folder must have."""

_PER_PHOTO = 4
_CHUNK = 16
# Surer than a face that is answered: a wall among thirty faces would stretch the ranges.
_WANTED = Detector(min_confidence=0.95)


def chosen(folder: Path) -> list[Path]:
    """Return the photos of a folder, and below it, that are looked at.

    Raises:
        InvalidSettings: there is none.
    """
    try:
        found = folders.photos([folder])
    except (MalformedRequest, OSError) as error:
        raise InvalidSettings(f"embedder.calibration should be a folder of photos with faces: {error}") from error
    files = found.files
    if found.skipped:
        log.warning("embedder.calibration: files that are no photos are left out%s", folders.summary(found.skipped))
    return [files[index] for index in np.unique(np.linspace(0, len(files) - 1, PHOTOS).astype(int))]


def fingerprint(photos: Sequence[Path]) -> str:
    """Return a hash of the photos' contents, in 64 hexadecimal digits.

    Raises:
        InvalidSettings: one cannot be read.
    """
    total = hashlib.sha256()
    for _, data in _read(photos):
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def crops(spec: NetworkSpec, photos: Sequence[Path], threads: int, report: Report) -> tuple[Crops, Crops]:
    """Return the faces of some photos to calibrate on, and others, of other photos, to check with.

    Args:
        spec: the network they are cut out for.
        photos: of any formats; those that are none, or show no face, are passed over.
        threads: that detect.
        report: told how many photos are done.

    Returns:
        (n, s, s, 3) and (m, s, s, 3) uint8 RGB; m is about n/2.

    Raises:
        InvalidSettings: the photos show too few faces.
    """
    from facegroup.networks.mtcnn_openvino import OpenVinoNets

    finder = Finder(Mtcnn(OpenVinoNets(threads)), Aligner(spec), Limits(), _WANTED, threads)
    parts: tuple[list[Crops], list[Crops]] = ([], [])
    seen = taken = 0
    for start in range(0, len(photos), _CHUNK):
        part = [Photo(data) for _, data in _read(photos[start : start + _CHUNK])]
        report("finding faces", start, len(photos))
        for found in finder.find(part):
            if isinstance(found, Found) and len(found.crops) and taken < CROPS:
                largest = np.argsort(-found.quality.size, kind="stable")[:_PER_PHOTO]
                parts[seen % 3 == 2].append(found.crops[largest])
                seen, taken = seen + 1, taken + len(largest)
    finder.close()
    if taken < FEWEST or min(map(len, parts)) == 0:
        raise InvalidSettings(
            f"embedder.calibration shows {taken} faces in {seen} of {len(photos)} photos; it should show at least {FEWEST}"
        )
    return np.concatenate(parts[0]), np.concatenate(parts[1])


def _read(photos: Sequence[Path]) -> Iterator[tuple[Path, bytes]]:
    for part in read(photos, count=1):
        for path, data in part:
            if isinstance(data, FacegroupError):
                raise InvalidSettings(f"embedder.calibration: {data}") from data
            yield path, data
