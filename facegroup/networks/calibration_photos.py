"""Choose the photos of a folder on which a network is calibrated for quantisation, and compute their fingerprint.

The choice depends only on file names, so the same folder always gives the same photos.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from facegroup.errors import FacegroupError, InvalidSettings, MalformedRequest
from facegroup.images import folders
from facegroup.images.files import read

log = logging.getLogger(__name__)

PHOTOS = 400
"""Most photos taken from a folder, spread evenly over it."""


def chosen(folder: Path) -> list[Path]:
    """Return the chosen photos in and below a folder.

    Raises:
        InvalidSettings: there are no photos.
    """
    try:
        found = folders.photos([folder])
    except (MalformedRequest, OSError) as error:
        raise InvalidSettings(f"embedder.calibration should be a folder of photos with faces. {error}") from error
    files = found.files
    if found.skipped:
        log.warning("embedder.calibration: files that are not photos are skipped%s", folders.summary(found.skipped))
    return [files[index] for index in np.unique(np.linspace(0, len(files) - 1, PHOTOS).astype(int))]


def fingerprint(photos: Sequence[Path]) -> str:
    """Return a hash of the photos' contents, as 64 hexadecimal digits.

    Raises:
        InvalidSettings: a photo cannot be read.
    """
    total = hashlib.sha256()
    for _, data in read_all(photos):
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def read_all(photos: Sequence[Path]) -> Iterator[tuple[Path, bytes]]:
    """Yield each photo and its bytes.

    Raises:
        InvalidSettings: a photo cannot be read.
    """
    for part in read(photos, count=1):
        for path, data in part:
            if isinstance(data, FacegroupError):
                raise InvalidSettings(f"embedder.calibration: {data}") from data
            yield path, data
