"""Pin galleries to the weights and preprocessing of the network that makes their descriptors, and to the detector.

A gallery has the fingerprint of its network from its creation on (`facegroup.networks.fingerprint`). One of an older
version has none, and takes it from the first server that enrols into it or adds to its cohort. From then on, other bytes
under the same name are another network: their descriptors cannot be compared with those in the gallery.

A gallery has the name of its detector in the same way. Faces that another one found can be compared, but are cut out a
little differently, so that is only logged, once.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from facegroup.errors import NetworkMismatch
from facegroup.gallery.snapshot import Snapshot
from facegroup.store.calls import CallStore
from facegroup.store.contract import RemoteStore, Store
from facegroup.types import Gallery

log = logging.getLogger(__name__)

_ADD = (Store.add_samples, Store.add_cohort)

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")


class Pins:
    """Class that checks what galleries are pinned to, and pins those that are not.

    Args:
        network: name of the network that runs.
        fingerprint: its fingerprint; "" if it is not known yet, which checks and pins nothing.
        detector: name of the detector that runs; "" checks and pins none.
    """

    def __init__(self, network: str, fingerprint: str = "", detector: str = "") -> None:
        self.network = network
        self.fingerprint = fingerprint
        self.detector = detector
        self._told: set[str] = set()

    def check(self, name: str, gallery: Gallery | Snapshot) -> None:
        """Refuse a gallery of this network that other weights or another preprocessing made.

        One that another detector filled is logged once.

        Raises:
            NetworkMismatch: it is pinned to them.
        """
        if self.detector and gallery.detector not in ("", self.detector) and name not in self._told:
            self._told.add(name)
            log.warning(
                "The faces of the gallery %s were found by the detector %s, and this server runs %s. Similarities differ a "
                "little: calibrate the gallery again, or enrol the photos again (docs/detectors.md).",
                name,
                gallery.detector,
                self.detector,
            )
        if self._concerns(gallery) and gallery.fingerprint not in ("", self.fingerprint):
            raise NetworkMismatch.changed(name, gallery.network, gallery.fingerprint, self.fingerprint)

    def calls(self, call: CallStore) -> CallStore:
        """Return the function that calls a store, made to pin galleries where it creates them or adds descriptors.

        What the store answers is checked, since another server may have been first. The function raises `NetworkMismatch`.
        """

        def pinned(
            method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
        ) -> _Answer:
            given: tuple[Any, ...] = arguments
            if method == Store.create_gallery:
                given = (self._pinned(given[0]), *given[1:])
            elif method in _ADD and (self.fingerprint or self.detector):
                self._pin(call, given[0])
            answer = call(method, *given, **named)
            if method == Store.create_gallery and isinstance(answer, Gallery):
                self.check(answer.name, answer)
            return answer

        return pinned

    def _pin(self, call: CallStore, name: str) -> None:
        gallery = call(Store.gallery, name)
        self.check(name, gallery)
        pinned = self._pinned(gallery)
        if pinned != gallery:
            self.check(name, call(Store.pin_gallery, name, pinned.detector, pinned.fingerprint))

    def _pinned(self, gallery: Gallery) -> Gallery:
        own = self.fingerprint if self._concerns(gallery) else ""
        return replace(gallery, detector=gallery.detector or self.detector, fingerprint=gallery.fingerprint or own)

    def _concerns(self, gallery: Gallery | Snapshot) -> bool:
        return bool(self.fingerprint) and gallery.network == self.network
