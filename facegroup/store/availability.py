"""Whether the store answers, known without waiting for it each time.

A store that hangs costs a time-out per question. So after a failure it is left alone for a second, and then asked in a
thread of its own, for which nobody waits long: one question of one caller finds out, all others are answered at once.
"""

import logging
import threading
import time
from collections.abc import Callable

from facegroup.errors import FacegroupError, StoreUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""After a failure the store is left alone for so long."""

PATIENCE_SECONDS = 0.25
"""So long the caller waits who asks again; a store that is back has answered by then."""


class Availability:
    """Class that knows whether one store answers. May be used from several threads.

    Args:
        ping: raises `StoreUnavailable` unless the store answers.
        observe: called each time that the store stops answering.
    """

    def __init__(self, ping: Callable[[], None], observe: Callable[[], None] = lambda: None) -> None:
        self._ping = ping
        self._observe = observe
        self._lock = threading.Lock()
        self._away = False
        self._until = 0.0
        self._asking: threading.Thread | None = None

    def check(self) -> None:
        """Raise `StoreUnavailable` while the store is known not to answer."""
        mine = None
        with self._lock:
            if self._away and self._asking is None and time.monotonic() >= self._until:
                mine = self._asking = threading.Thread(target=self._ask, name="store is back?", daemon=True)
                mine.start()
        if mine is not None:
            mine.join(PATIENCE_SECONDS)
        if self._away:
            raise StoreUnavailable("the store does not answer; try again later")

    def noticed(self, error: FacegroupError) -> None:
        """Note that the store does not answer: it did not answer what every store answers at once."""
        with self._lock:
            first, self._away = not self._away, True
            self._until = time.monotonic() + RETRY_SECONDS
        if first:
            log.error("the store is away; the last snapshots go on answering: %s", error)
            self._observe()

    def confirm(self) -> None:
        """Check, after a larger call failed, whether the store does not answer or only that call failed."""
        try:
            self._ping()
        except FacegroupError as error:
            self.noticed(error)

    def _ask(self) -> None:
        try:
            self._ping()
        except FacegroupError as error:
            self.noticed(error)
        else:
            with self._lock:
                self._away = False
            log.warning("the store is back")
        finally:
            with self._lock:
                self._asking = None
