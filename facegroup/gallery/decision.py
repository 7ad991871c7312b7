"""Decides who each face is: applies the threshold to the similarities, and names a person once in each image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegroup.types import Floats


def assign(
    people: NDArray[np.intp],
    best: Floats,
    images: NDArray[np.integer[Any]],
    quality: NDArray[Any],
    threshold: float,
    unique: bool = True,
) -> tuple[dict[int, int], dict[int, int]]:
    """Name the faces of images: of all pairs above the threshold the most similar is taken first.

    Args:
        people: (n, k) who the best of each face are, best first.
        best: (n, k) float32, how similar they are.
        images: (n,) which image each face is in.
        quality: (n,) which of two equally similar faces goes first: the greater.
        threshold: what a similarity must exceed, strictly.
        unique: whether a person is named at most once in each image.

    Returns:
        for each face that is named, the rank of its person among its best; and for each face that lost its best person
        to another one, which face that is.
    """
    rows, ranks = np.nonzero(best.astype(np.float64) > threshold)  # in float32 the threshold itself would be rounded
    order = np.lexsort((people[rows, ranks], -quality[rows], -best[rows, ranks]))
    named: dict[int, int] = {}
    taken: dict[tuple[int, int], int] = {}
    lost: dict[int, int] = {}
    for row, rank in zip(rows[order].tolist(), ranks[order].tolist(), strict=True):
        pair = (int(images[row]), int(people[row, rank]))
        if row in named:
            continue
        if unique and pair in taken:
            if rank == 0:
                lost[row] = taken[pair]
            continue
        named[row] = rank
        taken[pair] = row
    return named, lost
