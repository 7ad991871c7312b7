"""The measured frame rate of a source."""

import threading
from collections import deque


class FrameRate:
    """Class that measures a rate over the last seconds. Any thread may call.

    Args:
        seconds: to look back; longer if fewer than three came in them.
    """

    def __init__(self, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._beats: deque[float] = deque(maxlen=600)
        self._lock = threading.Lock()
        self._from = 0.0

    def restart(self, now: float) -> None:
        """Start again now. Frames of the first second were waiting, and are not counted."""
        with self._lock:
            self._beats.clear()
            self._from = now + 1.0

    def beat(self, now: float) -> None:
        """Count a frame that came at a moment of a monotonic clock."""
        with self._lock:
            if now < self._from:
                return
            self._beats.append(now)
            while len(self._beats) > 3 and self._beats[0] < now - self._seconds:
                self._beats.popleft()

    def rate(self) -> float:
        """Return frames a second; 0 if it is not known."""
        with self._lock:
            span = self._beats[-1] - self._beats[0] if len(self._beats) > 1 else 0.0
            return (len(self._beats) - 1) / span if span > 0 else 0.0
