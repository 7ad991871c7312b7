"""Split any number of crops into batches of a few fixed sizes.

Compilers and kernels specialise on the batch size, so an engine only uses powers of two, and warms them all.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUCKETS = (1, 2, 4, 8, 16, 32, 64)

PADDING = 1 / 8
"""Most padding on a CPU, which takes as long for zeros. In batches half as large, a crop costs up to a fifth more."""


def buckets(largest: int, most: int = 0) -> tuple[int, ...]:
    """Return the batch sizes for up to `largest` crops: all sizes up to the first that holds them.

    Args:
        largest: how many crops come at once.
        most: largest size that the network allows; 0 if it sets none.
    """
    sizes = tuple(bucket for bucket in BUCKETS if bucket < 2 * min(largest, BUCKETS[-1]))
    return tuple(size for size in sizes if not most or size <= most)


def batches(crops: NDArray[Any], sizes: tuple[int, ...], padding: float = 1) -> Iterator[tuple[NDArray[Any], int]]:
    """Split (n, s, s, 3) crops into batches of the given ascending `sizes`, padded with zeros if none fits.

    Args:
        crops: the crops to split.
        sizes: allowed batch sizes, ascending.
        padding: largest share of padding in a batch that smaller batches could replace. 1 makes as few batches as possible,
            for a device that takes as long for a few crops; 0 makes as little padding as possible.

    Yields:
        a C-contiguous batch of one of the sizes, and how many of its crops are real.
    """
    start = 0
    while start < len(crops):
        left = len(crops) - start
        fitting = [size for size in sizes if size <= left]
        size = next((size for size in sizes if size >= left), sizes[-1])
        if fitting and size - left > padding * size:
            size = fitting[-1]
        part = crops[start : start + size]
        start += size
        if size == len(part):
            yield np.ascontiguousarray(part), size
        else:
            padded = np.zeros((size, *part.shape[1:]), part.dtype)
            padded[: len(part)] = part
            yield padded, len(part)
