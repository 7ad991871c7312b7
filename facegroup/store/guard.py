"""The store as a server's callers reach it.

While the store does not answer, every call fails at once instead of waiting. A gallery that lost data refuses writes until
someone accepts the loss (`accept`) or erases the gallery.
"""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from facegroup.errors import StoreUnavailable, StoreWentBack, UnknownGallery
from facegroup.store.availability import Availability
from facegroup.store.calls import bound
from facegroup.store.contract import Erased, RemoteStore, Store
from facegroup.store.data_loss import LossDetector
from facegroup.types import Gallery

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")

_OF_NO_GALLERY = (Store.ping, Store.check_writes, Store.galleries, Store.damaged, Store.audits)


class GuardedStore:
    """Class that calls a store and refuses what its absence or a loss of data forbids. May be used from several threads.

    Args:
        store: the store.
        availability: whether it answers.
        losses: whether it lost data.
    """

    def __init__(self, store: Store, availability: Availability, losses: LossDetector) -> None:
        self._store = store
        self._availability = availability
        self._losses = losses

    def call(
        self, method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
    ) -> _Answer:
        """Call a method of the store, with its errors; see `facegroup.store.calls.CallStore`.

        Raises:
            StoreUnavailable: the store does not answer.
            StoreWentBack: it lost data of the gallery that the call is about.
        """
        self._availability.check()  # outside the try block: an absence that is known already needs no confirmation
        try:
            if method in _OF_NO_GALLERY:
                return bound(self._store, method)(*arguments, **named)
            answer: _Answer = self._of_gallery(method, *arguments, **named)
            return answer
        except StoreUnavailable:
            self._availability.confirm()
            raise

    def _of_gallery(self, method: Callable[..., Any], about: Any, *arguments: Any, **named: Any) -> Any:
        gallery: str = about.name if isinstance(about, Gallery) else about
        if method == Store.accept:
            return self._losses.accept(gallery)
        try:
            self._losses.look(gallery)
        except UnknownGallery:
            pass  # the store raises this itself, unless the call creates the gallery
        except StoreWentBack:
            if method != Store.delete_gallery:
                raise
            if self._losses.accept(gallery).version is None:
                return Erased(0, 0, 0)
        answer = bound(self._store, method)(about, *arguments, **named)
        self._losses.learn(gallery, getattr(answer, "version", 0))
        return answer
