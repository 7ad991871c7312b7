"""Motion detection: leaves out frames in which nothing moves.

A small grey picture is compared cell by cell with a background that slowly follows it. After a movement frames are analysed
for some seconds, and then now and again, so that a person who sits still is not lost (figures:
docs/decisions/0014-camera-readers.md).
"""

import math

import numpy as np
import numpy.typing as npt

CELLS = (64, 36)
"""Across and down. Of a picture 1280 wide a cell is 20 pixels: as large as the smallest face that is detected."""

Grey = npt.NDArray[np.uint8]
"""(36, 64)."""


class MotionFilter:
    """Class that decides for one camera which frames are analysed. Moments are seconds of a clock that only grows.

    Args:
        every: seconds after which a frame of a still scene is analysed.
        hold: seconds for which all frames are analysed after a movement.
        threshold: grey levels by which a cell's mean must differ from the background; up to three times as many where the
            picture is so noisy that cells differ by that much everywhere.
        memory: seconds in which the background follows two thirds of a change; all of it after four times as long.
    """

    def __init__(self, every: float = 5.0, hold: float = 3.0, threshold: float = 4.0, memory: float = 5.0) -> None:
        self._every = every
        self._hold = hold
        self._threshold = threshold
        self._memory = memory
        self._background: npt.NDArray[np.float32] | None = None
        self._last = 0.0
        self._moved = 0.0
        self._analysed = 0.0

    def opens(self, grey: Grey, moment: float) -> bool:
        """Return whether a frame is to be analysed, and remember it."""
        known = self._background
        if known is None:
            known = grey.astype(np.float32)
            self._moved = moment
        difference = grey - known
        size = np.abs(difference)
        middle = size.size // 2
        noise = 7.5 * float(np.partition(size, middle, axis=None)[middle])  # five deviations; np.median takes 5 MB
        if float(size.max()) > min(max(noise, self._threshold), 3 * self._threshold):
            self._moved = moment
        share = 1.0 - math.exp(-max(0.0, moment - self._last) / self._memory)
        self._background = known + np.float32(share) * difference
        nearer = (
            moment - self._last
        ) / 2  # to `every` than the next frame, which may come just too early or far too late
        self._last = moment
        if moment - self._moved > self._hold and moment - self._analysed + nearer < self._every:
            return False
        self._analysed = moment
        return True
