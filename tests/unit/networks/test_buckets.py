import numpy as np
import pytest

from facegroup.networks.buckets import batches, buckets


@pytest.mark.parametrize(
    ("largest", "sizes"),
    [(1, (1,)), (2, (1, 2)), (3, (1, 2, 4)), (32, (1, 2, 4, 8, 16, 32)), (1000, (1, 2, 4, 8, 16, 32, 64))],
)
def test_the_buckets_hold_the_largest_batch(largest: int, sizes: tuple[int, ...]) -> None:
    assert buckets(largest) == sizes


@pytest.mark.parametrize(
    ("n", "expected"), [(0, []), (1, [(1, 1)]), (3, [(4, 3)]), (4, [(4, 4)]), (9, [(4, 4), (4, 4), (1, 1)])]
)
def test_batches_have_the_given_sizes_and_keep_the_order(n: int, expected: list[tuple[int, int]]) -> None:
    crops = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1) + np.zeros((n, 2, 2, 3), np.uint8)
    cut = list(batches(crops, (1, 2, 4)))
    assert [(len(batch), real) for batch, real in cut] == expected
    seen = [int(one[0, 0, 0]) for batch, real in cut for one in batch[:real]]
    assert seen == list(range(n))
