"""Descriptors and centroids of a store: bytes to arrays and back, and the one definition of a class centroid.

Kept are little-endian float32 numbers and nothing else, so that any machine and any program can read them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facegroup.store.base import Centroids
from facegroup.types import Floats, Gallery

_WIRE = np.dtype("<f4")
_SHORTEST = 1e-6  # of a mean of unit vectors; below it no direction is left in float32


def centroid(descriptors: Sequence[NDArray[np.float32]]) -> Floats | None:
    """Return the class centroid (DESIGN §5): the mean of a person's unit descriptors, divided by its norm.

    Args:
        descriptors: n rows of (d,), in any order: the sum is taken in float64.

    Returns:
        (d,) float32 of unit length; None where there is no descriptor, or they cancel out and leave no direction.
    """
    if not len(descriptors):
        return None
    mean = np.mean(np.stack(descriptors), axis=0, dtype=np.float64)
    norm = float(np.linalg.norm(mean))
    if norm < _SHORTEST:
        return None
    return np.asarray(mean / norm, np.float32)


def centroids(gallery: Gallery, rows: Sequence[tuple[str, str | None, bytes | None]]) -> Centroids:
    """Return what a reader gets, from (id, name, centroid) of people; those without a centroid are gone."""
    here = sorted((key, name or "", vector) for key, name, vector in rows if vector is not None)
    matrix = np.frombuffer(b"".join(vector for _, _, vector in here), _WIRE).astype(np.float32)
    return Centroids(
        version=gallery.version,
        threshold=gallery.threshold,
        network=gallery.network,
        ids=tuple(key for key, _, _ in here),
        names=tuple(name for _, name, _ in here),
        matrix=matrix.reshape(len(here), gallery.dimension),
        gone=tuple(sorted(key for key, _, vector in rows if vector is None)),
    )


def to_bytes(vector: Floats) -> bytes:
    """Return float32 numbers as they are kept: little-endian, whatever the machine."""
    return vector.astype(_WIRE).tobytes()


def from_bytes(data: bytes) -> Floats:
    """Return the (d,) float32 that `to_bytes` wrote."""
    return np.frombuffer(data, _WIRE).astype(np.float32)
