"""Room in memory for what is decoded at once: large photos wait for one another, small ones hardly ever do."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Room:
    """So many pixels may be decoded at the same moment, by any number of threads. One photo always fits.

    Args:
        pixels: at most.
    """

    def __init__(self, pixels: int) -> None:
        self._most = pixels
        self._taken = 0
        self._changed = Condition()

    @contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for so many pixels, and hold it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + pixels <= self._most)
            self._taken += pixels
        try:
            yield
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()
