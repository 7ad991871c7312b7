"""Memory that is used again for one large array after another.

Fresh memory for each costs the kernel as much time as filling it takes, and what is freed lies about in pieces: a detector
that asked for it batch by batch came to hold twice what it used.
"""

from dataclasses import dataclass

import numpy as np

from facegroup.types import Floats


class Buffer:
    """One piece of memory, for one array at a time.

    Args:
        most: numbers that it keeps room for; for a larger array there is fresh memory.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._memory = np.zeros(0, np.float32)

    def take(self, *shape: int) -> Floats:
        """Return a float32 array of any content. The one before must be done with: it is the same memory."""
        size = int(np.prod(shape))
        if size > self._most:
            return np.zeros(shape, np.float32)
        if not self._memory.size:
            self._memory = np.zeros(self._most, np.float32)  # the system gives a page when it is first written to
        return self._memory[:size].reshape(shape)


@dataclass(frozen=True, slots=True)
class DetectorBuffers:
    """What one thread of a detector works in.

    Attributes:
        pages: how many canvases it looks at, at once.
        canvases: they are put in this.
        photo: the photo that is scaled or cut from, in float32.
    """

    pages: int
    canvases: Buffer
    photo: Buffer


NO_ROOM = DetectorBuffers(1 << 30, Buffer(0), Buffer(0))
"""Fresh memory for everything."""
