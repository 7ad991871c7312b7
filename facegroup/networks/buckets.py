"""Batch sizes: any number of crops goes in, batches of a few fixed sizes come out.

Compilers and kernels specialise on the batch size, so an engine meets only the powers of two, and warms them all.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUCKETS = (1, 2, 4, 8, 16, 32, 64)


def buckets(largest: int) -> tuple[int, ...]:
    """Return the buckets that batches of up to `largest` crops meet: all up to the first that holds them."""
    return tuple(bucket for bucket in BUCKETS if bucket < 2 * min(largest, BUCKETS[-1]))


def batches(crops: NDArray[Any], sizes: tuple[int, ...]) -> Iterator[tuple[NDArray[Any], int]]:
    """Cut (n, s, s, 3) crops into batches of the given ascending `sizes`, the last one padded with zeros.

    Yields:
        a batch of exactly one of the sizes, C-contiguous, and how many of its crops are real.
    """
    for start in range(0, len(crops), sizes[-1]):
        part = crops[start : start + sizes[-1]]
        size = next(size for size in sizes if size >= len(part))
        if size == len(part):
            yield np.ascontiguousarray(part), size
        else:
            padded = np.zeros((size, *part.shape[1:]), part.dtype)
            padded[: len(part)] = part
            yield padded, len(part)
