"""Similarities in, people out: the best few of each face, and which of them it is named, one person once per image."""

from typing import Any

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


def assign(
    people: NDArray[np.intp], best: Floats, images: NDArray[np.integer[Any]], quality: NDArray[Any], threshold: float
) -> dict[int, int]:
    """Name each person at most once in each image: of all pairs above the threshold the most similar is taken first.

    Args:
        people: (n, k) who the best of each face are, best first.
        best: (n, k) float32, how similar they are.
        images: (n,) which image each face is in.
        quality: (n,) which of two equally similar faces goes first: the greater.
        threshold: what a similarity must exceed, strictly.

    Returns:
        For each face that is named, the rank of its person among its best.
    """
    rows, ranks = np.nonzero(best.astype(np.float64) > threshold)  # in float32 the threshold itself would be rounded
    order = np.lexsort((people[rows, ranks], -quality[rows], -best[rows, ranks]))
    named: dict[int, int] = {}
    taken: set[tuple[int, int]] = set()
    for row, rank in zip(rows[order].tolist(), ranks[order].tolist(), strict=True):
        pair = (int(images[row]), int(people[row, rank]))
        if row not in named and pair not in taken:
            named[row] = rank
            taken.add(pair)
    return named
