"""Limit the memory for decoding: large photos wait for each other, small ones hardly ever wait."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class DecodingMemory:
    """Class that limits how many pixels any number of threads decode at the same time. One photo always fits.

    Photos are admitted in order of arrival: otherwise a large photo could wait for ever behind small ones.

    Args:
        pixels: most pixels at the same time.
    """

    def __init__(self, pixels: int) -> None:
        self._most = pixels
        self._taken = 0
        self._waiting: deque[object] = deque()
        self._changed = Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for the pixels, and hold it."""
        place = object()
        with self._changed:
            self._waiting.append(place)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is place and self._fits(pixels))
                self._taken += pixels
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()

    def _fits(self, pixels: int) -> bool:
        return not self._taken or self._taken + pixels <= self._most
