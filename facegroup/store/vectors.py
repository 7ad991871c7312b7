"""Descriptors and centroids: how a store keeps them, and how a class centroid is computed.

Without a key, kept are little-endian float32 numbers and nothing else, so that any machine and any program can read them.
With one they are encrypted (`facegroup.store.encryption`).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from facegroup.store.contract import Centroids
from facegroup.store.encryption import UNREADABLE, Cipher, SecretKeys, place
from facegroup.types import Floats, Gallery, Sample, Times

_WIRE = np.dtype("<f4")
_OFF_UNIT = 1e-3
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


def centroids(
    gallery: Gallery,
    rows: Sequence[tuple[str, str | None, bytes | None, float | None, bytes | None]],
    damaged: Callable[[str, str], None],
    cipher: Cipher,
) -> Centroids:
    """Return what a reader gets, from (id, name, centroid, expiry, counter-examples) of people, as `cipher` reads them.

    Those without a centroid are gone, and so are those of whom a value cannot be used: `damaged` is told the id, and what
    is wrong. Without the counter-examples somebody else would get the name again.
    """
    kept: dict[str, tuple[str, bytes, float | None]] = {}
    counters: dict[str, Floats] = {}
    for key, name, vector, expiry, rest in rows:
        if vector is None:
            continue
        centroid_place, counters_place = places(gallery.name, key)
        if (found := cipher.decrypt(vector, centroid_place)) is None:
            damaged(key, UNREADABLE)
            continue
        kept[key] = (name or "", found, expiry)
        if rest is None:
            continue
        data = cipher.decrypt(rest, counters_place)
        if data == b"":
            continue
        if why := UNREADABLE if data is None else fault(gallery.dimension, data):
            damaged(key, f"its counter-examples: {why}")
            del kept[key]
        elif data is not None:
            counters[key] = from_bytes(data).reshape(-1, gallery.dimension)
    for key, why in faults(gallery.dimension, {key: vector for key, (_, vector, _) in kept.items()}).items():
        damaged(key, why)
        del kept[key]
    here = [(key, *kept[key]) for key in sorted(kept)]
    matrix = np.frombuffer(b"".join(vector for _, _, vector, _ in here), _WIRE).astype(np.float32)
    return Centroids(
        version=gallery.version,
        threshold=gallery.threshold,
        network=gallery.network,
        ids=tuple(key for key, _, _, _ in here),
        names=tuple(name for _, name, _, _ in here),
        matrix=matrix.reshape(len(here), gallery.dimension),
        gone=tuple(sorted(key for key, *_ in rows if key not in kept)),
        expires=expiries([expiry for _, _, _, expiry in here]),
        probe_quality=gallery.probe_quality,
        calibration=gallery.calibration,
        counters={key: rows for key, rows in counters.items() if key in kept},
        unique=gallery.unique,
        decision=gallery.decision,
        liveness=gallery.liveness,
        detector=gallery.detector,
        fingerprint=gallery.fingerprint,
        cohort_version=gallery.cohort_version,
    )


def fault(dimension: int, data: bytes) -> str | None:
    """Return why some kept rows of d numbers, one after the other, cannot be used; None where they can."""
    size = dimension * _WIRE.itemsize
    if len(data) % size:
        return f"{len(data)} bytes are no rows of {size}"
    pieces = {str(start): data[start : start + size] for start in range(0, len(data), size)}
    return next(iter(faults(dimension, pieces).values()), None)


def faults(dimension: int, vectors: Mapping[str, bytes]) -> dict[str, str]:
    """Return which of some kept vectors cannot be used, and why: of another length, not finite, not of unit length."""
    size = dimension * _WIRE.itemsize
    bad = {key: f"{len(data)} bytes, not {size}" for key, data in vectors.items() if len(data) != size}
    good = [key for key in vectors if key not in bad]
    rows = np.frombuffer(b"".join(vectors[key] for key in good), _WIRE).reshape(len(good), dimension)
    with np.errstate(all="ignore"):
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        off = ~(np.abs(norms - 1) <= _OFF_UNIT)  # so is NaN
    for row in np.flatnonzero(off).tolist():
        bad[good[row]] = "it is not of unit length" if np.isfinite(norms[row]) else "it is not finite"
    return bad


def expiries(seconds: Sequence[float | None]) -> Times | None:
    """Return when people expire, infinite for never; None where nobody does."""
    if all(each is None for each in seconds):
        return None
    return np.array([np.inf if each is None else each for each in seconds], np.float64)


def limits(read: Centroids) -> dict[str, float]:
    """Return when each of those people expires who do, in seconds since the epoch."""
    times = [] if read.expires is None else read.expires.tolist()
    return {key: limit for key, limit in zip(read.ids, times, strict=read.expires is not None) if limit < np.inf}


def derived(
    samples: Sequence[Sample], keys: SecretKeys, gallery: str, person_id: str
) -> tuple[bytes | None, bytes | None]:
    """Return what is kept of a person's samples for matching: the centroid, and the counter-examples."""
    mean, counters = centroid_of(samples), stacked(samples)
    centroid_place, counters_place = places(gallery, person_id)
    return (
        None if mean is None else keys.encrypt(to_bytes(mean), centroid_place),
        keys.encrypt(counters, counters_place) if counters else None,
    )


def places(gallery: str, person_id: str) -> tuple[bytes, bytes]:
    """Return the places of a person's centroid and counter-examples, as they are encrypted."""
    return place("centroid", gallery, person_id), place("counters", gallery, person_id)


def stacked(samples: Sequence[Sample]) -> bytes:
    """Return the descriptors of those samples that are counter-examples as they are kept, one after the other."""
    return b"".join(to_bytes(sample.descriptor) for sample in samples if sample.counter)


def centroid_of(samples: Sequence[Sample]) -> Floats | None:
    """Return the `centroid` of those samples that are no counter-examples."""
    return centroid([sample.descriptor for sample in samples if not sample.counter])


def to_bytes(vector: Floats) -> bytes:
    """Return float32 numbers as they are kept: little-endian, whatever the machine."""
    return vector.astype(_WIRE).tobytes()


def from_bytes(data: bytes) -> Floats:
    """Return the (d,) float32 that `to_bytes` wrote."""
    return np.frombuffer(data, _WIRE).astype(np.float32)
