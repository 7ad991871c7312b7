"""Memory that is used again: the same piece each time, and fresh memory for what is too large for it."""

import numpy as np

from facegroup.detection.buffers import Buffer


def test_the_same_memory_again() -> None:
    scratch = Buffer(24)
    first = scratch.take(2, 3, 4)
    assert first.shape == (2, 3, 4)
    assert first.dtype == np.float32
    assert np.shares_memory(first, scratch.take(5))


def test_fresh_memory_for_more() -> None:
    scratch = Buffer(24)
    assert not np.shares_memory(scratch.take(25), scratch.take(24))
    assert not np.shares_memory(scratch.take(25), scratch.take(25))
