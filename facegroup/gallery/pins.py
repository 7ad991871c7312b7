"""Pin galleries to the weights and preprocessing of the network that makes their descriptors.

A gallery has the fingerprint of its network from its creation on (`facegroup.networks.fingerprint`). One of an older
version has none, and takes it from the first server that enrols into it. From then on, other bytes under the same name are
another network: their descriptors cannot be compared with those in the gallery.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from facegroup.errors import NetworkMismatch
from facegroup.store.calls import CallStore
from facegroup.store.contract import RemoteStore, Store
from facegroup.types import Gallery

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")


class Pins:
    """Class that checks what galleries are pinned to, and pins those that are not.

    Args:
        network: name of the network that runs.
        fingerprint: its fingerprint; "" if it is not known yet, which checks and pins nothing.
    """

    def __init__(self, network: str, fingerprint: str = "") -> None:
        self.network = network
        self.fingerprint = fingerprint

    def check(self, gallery: Gallery) -> None:
        """Refuse a gallery of this network that other weights or another preprocessing made.

        Raises:
            NetworkMismatch: it is pinned to them.
        """
        if self._concerns(gallery) and gallery.fingerprint not in ("", self.fingerprint):
            raise NetworkMismatch.changed(gallery.name, gallery.network, gallery.fingerprint, self.fingerprint)

    def calls(self, call: CallStore) -> CallStore:
        """Return the function that calls a store, made to pin galleries where it creates or enrols into them."""

        def pinned(
            method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
        ) -> _Answer:
            given: tuple[Any, ...] = arguments
            if method.__name__ == Store.create_gallery.__name__ and self._concerns(given[0]):
                given = (replace(given[0], fingerprint=given[0].fingerprint or self.fingerprint), *given[1:])
            elif method.__name__ == Store.add_samples.__name__ and self.fingerprint:
                self._pin(call, given[0])
            return call(method, *given, **named)

        return pinned

    def _pin(self, call: CallStore, name: str) -> None:
        gallery = call(Store.gallery, name)
        self.check(gallery)
        if self._concerns(gallery) and not gallery.fingerprint:
            call(Store.pin_gallery, name, fingerprint=self.fingerprint)

    def _concerns(self, gallery: Gallery) -> bool:
        return bool(self.fingerprint) and gallery.network == self.network
