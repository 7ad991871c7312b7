"""Finds the best few of many similarities."""

import numpy as np
from numpy.typing import NDArray

from facegroup.types import Floats


def top(scores: Floats, count: int) -> tuple[NDArray[np.intp], Floats]:
    """Return the columns and the scores, both (n, count), of the best of each row of (n, people), best first.

    Equals come in the order of the columns; with fewer people than `count`, so many.
    """
    rows, columns = scores.shape
    if count < columns:
        chosen = np.argpartition(scores, columns - count, axis=1)[:, columns - count :]
    else:
        chosen = np.broadcast_to(np.arange(columns), (rows, columns))
    best = np.take_along_axis(scores, chosen, axis=1)
    order = np.lexsort((chosen, -best), axis=1)
    return np.take_along_axis(chosen, order, axis=1), np.take_along_axis(best, order, axis=1)
