"""Measure how common a face is: how similar it is to the faces of other people. Strangers are then divided into tenths.

A stranger whose face resembles many people is named more often than one whose face resembles few. An overall FPIR does not
show this; the FPIR of each tenth does.
"""

import numpy as np
from numpy.typing import NDArray

from facegroup.types import Descriptors, Floats

LARGEST = 10
"""How many of the largest similarities count."""

TENTHS = 10


def commonness(faces: Descriptors, others: Descriptors, own: NDArray[np.intp] | None = None) -> Floats:
    """Return the mean of each face's ten largest similarities to other people's: (n,) float32 in -1..1.

    Args:
        faces: (n, d) float32, rows of unit length.
        others: (m, d) float32, one row of unit length for each person; m ≥ 1, and ≥ 2 with `own`.
        own: (n,) which row is of the same person as each face; None: none is.
    """
    near = faces @ others.T
    if own is not None:
        near[np.arange(len(faces)), own] = -np.inf
    count = min(LARGEST, len(others) - (own is not None))
    best = np.partition(near, len(others) - count, axis=1)[:, len(others) - count :]
    return np.asarray(best.mean(axis=1), np.float32)


def tenths(measured: Floats) -> NDArray[np.intp]:
    """Return the tenth of each face, 0 the least common: (n,); equals in the order given."""
    order = np.argsort(measured, kind="stable")
    found = np.empty(len(measured), np.intp)
    found[order] = np.arange(len(measured)) * TENTHS // max(len(measured), 1)
    return found
