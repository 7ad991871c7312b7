"""Reuse memory for one large array after another.

Allocating each array costs as much time as filling it, and freed memory is fragmented: a detector that allocated memory
batch by batch came to hold twice as much as it used.
"""

from dataclasses import dataclass

import numpy as np

from facegroup.types import Floats


class Buffer:
    """A block of memory for one array at a time.

    Args:
        most: size of the block in numbers. A larger array gets memory of its own.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._memory = np.zeros(0, np.float32)

    def take(self, *shape: int) -> Floats:
        """Return an uninitialised float32 array. It reuses the memory of the previous one, which becomes invalid."""
        size = int(np.prod(shape))
        if size > self._most:
            return np.zeros(shape, np.float32)
        if not self._memory.size:
            self._memory = np.zeros(self._most, np.float32)  # the system allocates a page when it is first written
        return self._memory[:size].reshape(shape)


@dataclass(frozen=True, slots=True)
class DetectorBuffers:
    """The buffers of one thread of a detector.

    Attributes:
        pages: how many canvases are processed at once.
        canvases: memory for the canvases.
        photo: memory for the photo in float32, from which scales and crops are made.
    """

    pages: int
    canvases: Buffer
    photo: Buffer


UNBUFFERED = DetectorBuffers(1 << 30, Buffer(0), Buffer(0))
"""Buffers that allocate every array anew."""
