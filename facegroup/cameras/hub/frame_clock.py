"""Frame clock: translates the moments of a camera's frames to the server's clock."""

from dataclasses import replace

from facegroup.cameras.steady_clock import SteadyClock
from facegroup.cameras.types import Frame


class FrameClock:
    """The clock of one camera, from one opening to the next.

    Args:
        clock: of the server.
    """

    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock
        self._ahead: float | None = None  # the server's clock, of the moments of frames
        self._behind: float | None = None  # the server's clock, of frames without a moment

    def now(self) -> float:
        """Return the time that a frame would have now."""
        return self._clock.now() - (self._behind or 0.0)

    def since(self, frame: Frame) -> float:
        """Return how many seconds ago a frame was received."""
        return self._clock.now() - frame.received

    def timed(self, frame: Frame) -> Frame:
        """Return a frame with its moment on the server's clock: its camera's process may run on another machine."""
        if frame.moment is None:
            self._behind = self._clock.now() - frame.at
            return frame
        self._behind = None
        ahead = self._clock.now() - frame.moment - frame.age
        # A slow hand-over makes a frame seem later than it is; nothing makes one seem earlier.
        self._ahead = ahead if self._ahead is None else min(self._ahead, ahead)
        return replace(frame, moment=frame.moment + self._ahead)

    def reached(self, frame: Frame | None) -> float | None:
        """Return the time up to which it is known who is there, after a timed frame, or after none came.

        Frames without a moment continue in their own time while none follows.
        """
        if frame is not None:
            return frame.received
        return None if self._behind is None else self._clock.now() - self._behind
