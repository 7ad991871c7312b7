"""The gallery actor: it matches descriptors, and it reads and writes the store for all other processes."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from deployments import one_store, private_port
from deployments.answer_metrics import faces_counter
from deployments.calls import answers, method_of
from deployments.gallery_metrics import families
from deployments.live import taken_on
from deployments.logs import configure
from deployments.metrics import Counters, Families
from facegroup.errors import FacegroupError, Overloaded, ServiceError, StoreFull, StoreUnavailable
from facegroup.gallery import calibrator
from facegroup.gallery.calibrator import CalibrationResult, Strangers
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.matching import Matcher
from facegroup.gallery.pins import Pins
from facegroup.networks.fingerprint import known
from facegroup.networks.registry import spec
from facegroup.pipeline import detector_file
from facegroup.pipeline.messages import PhotoMatches, Query
from facegroup.settings import Settings
from facegroup.store import open_store
from facegroup.store.audit import Origin, Retention
from facegroup.store.contract import RemoteStore, Store
from facegroup.store.expiry import Heads, sweep_and_tell
from facegroup.store.guard import GuardedStore
from facegroup.store.secret_key import secret_keys
from facegroup.types import Descriptors, Floats, Gallery

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")


class GalleryActor:
    """Keeps class centroids in the store and performs the thresholded cosine match.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: Settings) -> None:
        private_port.close()
        configure(settings)
        one_store.check(settings)
        self._settings = settings
        self._network = network = spec(settings.network, settings)
        self._store = open_store(settings.store, keys=secret_keys(settings), keep=Retention.of(settings.audit))
        self._pins = Pins(network.name, known(network, settings), detector_file.name(settings))
        self._counters = Counters()
        self._count = faces_counter(self._counters)
        degraded = self._counters.counter(
            "gallery_degraded", "Times that the store was found unavailable or with lost data.", "reason"
        )
        plan, live = Plan.of(settings.matcher), settings.liveness.least
        self._galleries = Matcher(
            self._store, network, plan, lambda reason: degraded.labels(reason).inc(), live, self._pins
        )
        self._guarded = GuardedStore(self._store, self._galleries.availability, self._galleries.losses)
        self._call = self._pins.calls(self._guarded.call)
        self._matcher = ThreadPoolExecutor(1, "match")
        self._writers = ThreadPoolExecutor(4, "store")
        self._patrol = ThreadPoolExecutor(1, "patrol")
        self._trials = ThreadPoolExecutor(1, "trial")
        self._trying = False
        self._damaged = 0
        self._counters.read(lambda: families(self._galleries.held(), self._damaged))
        threshold = network.threshold if settings.threshold is None else settings.threshold
        self._own = Gallery(settings.gallery, network.name, network.dimension, threshold)
        self._trouble: FacegroupError | None = None
        self._create()
        threading.Thread(target=self._sweep, args=(settings.matcher.sweep_seconds,), name="sweep", daemon=True).start()

    async def reconfigure(self, live: dict[str, Any]) -> None:
        """Take on settings that need no restart: the threshold of a default gallery that is still to be created."""
        settings = taken_on(self._settings, live)
        threshold = self._network.threshold if settings.threshold is None else settings.threshold
        self._own = replace(self._own, threshold=threshold)

    @answers
    async def match(
        self,
        descriptors: Descriptors,
        asked: Sequence[tuple[Query, int]],
        grades: Floats | None = None,
        liveness: Floats | None = None,
        fingerprint: str = "",
    ) -> list[PhotoMatches | FacegroupError]:
        """Decide on the faces of some photos; see `Matcher.match`. `fingerprint` is of the network that saw them."""

        def match() -> list[PhotoMatches | FacegroupError]:
            self._pins.fingerprint = fingerprint or self._pins.fingerprint
            begun = time.perf_counter()
            matched = self._galleries.match(descriptors, asked, grades, liveness)
            self._counters.observe("match", time.perf_counter() - begun)
            return matched

        matched = await self._in(self._matcher, match)
        self._count(asked, matched)
        return matched

    async def metrics(self) -> Families:
        """Return all metrics of this process."""
        return self._counters.collect()

    async def alive(self) -> None:
        """Answer; the store is not looked at."""

    @answers
    async def ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of `RemoteStore` by its name."""
        return await self._ask(method_of(RemoteStore, method), *arguments, **named)

    async def _ask(
        self, method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
    ) -> _Answer:
        def ask() -> _Answer:
            begun = time.perf_counter()
            try:
                return self._call(method, *arguments, **named)
            finally:
                self._counters.observe("store", time.perf_counter() - begun)

        return await self._in(self._writers, ask)

    @answers
    async def calibrate(
        self, gallery: str, fpir: float, strangers: Strangers | None, *, dry_run: bool, by: Origin
    ) -> CalibrationResult:
        """Find the threshold for an FPIR and set it; see `facegroup.gallery.calibrator.run`."""
        if self._trying:
            raise Overloaded("a gallery is being calibrated; try again later", 5)
        self._trying = True
        try:
            return await self._calibrate(gallery, fpir, strangers, dry_run=dry_run, by=by)
        finally:
            self._trying = False

    async def _calibrate(
        self, gallery: str, fpir: float, strangers: Strangers | None, *, dry_run: bool, by: Origin
    ) -> CalibrationResult:
        # Beside the matcher, which goes on answering: a snapshot never changes.
        snapshot = await self._in(self._matcher, lambda: self._galleries.snapshot(gallery))
        return await self._in(
            self._trials,
            lambda: calibrator.run(
                self._guarded.call, snapshot, fpir, strangers, dry_run=dry_run, by=by, detector=self._pins.detector
            ),
        )

    async def about(self) -> dict[str, Any]:
        """Say how the store is."""
        try:
            await self._ask(Store.ping)
        except FacegroupError as error:
            return {"store": "unavailable", "detail": error.detail}
        if lost := self._galleries.losses.lost:
            return {"store": "went_back", "detail": "; ".join(lost[:3])}
        try:
            await self._ask(Store.check_writes)
        except FacegroupError as error:
            return {"store": "full" if isinstance(error, StoreFull) else "read_only", "detail": error.detail}
        about = {"store": "ok", "compared": self._galleries.ways()}
        return about if self._trouble is None else {**about, "detail": self._trouble.detail}

    async def check_health(self) -> None:
        """Look after the store, as often as Ray looks after this process; the store's health is not this process'."""
        await self._in(self._patrol, self._look_after)

    def _look_after(self) -> None:
        with suppress(FacegroupError):
            self._galleries.availability.check()
            try:
                self._galleries.losses.patrol()
            except StoreUnavailable as error:
                self._galleries.availability.noticed(error)
            if isinstance(self._trouble, ServiceError):
                self._create()

    def _create(self) -> None:
        try:
            self._call(Store.create_gallery, self._own)
        except FacegroupError as error:
            # Another network's gallery, or a store that is away: every answer says so; restarting would not mend it.
            self._trouble = error
        else:
            self._trouble = None

    def _sweep(self, seconds: float) -> None:
        heads = Heads(self._store)
        while True:
            sweep_and_tell(self._store)
            heads.tell()
            self._damaged = self._store.damaged()
            time.sleep(seconds)

    @staticmethod
    async def _in(pool: ThreadPoolExecutor, call: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(pool, call)
