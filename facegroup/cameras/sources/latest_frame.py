"""Between the thread that reads a camera and whoever takes its frames: room for one, and the counts of all of them."""

import threading
from dataclasses import dataclass

from facegroup.cameras.sources.frames import DecodedFrame
from facegroup.cameras.types import Counts


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A frame at hand.

    Attributes:
        glimpse: the frame.
        number: of the source's frames, from 0.
    """

    glimpse: DecodedFrame
    number: int


class LatestFrame:
    """Holds the newest frame that is due. Any thread may call; at every moment the counts add up as `Counts` says."""

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

    def offer(self, glimpse: DecodedFrame, wait: bool) -> None:
        """Hold a frame that came: in the place of the one at hand, or after that was taken, where `wait` is true."""
        with self._change:
            if wait:
                self._change.wait_for(lambda: self._held is None or self._closed)
            if self._closed:
                return
            if self._held is not None:
                self._skipped += 1
                self._late += 1
            self._unskip()
            self._held = Held(glimpse, self._received - 1)
            self._change.notify_all()

    def take(self, timeout: float) -> Held | None:
        """Return the frame at hand, which counts as analysed; wait for one, so many seconds at most."""
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
        """Count a frame that was taken as skipped and damaged after all: it cannot be shown."""
        with self._change:
            self._analysed -= 1
            self._skipped += 1
            self._damaged += 1

    def wake(self) -> None:
        """End the waiting of `take`, this time or the next, with nothing: no more will come."""
        with self._change:
            self._woken = True
            self._change.notify_all()

    def close(self) -> None:
        """Let go of the frame at hand, which counts as skipped, and of all who wait."""
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
        else:  # a source that gave more frames than it said (several in one packet)
            self._received += 1
