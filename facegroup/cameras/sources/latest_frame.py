"""Hands frames from the thread that reads a camera to the one that analyses them, and counts them."""

import threading
from dataclasses import dataclass

from facegroup.cameras.sources.frames import DecodedFrame
from facegroup.cameras.types import Counts


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Class that holds a frame that waits.

    Attributes:
        decoded: the frame.
        number: of the source's frames, from 0.
    """

    decoded: DecodedFrame
    number: int


class LatestFrame:
    """Class that holds the newest due frame. Any thread may call. The counts always add up as `Counts` says."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._held: Held | None = None
        self._closed = self._woken = False
        self._received = self._skipped = self._still = self._analysed = self._late = self._opened = self._damaged = 0

    def opened(self) -> None:
        """Count that the source was opened."""
        with self._change:
            self._opened += 1

    def came(self) -> None:
        """Count a frame, which is skipped unless `offer` or `still` says otherwise."""
        with self._change:
            self._received += 1
            self._skipped += 1

    def damaged(self) -> None:
        """Count that a frame that came could not be decoded."""
        with self._change:
            self._damaged += 1

    def still(self) -> None:
        """Count that nothing moved in a frame that came."""
        with self._change:
            self._unskip()
            self._still += 1

    def offer(self, decoded: DecodedFrame, wait: bool) -> None:
        """Hold a frame that came. It replaces the one that waits; with `wait`, the caller waits until that is taken."""
        with self._change:
            if wait:
                self._change.wait_for(lambda: self._held is None or self._closed)
            if self._closed:
                return
            if self._held is not None:
                self._skipped += 1
                self._late += 1
            self._unskip()
            self._held = Held(decoded, self._received - 1)
            self._change.notify_all()

    def take(self, timeout: float) -> Held | None:
        """Return the frame that waits, or the next within `timeout` seconds, as analysed; None if none comes."""
        with self._change:
            if self._held is None and not self._closed and not self._woken:
                self._change.wait(timeout)
            held, self._held = self._held, None
            if held is not None:
                self._analysed += 1
                self._change.notify_all()
            else:
                self._woken = False
            return held

    def give_up(self) -> None:
        """Count a frame that was taken as skipped and damaged after all: it cannot be converted."""
        with self._change:
            self._analysed -= 1
            self._skipped += 1
            self._damaged += 1

    def wake(self) -> None:
        """Let `take` return None, now or the next time: no more frames come."""
        with self._change:
            self._woken = True
            self._change.notify_all()

    def close(self) -> None:
        """Drop the frame that waits, which counts as skipped, and wake all threads that wait."""
        with self._change:
            self._closed = True
            if self._held is not None:
                self._held = None
                self._skipped += 1
            self._change.notify_all()

    def counts(self) -> Counts:
        """Return what became of the frames so far."""
        with self._change:
            return Counts(
                self._received, self._skipped, self._still, self._analysed, self._late, self._opened, self._damaged
            )

    def _unskip(self) -> None:
        if self._skipped > self._damaged + self._late:
            self._skipped -= 1
        else:  # a source gave several frames in one packet
            self._received += 1
