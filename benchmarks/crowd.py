"""Make up people and probes for measuring galleries: clustered and non-negative, like the output of a network's last ReLU.

A person is max(0, family + own), divided by its length. There are 4,000 families, so that everybody has look-alikes. A probe
is a member with noise (cosine about 0.8 to the member), and a stranger belongs to a family. They are made block by block.
"""

from collections.abc import Iterator

import numpy as np

from facegroup.types import Descriptors, Floats

_FAMILIES = 4_000
_LIKENESS = 0.8
_BLOCK = 8_192


def people(count: int, dimension: int) -> Iterator[Floats]:
    """Yield (n, d) float32 rows of unit length, `count` in total, n at most 8,192, the same for each call."""
    families = _normal(_FAMILIES, dimension, 0) * np.float32(_LIKENESS)
    own = _normal(_BLOCK, dimension, 1)
    for start in range(0, count, _BLOCK):
        random = np.random.default_rng([2, start])
        rows = families[random.integers(0, _FAMILIES, min(_BLOCK, count - start))]
        # Of one block's noise the next is made by moving it along: as good as new, and forty times as fast.
        rows += np.roll(own[: len(rows)], start // _BLOCK * 7, axis=1)
        yield _unit(np.maximum(rows, 0))


def members(rows: Floats) -> Descriptors:
    """Return a noisy copy of each row."""
    noise = _normal(*rows.shape, 3)
    return _unit(np.maximum(rows * np.float32(np.sqrt(rows.shape[1])) + noise, 0))


def strangers(count: int, dimension: int) -> Descriptors:
    """Return people who are in no gallery, from the families of those who are."""
    families = _normal(_FAMILIES, dimension, 0)[:count] * np.float32(_LIKENESS)
    return _unit(np.maximum(families + _normal(count, dimension, 4), 0))


def _normal(count: int, dimension: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((count, dimension), np.float32)


def _unit(rows: Floats) -> Floats:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
