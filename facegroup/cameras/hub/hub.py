"""All cameras of a server, in one process: their registry, their loops, the book of sightings, and who is told of them.

It knows no Ray: what sees photos, what asks the store and what opens a camera's eye are given, so tests run it in their own
process. `call` is its one door for HTTP.

    eyes ─frames→ Batcher ─photos→ pipeline ─seen→ trackers ─observations→ Book ─events→ journal → listeners
"""

import asyncio
import contextvars
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from facegroup.cameras.delivery.couriers import EventDelivery
from facegroup.cameras.hub.camera_task import CameraTask
from facegroup.cameras.hub.video_jobs import VideoJobs
from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sightings.journal import Journal
from facegroup.cameras.sightings.types import Event, Observation, Video, Webhook
from facegroup.cameras.sources import address
from facegroup.cameras.steady import Steady
from facegroup.cameras.types import Camera, Condition, Frame, FrameReader, Status
from facegroup.errors import (
    FacegroupError,
    NetworkMismatch,
    Overloaded,
    ServiceError,
    StageUnavailable,
    UnknownGallery,
    UnknownPerson,
    UnknownWebhook,
)
from facegroup.networks.registry import spec
from facegroup.pipeline.batcher import Batcher, gather
from facegroup.pipeline.messages import Photo, PhotoResult
from facegroup.settings import Settings
from facegroup.store.audit import Origin
from facegroup.store.calls import AskStore
from facegroup.store.contract import Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.types import Person, Sample

log = logging.getLogger(__name__)

See: TypeAlias = Callable[[Sequence[Photo]], Awaitable[list[PhotoResult | FacegroupError]]]
"""What is in each photo; see `serve.api.pipeline.Pipeline.see`."""

Open: TypeAlias = Callable[[Camera, Settings, bool], Awaitable[FrameReader]]
"""Opens the eye of a camera, with settings, on this machine or on any. Raises StageUnavailable where it cannot be had."""

READS = frozenset(("sighting", "crop", "sightings", "span", "unknowns", "unknown", "dead_letters", "videos", "video"))
"""Methods of the journal that `call` passes on as they are."""

ASKS = frozenset(
    ("events", "list_cameras", "show_camera", "snapshot", "try_camera", "list_webhooks", "show_webhook"),
)
"""Methods of the hub that `call` passes on, and that end when whoever called has gone."""

CHANGES = frozenset(
    (
        *("add_camera", "change_camera", "remove_camera", "promote", "erase", "add_webhook", "remove_webhook"),
        *("retry_dead_letters", "begin_video", "add_to_video", "start_video", "give_up_video", "remove_video"),
    )
)
"""Methods of the hub that `call` passes on, and that are done to their end, whoever has gone: half done they would leave a
camera that is written down and not looked at."""

_TICK_SECONDS = 1.0
_RETRY_SECONDS = 2.0
_START_SECONDS = 10.0
_RECONCILE_SECONDS = 3600.0
_TRY_SECONDS = 10.0
_TRIES = 4  # at once: each is a process
_BATCH = 16
_QUEUE = 1024


class Hub:
    """Everything about cameras that there is one of. Made and used in one event loop.

    Args:
        settings: of the server.
        open_journal: opens what all of it is kept in; may raise StoreUnavailable, and is tried again.
        see: the pipeline.
        ask: the gallery's store.
        open_eye: of a camera.
    """

    def __init__(
        self, settings: Settings, open_journal: Callable[[], Journal], see: See, ask: AskStore, open_eye: Open
    ) -> None:
        self._settings = settings
        self._open_journal = open_journal
        self._spec = spec(settings.network, settings)
        self._see = see
        self._ask = ask
        self._open = open_eye
        self._watches: dict[str, tuple[CameraTask, asyncio.Task[None]]] = {}
        self._thresholds: dict[str, float] = {}
        self._clock = Steady()
        self._threads = ThreadPoolExecutor(4, "journal")
        self._pen = ThreadPoolExecutor(1, "book")
        self._news = asyncio.Condition()
        self._newest = 0  # event that was recorded here
        self._changing = asyncio.Lock()
        self._changes: set[asyncio.Task[Any]] = set()
        self._tries = asyncio.Semaphore(_TRIES)
        self._kept: tuple[Journal, SightingBook] | None = None
        self._couriers: tuple[EventDelivery, asyncio.Task[None]] | None = None
        self._videos: tuple[VideoJobs, asyncio.Task[None]] | None = None
        self._begun = asyncio.Event()
        self._trouble: FacegroupError | None = None
        self._reconciled = time.monotonic() - _RECONCILE_SECONDS + 60
        self._frames: Batcher[Photo, None, PhotoResult | FacegroupError] = Batcher(
            "cameras",
            gather,
            self._look,
            limit=_BATCH,
            size_bytes=settings.ingress.batch_bytes,
            queue=_QUEUE,
            weigh=lambda photo: len(photo.data),
            ahead=4,
        )

    async def run(self) -> None:
        """Look after the cameras until cancelled; the journal may come later."""
        try:
            while True:
                try:
                    if self._kept is None:
                        await self._begin()
                    await self._tick()
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
        """Stop looking; what is open stays open in the journal, and goes on after a restart."""
        if self._changes:
            await asyncio.wait(self._changes, timeout=5)
        await asyncio.gather(*(self._stop(camera) for camera in list(self._watches)))
        for each in (self._couriers, self._videos):
            if each is not None:
                each[1].cancel()
                await asyncio.wait([each[1]], timeout=5)
        self._couriers = self._videos = None
        if self._kept is not None:
            self._kept[0].close()
            self._kept = None

    async def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call one of `READS` of the journal, or one of `ASKS` or `CHANGES` here.

        Raises:
            StageUnavailable: the journal has not been opened yet.
        """
        if self._kept is None and self._trouble is None:  # it has just started
            with suppress(TimeoutError):
                async with asyncio.timeout(_START_SECONDS):
                    await self._begun.wait()
        if method in READS:
            return await self._in(getattr(self._journal, method), *arguments, **named)
        if method not in ASKS | CHANGES:
            raise ValueError(f"the cameras have no method {method}: this is a bug")
        done = getattr(self, method)(*arguments, **named)
        return await (self._to_its_end(done) if method in CHANGES else done)

    async def _to_its_end(self, change: Coroutine[Any, Any, Any]) -> Any:
        # In no caller's context: Ray Serve cancels what was called in the context of a request that is cancelled.
        task = asyncio.get_running_loop().create_task(change, context=contextvars.Context())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    def conditions(self) -> dict[str, Condition]:
        """Return how every camera is that is looked at."""
        return {camera: watch.condition() for camera, (watch, _) in self._watches.items()}

    # Cameras

    async def list_cameras(self) -> list[tuple[Camera, Condition]]:
        """Return all cameras and how they are, by id."""
        cameras: list[Camera] = await self._in(self._journal.cameras)
        return [(camera, self._condition(camera)) for camera in cameras]

    async def show_camera(self, camera: str) -> tuple[Camera, Condition]:
        """Return one. Raises UnknownCamera."""
        found: Camera = await self._in(self._journal.camera, camera)
        return found, self._condition(found)

    async def add_camera(self, camera: Camera, by: Origin) -> tuple[Camera, Condition]:
        """Add a camera and look at it. Raises what `address.check` and the journal say no with; UnknownGallery."""
        await self._check(camera)
        async with self._changing:
            made: Camera = await self._in(self._journal.create_camera, camera, self._settings.cameras.limit)
            self._start(made)
        self._moved()
        log.info("camera %s added by %s: %s", made.id, by.actor, address.shown(made.source))
        return made, self._condition(made)

    async def change_camera(self, camera: str, changes: dict[str, Any], by: Origin) -> tuple[Camera, Condition]:
        """Change a camera: fields of `Camera` by name. It is opened anew. Raises as `add_camera`; UnknownCamera."""
        async with self._changing:
            known: Camera = await self._in(self._journal.camera, camera)
            wanted = replace(known, **changes)
            if {"source", "gallery"} & changes.keys():
                await self._check(wanted)
            made: Camera = await self._in(self._journal.replace_camera, wanted)
            await self._stop(camera)
            try:
                if not made.enabled or made.gallery != known.gallery:
                    await self._written(await self._in_book(lambda book: book.left(camera)))
            finally:
                self._start(made)  # it is written down: whatever else fails, it is looked at
        log.info("camera %s changed by %s: %s", camera, by.actor, ", ".join(sorted(changes)))
        return made, self._condition(made)

    async def remove_camera(self, camera: str, by: Origin) -> None:
        """Remove a camera; its sightings stay. Raises UnknownCamera."""
        async with self._changing:
            await self._in(self._journal.delete_camera, camera)
            await self._stop(camera)
            await self._written(await self._in_book(lambda book: book.left(camera)))
        self._moved()
        log.info("camera %s removed by %s", camera, by.actor)

    async def snapshot(self, camera: str) -> Frame | None:
        """Return the frame that was analysed last; None: there is none, or none is kept. Raises UnknownCamera."""
        found: Camera = await self._in(self._journal.camera, camera)
        watch = self._watches.get(camera)
        return watch[0].snapshot if watch and found.snapshots else None

    async def try_camera(self, camera: Camera) -> tuple[Status, Frame | None]:
        """Look at a source for some seconds, and keep nothing. Raises what `address.check` says no with."""
        await self._in(address.check, camera.source, self._settings.cameras)
        if self._tries.locked():
            raise Overloaded(f"{_TRIES} sources are being tried already; try again later", 5)
        async with self._tries:
            return await self._try(replace(camera, motion=False))

    async def _try(self, camera: Camera) -> tuple[Status, Frame | None]:
        eye = await self._open_any(camera)
        try:
            deadline = time.monotonic() + _TRY_SECONDS
            while True:
                async with asyncio.timeout(_TRY_SECONDS):
                    frame, status = await eye.next(0.5)
                if frame is not None or status.state in ("failed", "ended") or time.monotonic() > deadline:
                    return status, frame
        except TimeoutError:
            raise StageUnavailable("the camera's process does not answer") from None
        finally:
            with suppress(FacegroupError, TimeoutError):
                async with asyncio.timeout(2):
                    await eye.close()

    # Sightings

    async def events(self, after: int, limit: int, wait: float = 0) -> list[Event]:
        """Return the events with numbers above `after`; where there is none yet, wait for one, so many seconds at most."""
        known = self._newest  # before the journal is asked: what is written meanwhile ends the waiting at once
        found: list[Event] = await self._in(self._journal.events, after, limit)
        if found or wait <= 0:
            return found
        with suppress(TimeoutError):
            async with asyncio.timeout(wait), self._news:
                await self._news.wait_for(lambda: self._newest > max(known, after))
        return await self.events(after, limit)

    async def erase(self, gallery: str, person_id: str | None = None, unknown: str | None = None) -> int:
        """Erase the sightings of a member, of a stranger, or of a gallery; return how many."""
        concerned = [camera for camera, (watch, _) in self._watches.items() if watch.camera.gallery == gallery]
        for camera in concerned:
            self._watches[camera][0].forget()  # or whoever is before it now would be noted again

        def erase(book: SightingBook) -> int:
            for camera in concerned:
                book.restarted(camera)
            return book.erase(gallery, person_id, unknown)

        removed: int = await self._in_book(erase)
        if self._couriers is not None:
            self._couriers[0].forget(gallery, person_id or unknown)
        return removed

    async def promote(
        self, gallery: str, unknown: str, name: str | None, person_id: str | None, by: Origin
    ) -> tuple[Person, int, int]:
        """Make a stranger a member, enrolled with their best crops: a new one of that name, or one who is there.

        Asked again after an error midway it goes on where it was: nobody is made twice.

        Returns:
            The person, how many photos were enrolled, how many sightings are theirs now.

        Raises:
            UnknownStranger: there is none of this id.
            NetworkMismatch: the gallery was made with another network than the stranger was seen with.
            UnknownPerson: there is none of this id, and no name to make one.
        """
        stranger = await self._in(self._journal.unknown, gallery, unknown)
        about = await self._ask(Store.gallery, gallery)
        if about.network != stranger.network:
            raise NetworkMismatch(
                f"{unknown} was seen with {stranger.network}, and {gallery} is of {about.network} since facegroup migrate; "
                "enrol a photo instead"
            )
        person = await self._promoted(gallery, unknown, name, person_id, by)
        samples = [
            Sample(hashlib.sha256(shot.crop or shot.descriptor.tobytes()).hexdigest(), shot.descriptor, shot.crop)
            for shot in stranger.shots
        ]
        done = await self._ask(Store.add_samples, gallery, person.id, samples, stranger.network, by=by)
        moved: int = await self._in_book(lambda book: book.promoted(gallery, unknown, person.id, person.name))
        return done.person, len(done.added), moved

    async def _promoted(
        self, gallery: str, unknown: str, name: str | None, person_id: str | None, by: Origin
    ) -> Person:
        if person_id is not None:
            with suppress(UnknownPerson):
                return await self._ask(Store.person, gallery, person_id)
        if name is None:
            raise UnknownPerson(f"there is no person {person_id!r} in {gallery}; a name would make one")
        once = IdempotencyKey.of(f"promote-{unknown}", gallery, json.dumps([name, person_id]))
        return await self._ask(Store.create_person, gallery, name, {}, person_id, once=once, by=by)

    # Receivers

    async def list_webhooks(self) -> list[tuple[Webhook, dict[str, Any]]]:
        """Return all webhooks and how far each is, by id."""
        newest = (await self._in(self._journal.span))[1]
        return [(each, await self._state(each, newest)) for each in await self._in(self._journal.webhooks)]

    async def show_webhook(self, webhook: str) -> tuple[Webhook, dict[str, Any]]:
        """Return one. Raises UnknownWebhook."""
        for each in await self._in(self._journal.webhooks):
            if each.id == webhook:
                return each, await self._state(each, (await self._in(self._journal.span))[1])
        raise UnknownWebhook(f"there is no webhook {webhook!r}")

    async def add_webhook(self, webhook: Webhook, by: Origin) -> tuple[Webhook, dict[str, Any]]:
        """Add a receiver of what comes from now on. Raises what `address.check_url` and the journal say no with."""
        await self._in(address.check_url, webhook.url, self._settings.cameras)
        made = await self._in(self._journal.create_webhook, webhook, self._settings.cameras.webhooks)
        self._deliver().changed()
        log.info("webhook %s added by %s: %s", made.id, by.actor, address.shown(made.url))
        return made, await self._state(made, (await self._in(self._journal.span))[1])

    async def remove_webhook(self, webhook: str, by: Origin) -> None:
        """Remove a receiver with its dead letters. Raises UnknownWebhook."""
        await self._in(self._journal.delete_webhook, webhook)
        self._deliver().changed()
        log.info("webhook %s removed by %s", webhook, by.actor)

    async def retry_dead_letters(self, webhook: str) -> int:
        """Try what a receiver would not take once more; return how many it took. Raises UnknownWebhook."""
        found, _ = await self.show_webhook(webhook)
        return await self._deliver().retry(found)

    async def _state(self, webhook: Webhook, newest: int) -> dict[str, Any]:
        subscriber = f"webhook:{webhook.id}"
        done = await self._in(self._journal.cursor, subscriber) or 0
        letters = await self._in(self._journal.dead_letters, subscriber, 0, 1000)
        error = self._deliver().error(subscriber)
        return {"delivered": done, "waiting": max(0, newest - done), "dead": len(letters), "error": error}

    def _deliver(self) -> EventDelivery:
        if self._couriers is None:
            raise StageUnavailable("the cameras are starting; try again", 2)
        return self._couriers[0]

    # Videos

    async def begin_video(self, name: str, gallery: str) -> str:
        """See `VideoJobs.begin`. Raises UnknownGallery, NetworkMismatch."""
        about = await self._ask(Store.gallery, gallery)
        if about.network != self._spec.name:
            raise NetworkMismatch.of(gallery, about.network, self._spec.name)
        self._thresholds[gallery] = about.threshold
        return await self._views().begin(name, gallery)

    async def add_to_video(self, video: str, data: bytes) -> None:
        """See `VideoJobs.add`."""
        await self._views().add(video, data)

    async def start_video(self, video: str, wanted: dict[str, Any]) -> Video:
        """See `VideoJobs.start`."""
        return await self._views().start(video, wanted)

    async def give_up_video(self, video: str) -> None:
        """See `VideoJobs.give_up`."""
        self._views().give_up(video)

    async def remove_video(self, video: str) -> None:
        """Remove a video's results; one that is looked through is given up. Raises UnknownVideo."""
        await self._in(self._journal.delete_video, video)

    def _views(self) -> VideoJobs:
        if self._videos is None:
            raise StageUnavailable("the cameras are starting; try again", 2)
        return self._videos[0]

    # What it is made of

    @property
    def _journal(self) -> Journal:
        return self._both[0]

    @property
    def _both(self) -> tuple[Journal, SightingBook]:
        if self._kept is None:
            raise StageUnavailable(self._trouble.detail if self._trouble else "the cameras are starting; try again", 2)
        return self._kept

    async def _begin(self) -> None:
        journal = await self._in(self._open_journal)
        try:
            book = await self._in(SightingBook, journal, self._settings.cameras, self._threshold, self._clock.now)
            cameras = await self._in(journal.cameras)
            newest = (await self._in(journal.span))[1]
        except BaseException:
            journal.close()
            raise
        self._kept = (journal, book)
        self._newest = newest
        loop = asyncio.get_running_loop()

        def asked(method: str, *given: Any) -> Awaitable[Any]:
            return self._in(getattr(journal, method), *given)

        couriers = EventDelivery(self._settings.cameras, asked, self._live)
        self._couriers = (couriers, loop.create_task(couriers.run(), name="couriers"))
        videos = VideoJobs(self._settings, self._spec.name, self._frames, asked, self._open_here, self._threshold)
        self._videos = (videos, loop.create_task(videos.run(), name="videos"))
        for camera in cameras:
            self._start(camera)
        self._begun.set()

    def _start(self, camera: Camera) -> None:
        if not camera.enabled:
            return
        watch = CameraTask(camera, self._spec.name, self._open_any, self._frames, self._note, self._clock)
        self._watches[camera.id] = (
            watch,
            asyncio.get_running_loop().create_task(watch.run(), name=f"camera {camera.id}"),
        )

    async def _stop(self, camera: str) -> None:
        if camera in self._watches:
            _, task = self._watches.pop(camera)
            task.cancel()
            await asyncio.wait([task], timeout=5)
        if self._kept is not None:
            await self._in_book(lambda book: book.restarted(camera))

    async def _open_any(self, camera: Camera) -> FrameReader:
        return await self._open(camera, self._settings, False)

    async def _open_here(self, camera: Camera, settings: Settings) -> FrameReader:
        return await self._open(camera, settings, True)

    def _condition(self, camera: Camera) -> Condition:
        if camera.id not in self._watches:
            return Condition(Status("stopped", since=camera.updated_at))
        return self._watches[camera.id][0].condition()

    async def _check(self, camera: Camera) -> None:
        await self._in(address.check, camera.source, self._settings.cameras)
        await self._ask(Store.gallery, camera.gallery)

    async def _note(self, camera: Camera, observations: tuple[Observation, ...]) -> bool:
        watch = self._watches.get(camera.id)
        if watch is not None and watch[0].threshold is not None:
            self._thresholds[camera.gallery] = watch[0].threshold
        return await self._written(await self._in_book(lambda book: book.observe(camera, observations)))

    async def _tick(self) -> None:
        reached = {camera: watch.reached for camera, (watch, _) in self._watches.items() if watch.reached is not None}
        now, shift = self._clock.now(), self._clock.shift()
        await self._written(await self._in_book(lambda book: book.tick(now, reached, shift)))
        if time.monotonic() - self._reconciled >= _RECONCILE_SECONDS:
            self._reconciled = time.monotonic()
            await self._reconcile()

    async def _reconcile(self) -> None:
        """Erase the sightings of people who were erased where the hub did not hear of it: by expiry, or a command."""
        for gallery, person_id in sorted(await self._in(self._journal.people)):
            try:
                await self._ask(Store.person, gallery, person_id)
            except (UnknownPerson, UnknownGallery):
                removed = await self.erase(gallery, person_id)
                log.info("erased %d sightings of a person of %s who is gone", removed, gallery)
            except NetworkMismatch:
                continue
            except ServiceError:
                return

    def _threshold(self, gallery: str) -> float:
        own = self._spec.threshold if self._settings.threshold is None else self._settings.threshold
        return self._thresholds.get(gallery, own)

    async def _written(self, events: Sequence[Event]) -> bool:
        """Wake whoever waits for events; say whether there are any."""
        if not events:
            return False
        self._newest = events[-1].seq
        if self._couriers is not None:
            self._couriers[0].wake()
        async with self._news:
            self._news.notify_all()
        return True

    def _moved(self) -> None:
        """Say that there are other cameras."""
        if self._couriers is not None:
            self._couriers[0].wake()

    def _live(self) -> dict[str, bool]:
        if self._trouble is not None:  # nothing can be written down, also not that somebody has left
            return {}
        return {camera: each.status.state == "live" for camera, each in self.conditions().items()}

    async def _look(self, photos: Sequence[Photo], _: None) -> list[PhotoResult | FacegroupError]:
        return await self._see(photos)

    async def _in_book(self, call: Callable[[SightingBook], Any]) -> Any:
        """Do something with the book, which is used from one thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pen, call, self._both[1])

    async def _in(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *arguments, **named))
