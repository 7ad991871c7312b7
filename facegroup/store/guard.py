"""The store as a server's callers reach it: their calls go in; what it answers comes out, or at once why it cannot.

While the store is away nobody waits for it; and a gallery of which it lost data takes no writes until that was accepted,
by `accept`, or by erasing the gallery.
"""

from typing import Any

from facegroup.errors import StoreUnavailable, StoreWentBack, UnknownGallery
from facegroup.store.availability import Availability
from facegroup.store.contract import Erased, Store
from facegroup.store.data_loss import LossDetector
from facegroup.types import Gallery

_OF_NO_GALLERY = frozenset({"ping", "check_writes", "galleries", "damaged"})


class GuardedStore:
    """A store with what is known of its absence and its losses. May be used from several threads.

    Args:
        store: the store.
        absence: whether it is away.
        ledger: whether it lost data.
    """

    def __init__(self, store: Store, absence: Availability, ledger: LossDetector) -> None:
        self._store = store
        self._absence = absence
        self._ledger = ledger

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the store, with its errors.

        Raises:
            StoreUnavailable: the store is away.
            StoreWentBack: it lost data of the gallery that the call is about.
        """
        self._absence.check()  # not within: what is known already is no news
        try:
            if method in _OF_NO_GALLERY:
                return getattr(self._store, method)(*arguments, **named)
            return self._of_gallery(method, *arguments, **named)
        except StoreUnavailable:
            self._absence.confirm()
            raise

    def _of_gallery(self, method: str, about: str | Gallery, *arguments: Any, **named: Any) -> Any:
        gallery = about.name if isinstance(about, Gallery) else about
        if method == "accept":
            return self._ledger.accept(gallery)
        try:
            self._ledger.look(gallery)
        except UnknownGallery:
            pass  # the store says so itself, unless it is to create it
        except StoreWentBack:
            if method != "delete_gallery":
                raise
            if self._ledger.accept(gallery).version is None:
                return Erased(0, 0, 0)
        answer = getattr(self._store, method)(about, *arguments, **named)
        self._ledger.learn(gallery, getattr(answer, "version", 0))
        return answer
