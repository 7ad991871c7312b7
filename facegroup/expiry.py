"""Whose time is over: masked in scores from the very moment on, and erased from the store by a sweep that comes by."""

import logging
import time

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import FacegroupError, UnknownGallery
from facegroup.store.audit import Origin
from facegroup.store.base import Store
from facegroup.types import Times

log = logging.getLogger(__name__)

_PAGE = 100


def expired(expires: Times | None, now: float | None = None) -> NDArray[np.intp]:
    """Return the rows of people whose time is over; none where `expires` is None: nobody expires."""
    if expires is None:
        return np.empty(0, np.intp)
    return np.flatnonzero(expires <= (time.time() if now is None else now))


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
