"""A tiny grey picture in, out comes whether a frame is worth looking at: something moved, or the last look is a while ago.

The picture is compared cell by cell with a background that slowly takes in what stays. Somebody who sits still is looked at
for some seconds after the last movement, and then now and again: a face is never lost for good (docs/decisions/0014-eyes.md
has the figures).
"""

import math

import numpy as np
import numpy.typing as npt

CELLS = (64, 36)
"""Across and down. Of a picture 1280 wide a cell is 20 pixels: as large as the smallest face that is looked for."""

Grey = npt.NDArray[np.uint8]
"""(36, 64)."""


class MotionFilter:
    """Decides for one camera. Moments are seconds of any clock that only grows.

    Args:
        every: seconds after which a still scene is looked at again.
        hold: seconds for which everything is looked at after something moved.
        threshold: grey levels by which a cell's mean must differ from the background; up to three times as many where the
            picture is so noisy that cells differ by that much everywhere.
        memory: seconds in which the background takes in two thirds of a change: what stays is part of it after four times
            as long.
    """

    def __init__(self, every: float = 5.0, hold: float = 3.0, threshold: float = 4.0, memory: float = 5.0) -> None:
        self._every = every
        self._hold = hold
        self._threshold = threshold
        self._memory = memory
        self._background: npt.NDArray[np.float32] | None = None
        self._last = 0.0
        self._moved = 0.0
        self._looked = 0.0

    def opens(self, grey: Grey, moment: float) -> bool:
        """Return whether a frame is to be analysed, and remember it."""
        known = self._background
        if known is None:
            known = grey.astype(np.float32)
            self._moved = moment
        difference = grey - known
        size = np.abs(difference)
        middle = size.size // 2
        noise = 7.5 * float(np.partition(size, middle, axis=None)[middle])  # five deviations; np.median costs 5 MB
        if float(size.max()) > min(max(noise, self._threshold), 3 * self._threshold):
            self._moved = moment
        share = 1.0 - math.exp(-max(0.0, moment - self._last) / self._memory)
        self._background = known + np.float32(share) * difference
        nearer = (moment - self._last) / 2  # than the frame to come, which may be just too early or far too late
        self._last = moment
        if moment - self._moved > self._hold and moment - self._looked + nearer < self._every:
            return False
        self._looked = moment
        return True
