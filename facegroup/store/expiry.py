"""Whose time is over: erased from the store by a sweep that comes by. `Snapshot.living` names nobody from that moment on."""

import logging

from facegroup.errors import FacegroupError, UnknownGallery
from facegroup.store.audit import Origin
from facegroup.store.contract import Store

log = logging.getLogger(__name__)

_PAGE = 100


def sweep(store: Store) -> int:
    """Erase everybody whose time is over, in all galleries; return how many. Raises `StoreUnavailable`."""
    erased, after = 0, ""
    while page := store.galleries(after, _PAGE):
        for gallery in page:
            try:
                erased += store.erase_expired(gallery.name, by=Origin("sweep")).people
            except UnknownGallery:  # erased meanwhile
                continue
        after = page[-1].name
    return erased


def sweep_and_tell(store: Store) -> None:
    """Do `sweep`; log what it did, and why it could not: the next one tries again."""
    try:
        if erased := sweep(store):
            log.info("erased %d people whose time was over", erased)
    except FacegroupError as error:
        log.warning("expired people could not be erased now: %s", error)
