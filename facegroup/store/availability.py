"""Whether the store is away, known without waiting for it each time: failures go in, an error or nothing comes out.

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
    """What is known of one store's being away. May be used from several threads.

    Args:
        ping: raises `StoreUnavailable` unless the store answers.
        observe: told each time that the store is found to be away.
    """

    def __init__(self, ping: Callable[[], None], observe: Callable[[], None] = lambda: None) -> None:
        self._ping = ping
        self._observe = observe
        self._lock = threading.Lock()
        self._away = False
        self._until = 0.0
        self._asking: threading.Thread | None = None

    def check(self) -> None:
        """Raise `StoreUnavailable` while the store is known to be away."""
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
        """Take it that the store is away: it did not answer what every store answers at once."""
        with self._lock:
            first, self._away = not self._away, True
            self._until = time.monotonic() + RETRY_SECONDS
        if first:
            log.error("the store is away; what was read of it before goes on answering: %s", error)
            self._observe()

    def confirm(self) -> None:
        """Find out, after something larger failed, whether the store is away or only that went wrong."""
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
