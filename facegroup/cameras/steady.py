"""A clock that nobody sets: durations are measured by it, whatever becomes of the time of day meanwhile."""

import time


class Steady:
    """Seconds since the epoch as they were known when it was made, and from there on as many as passed."""

    def __init__(self) -> None:
        self._began = time.time() - time.monotonic()

    def now(self) -> float:
        """Return the seconds."""
        return time.monotonic() + self._began

    def shift(self) -> float:
        """Return how many seconds the time of day is ahead by now: it was set so far."""
        return time.time() - self.now()
