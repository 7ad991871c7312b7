"""Periodically delete people whose expiry has passed. `Snapshot.living` names none of them from that moment on."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from facegroup.errors import FacegroupError, UnknownGallery
from facegroup.store.audit import SERVER, Origin
from facegroup.store.contract import Store
from facegroup.store.paging import every

log = logging.getLogger(__name__)


def sweep(store: Store) -> int:
    """Erase the people of all galleries whose expiry has passed; return how many. Raises `StoreUnavailable`."""
    erased = 0
    for gallery in every(store.galleries, lambda gallery: gallery.name):
        with suppress(UnknownGallery):  # erased meanwhile
            erased += store.erase_expired(gallery.name, by=Origin("sweep")).people
    return erased


def trim(store: Store) -> int:
    """Remove the audit entries of all logs that are not to be kept any longer; return how many.

    Raises `StoreUnavailable`.
    """
    return store.trim_audit(SERVER) + sum(store.trim_audit(name) for name in every(store.audits, str))


class Heads:
    """Class that logs the heads of all audit logs once a day, so that they are noted outside of the store.

    Args:
        store: whose logs they are of.
        now: seconds since the epoch.
    """

    def __init__(self, store: Store, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now
        self._day = -1

    def tell(self) -> None:
        """Log the heads, if it was not done today."""
        if (day := int(self._now() // 86_400)) == self._day:
            return
        try:
            for name in (SERVER, *every(self._store.audits, str)):
                chain = self._store.audit_chain(name)
                if chain.number:
                    log.info("head of the audit log of %s: %s", f"gallery {name}" if name else "the server", chain.head)
            self._day = day
        except FacegroupError as error:
            log.warning("the heads of the audit logs cannot be read now: %s. The next sweep tries again.", error)


def sweep_and_tell(store: Store) -> None:
    """Run `sweep` and `trim`, and log what they did or why they could not."""
    try:
        if erased := sweep(store):
            log.info("deleted %d people whose expiry has passed", erased)
    except FacegroupError as error:
        log.warning("expired people cannot be deleted now: %s. The next sweep tries again.", error)
    try:
        if removed := trim(store):
            log.info("removed %d audit entries that are older than audit.keep_days, or too many", removed)
    except FacegroupError as error:
        log.warning("old audit entries cannot be removed now: %s. The next sweep tries again.", error)
