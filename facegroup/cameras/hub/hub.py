"""Hub of all cameras of a server: opens the journal, wires the parts, and calls them for HTTP.

It does not depend on Ray. The recognition pipeline, the gallery store and the function that opens a camera are arguments,
so tests run it in their own process.

    camera readers ─frames→ Batcher ─photos→ pipeline ─results→ trackers ─observations→ SightingBook ─events→ receivers
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from facegroup.cameras.delivery.event_delivery import EventDelivery
from facegroup.cameras.hub.camera_registry import CameraRegistry
from facegroup.cameras.hub.part import Changes, HubContext, HubPart, Open
from facegroup.cameras.hub.promotion import StrangerLog
from facegroup.cameras.hub.receivers import Receivers
from facegroup.cameras.hub.reconciliation import Reconciliation
from facegroup.cameras.hub.recorder import SightingRecorder
from facegroup.cameras.hub.running_cameras import RunningCameras
from facegroup.cameras.hub.sighting_log import SightingLog
from facegroup.cameras.hub.video_jobs import VideoJobs
from facegroup.cameras.hub.video_worker import VideoWorker
from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sightings.journal import Journal
from facegroup.cameras.steady_clock import SteadyClock
from facegroup.cameras.types import Condition
from facegroup.errors import FacegroupError, StageUnavailable
from facegroup.networks.registry import spec
from facegroup.pipeline.batcher import Batcher, gather
from facegroup.pipeline.messages import Photo, PhotoResult
from facegroup.settings import Settings
from facegroup.store.calls import AskStore

log = logging.getLogger(__name__)

See: TypeAlias = Callable[[Sequence[Photo]], Awaitable[list[PhotoResult | FacegroupError]]]
"""Recognises the faces of each photo; see `serve.api.pipeline.Pipeline.see`."""

_TICK_SECONDS = 1.0
_RETRY_SECONDS = 2.0
_START_SECONDS = 10.0
_CLOSE_SECONDS = 5.0
_BATCH = 16
_QUEUE = 1024


@dataclass(frozen=True, slots=True)
class _Opened:
    """All that exists while the journal is open."""

    context: HubContext
    reconciliation: Reconciliation
    parts: dict[str, HubPart]
    tasks: tuple[asyncio.Task[None], ...]


class Hub:
    """Owns all camera state. Made and used in one event loop.

    Args:
        settings: of the server.
        open_journal: opens the journal; if it raises StoreUnavailable, it is called again later.
        see: the recognition pipeline.
        ask: calls the gallery store.
        open_reader: opens a camera.
    """

    def __init__(
        self, settings: Settings, open_journal: Callable[[], Journal], see: See, ask: AskStore, open_reader: Open
    ) -> None:
        self._settings = settings
        self._open_journal = open_journal
        self._see = see
        self._ask = ask
        self._open_reader = open_reader
        network = spec(settings.network, settings)
        self._network = network.name
        self._network_threshold = self._own_threshold = network.threshold
        self._thresholds: defaultdict[str, float] = defaultdict(lambda: self._own_threshold)
        self.take_on(settings)
        self._clock = SteadyClock()
        self._changes = Changes()
        self._opened: _Opened | None = None
        self._started = asyncio.Event()
        self._trouble: FacegroupError | None = None
        self._frames: Batcher[Photo, None, PhotoResult | FacegroupError] = Batcher(
            "cameras",
            gather,
            lambda photos, _: self._see(photos),
            limit=_BATCH,
            size_bytes=settings.ingress.batch_bytes,
            queue=_QUEUE,
            weigh=lambda photo: len(photo.data),
            ahead=4,
        )

    async def run(self) -> None:
        """Run the cameras until cancelled. While the journal cannot be opened, try again."""
        try:
            while True:
                try:
                    if self._opened is None:
                        self._opened = await self._open()
                        self._started.set()
                    await self._tick(self._opened)
                except FacegroupError as error:
                    if self._trouble is None or self._trouble.code != error.code:
                        log.warning("cameras: %s", error.detail)
                    self._trouble = error
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    self._trouble = None
                    await asyncio.sleep(_TICK_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop the cameras. Open sightings stay open in the journal, and continue after a restart."""
        await self._changes.wait(_CLOSE_SECONDS)
        if self._opened is None:
            return
        opened = self._opened
        await opened.context.running.stop_all()
        for task in opened.tasks:
            task.cancel()
            await asyncio.wait([task], timeout=_CLOSE_SECONDS)
        opened.context.journal.close()
        self._opened = None

    async def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a public method of a part by its qualified name, as in ``Receivers.add``.

        Raises:
            StageUnavailable: the journal is not open yet.
        """
        if self._opened is None and self._trouble is None:  # it has just started
            with suppress(TimeoutError):
                async with asyncio.timeout(_START_SECONDS):
                    await self._started.wait()
        if self._opened is None:
            raise StageUnavailable(self._trouble.detail if self._trouble else "the cameras are starting; try again", 2)
        name, _, called = method.partition(".")
        part = self._opened.parts.get(name)
        if part is None:
            raise ValueError(f"the hub has no part {name!r}: this is a bug")
        return await part.call(called, *arguments, **named)

    def take_on(self, settings: Settings) -> None:
        """Use the threshold of these settings for galleries that the store has not answered for yet."""
        self._own_threshold = self._network_threshold if settings.threshold is None else settings.threshold

    def conditions(self) -> dict[str, Condition]:
        """Return the condition of each camera that runs."""
        return {} if self._opened is None else self._opened.context.running.conditions()

    async def _open(self) -> _Opened:
        journal = await asyncio.to_thread(self._open_journal)
        try:
            threshold = self._thresholds.__getitem__
            book = await asyncio.to_thread(SightingBook, journal, self._settings.cameras, threshold, self._clock.now)
            cameras = await asyncio.to_thread(journal.cameras)
            _, newest = await asyncio.to_thread(journal.span)
            opened = self._wire(journal, book, newest)
        except BaseException:
            journal.close()
            raise
        for camera in cameras:
            opened.context.running.start(camera)
        return opened

    def _wire(self, journal: Journal, book: SightingBook, newest: int) -> _Opened:
        delivery = EventDelivery(self._settings.cameras, journal, self._live)
        recorder = SightingRecorder(book, newest, delivery.wake)
        running = RunningCameras(
            self._network,
            self._frames,
            lambda camera: self._open_reader(camera, self._settings, False),
            recorder,
            self._thresholds,
            self._clock,
        )
        context = HubContext(
            self._settings,
            self._network,
            journal,
            recorder,
            running,
            delivery,
            self._frames,
            self._ask,
            self._open_reader,
            self._thresholds,
            self._changes,
        )
        videos = VideoJobs(context)
        parts = (CameraRegistry(context), SightingLog(context), StrangerLog(context), Receivers(context), videos)
        loop = asyncio.get_running_loop()
        tasks = {"delivery": delivery.run(), "videos": VideoWorker(context, videos.queue).run()}
        return _Opened(
            context,
            Reconciliation(context),
            {type(part).__name__: part for part in parts},
            tuple(loop.create_task(run, name=name) for name, run in tasks.items()),
        )

    async def _tick(self, opened: _Opened) -> None:
        reached, now, shift = opened.context.running.reached(), self._clock.now(), self._clock.shift()
        await opened.context.recorder.record(SightingBook.tick, now, reached, shift)
        await opened.reconciliation.run_if_due()

    def _live(self) -> dict[str, bool]:
        if self._trouble is not None:  # nothing can be written, not even that somebody has left
            return {}
        return {camera: each.status.state == "live" for camera, each in self.conditions().items()}
