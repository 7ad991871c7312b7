"""Whether a store lost data: each gallery's position is compared with the newest that is known of it.

A gallery's version only grows, also over its erasure, which leaves the version at which the next one begins. So a Redis
that was restarted empty, flushed, or put back from an old dump is behind what this process knows, and is not taken for one
whose people were erased. The first to notice leaves a note in the store, by which all others know, also those that start
later. `accept` ends it.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from facegroup.errors import FacegroupError, StoreWentBack, UnknownGallery
from facegroup.store.contract import Standing, Store
from facegroup.store.validation import unknown_gallery

log = logging.getLogger(__name__)

_PATROL = 20


def refuse_lost(store: Store, gallery: str) -> None:
    """Raise `StoreWentBack` if a server has noted that the store lost data of the gallery.

    For callers without a `LossDetector`.
    """
    with suppress(UnknownGallery):
        now = store.standing(gallery)
        if now.lost is not None:
            raise _error(_detail(gallery, now.lost, now))


def _detail(gallery: str, before: int, now: Standing) -> str:
    found = "is gone from the store" if now.version is None else f"is at version {now.version} in the store"
    return f"the gallery {gallery} was at version {before} and {found}, without having been erased"


def _error(detail: str) -> StoreWentBack:
    return StoreWentBack(f"{detail}; restore it or accept what is left", 30)


class LossDetector:
    """Class that knows the newest position of each gallery of a store. May be used from several threads.

    Args:
        store: where the galleries live.
        observe: called each time that a gallery turns out to have lost data.
    """

    def __init__(self, store: Store, observe: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._observe = observe
        self._lock = threading.Lock()
        self._known: dict[str, Standing] = {}
        self._lost: dict[str, str] = {}
        self._page = ""

    @property
    def lost(self) -> tuple[str, ...]:
        """The message of each gallery that lost data."""
        with self._lock:
            return tuple(self._lost.values())

    def look(self, gallery: str) -> Standing:
        """Return where a gallery stands.

        Raises:
            UnknownGallery: there is none, or it was erased.
            StoreWentBack: the store lost data of it.
            StoreUnavailable: the store does not answer.
        """
        known = self._known.get(gallery)  # before the store is asked: what others learn meanwhile may be newer
        now = self._store.standing(gallery)
        if now.lost is not None or (known is not None and now.behind(known)):
            raise self._went_back(gallery, known, now)
        with self._lock:
            newest = self._known.get(gallery)
            if (newest is not None or now.version is not None) and (newest is None or now.floor >= newest.floor):
                self._known[gallery] = now
            accepted = self._lost.pop(gallery, None)
        if accepted is not None:
            log.warning("the gallery %s is in use again, at version %s", gallery, now.version)
        if now.version is None:
            raise unknown_gallery(gallery)
        return now

    def learn(self, gallery: str, version: int) -> None:
        """Take note of the version that a write was acknowledged with."""
        with self._lock:
            known = self._known.get(gallery)
            if known is not None and known.version is not None and version > known.version:
                self._known[gallery] = replace(known, version=version)

    def accept(self, gallery: str) -> Standing:
        """Take a gallery as it is now, whatever was lost; nothing happens where nothing was.

        Raises:
            UnknownGallery: there is none, and none was lost.
            StoreUnavailable: the store does not answer.
        """
        with suppress(StoreWentBack):
            return self.look(gallery)
        known = self._known.get(gallery)
        now = self._store.accept(gallery, known.floor if known else 0)
        with suppress(UnknownGallery):
            return self.look(gallery)
        return now

    def patrol(self) -> None:
        """Look at some of the galleries that are known or in the store, others each time. Raises `StoreUnavailable`."""
        with self._lock:
            some = list(self._known)[:_PATROL]
            for gallery in some:
                self._known[gallery] = self._known.pop(gallery)
        self._look_at(some)
        stored = [gallery.name for gallery in self._store.galleries(self._page, _PATROL)]
        self._page = stored[-1] if len(stored) == _PATROL else ""
        self._look_at([name for name in stored if name not in some])

    def _look_at(self, some: Sequence[str]) -> None:
        for gallery in some:
            with suppress(UnknownGallery, StoreWentBack):
                self.look(gallery)

    def _went_back(self, gallery: str, known: Standing | None, now: Standing) -> StoreWentBack:
        before = max(known.floor if known else 0, now.lost or 0)
        if now.lost is None or now.lost < before:
            with suppress(FacegroupError):  # that it went back is to be said, even where no note can be left
                self._store.lose(gallery, before)
        detail = _detail(gallery, before, now)
        with self._lock:
            first = gallery not in self._lost
            self._lost[gallery] = detail
        if first:
            log.error("%s: restore the newest backup, or accept what is left (docs/gallery.md)", detail)
            self._observe()
        return _error(detail)
