"""Periodically delete people whose expiry has passed. `Snapshot.living` names none of them from that moment on."""

import logging
from contextlib import suppress

from facegroup.errors import FacegroupError, UnknownGallery
from facegroup.store.audit import Origin
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


def sweep_and_tell(store: Store) -> None:
    """Run `sweep`, and log what it did or why it could not."""
    try:
        if erased := sweep(store):
            log.info("deleted %d people whose expiry has passed", erased)
    except FacegroupError as error:
        log.warning("expired people cannot be deleted now: %s. The next sweep tries again.", error)
