import numpy as np
import pytest

from facegroup.engines.batch_sizes import batches, buckets


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


@pytest.mark.parametrize(
    ("n", "padding", "expected"),
    [
        (11, 1, [(16, 11)]),
        (11, 1 / 8, [(8, 8), (4, 3)]),  # 3 of 4 would be a quarter of padding, but there is nothing smaller
        (14, 1 / 8, [(16, 14)]),
        (13, 1 / 8, [(8, 8), (4, 4), (4, 1)]),
        (37, 1 / 8, [(16, 16), (16, 16), (4, 4), (4, 1)]),
        (8, 0, [(8, 8)]),
        (0, 1 / 8, []),
    ],
)
def test_no_batch_is_padded_more_than_it_may_be(n: int, padding: float, expected: list[tuple[int, int]]) -> None:
    crops = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1) + np.ones((n, 2, 2, 3), np.uint8)
    cut = list(batches(crops, (4, 8, 16), padding))
    assert [(len(batch), real) for batch, real in cut] == expected
    assert [int(one[0, 0, 0]) for batch, real in cut for one in batch[:real]] == list(range(1, n + 1))
    assert not any(batch[real:].any() for batch, real in cut)
