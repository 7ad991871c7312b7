"""Steady clock: measures durations, even if the time of day is set meanwhile."""

import time


class SteadyClock:
    """Counts on from the time of day at which it was created."""

    def __init__(self) -> None:
        self._began = time.time() - time.monotonic()

    def now(self) -> float:
        """Return seconds since the epoch, as this clock counts them."""
        return time.monotonic() + self._began

    def shift(self) -> float:
        """Return by how many seconds the time of day has been set forward since."""
        return time.time() - self.now()
