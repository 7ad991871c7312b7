"""MQTT publisher: sends events to the broker, and keeps what the broker retains up to date."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

from facegroup.cameras.delivery.mqtt import Broker
from facegroup.cameras.delivery.payloads import Gap
from facegroup.cameras.delivery.presence import Live, Now, Presence
from facegroup.cameras.delivery.subscription import Subscription
from facegroup.cameras.delivery.webhook import Outcome
from facegroup.cameras.sightings.journal import Journal
from facegroup.cameras.sightings.types import Event
from facegroup.errors import FacegroupError, UnknownCamera
from facegroup.settings import Cameras

_Answer = TypeVar("_Answer")

log = logging.getLogger(__name__)

MQTT = "mqtt"
"""Name under which the journal keeps what was delivered."""
LATE_SECONDS = 10.0
"""An event that is delivered later than this, or of what was seen longer ago, is history."""
_STATE_SECONDS = 2.0  # between two reads of who is there
_BROKEN_SECONDS = 300.0  # after a bug


class MqttPublisher:
    """Publishes to the broker of the settings. Made and used in one event loop.

    Args:
        settings: of cameras, with a broker.
        journal: keeps the events.
        live: returns which cameras see something; None: all do.

    Attributes:
        subscription: delivers the events.

    Raises:
        InvalidSettings: the broker's address is malformed.
    """

    def __init__(self, settings: Cameras, journal: Journal, live: Live | None) -> None:
        self.subscription = Subscription(MQTT, journal, self._send)
        self._journal = journal
        self._broker = Broker(settings)
        # Of its own: a broker that hangs must not hold up those who wait for the journal. Two tasks use it, and the end.
        self._threads = ThreadPoolExecutor(3, MQTT)
        self._presence = Presence(journal, live, settings.mqtt_pictures)
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start to publish."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self.subscription.run(), name=MQTT)]
        self._tasks.append(loop.create_task(self._follow(), name="presence"))

    async def close(self) -> None:
        """Stop, and tell subscribers that this server is offline."""
        for task in self._tasks:
            task.cancel()
        await self._in_thread(self._broker.close)
        self._threads.shutdown(wait=False)

    def wake(self) -> None:
        """Look for new events, or other cameras, now."""
        self.subscription.wake()
        self._changed.set()

    def forget(self, gallery: str, ident: str | None) -> None:
        """Remove what the broker retains of somebody who was erased, or of everybody of a gallery."""
        self._presence.forget(gallery, ident)
        self._changed.set()

    async def _send(self, event: Event | Gap) -> Outcome:
        # The retained topics say who is where even so, and subscribers see that numbers are missing.
        if isinstance(event, Gap):
            return Outcome(True)
        until = await self._current_until(event)
        wrong = await self._in_thread(partial(self._broker.tell, event, until=until))
        return Outcome(wrong is None, detail=wrong or "")

    async def _current_until(self, event: Event) -> float:
        """Return until when, by `time.monotonic`, an event is current; then it is history.

        Events are history at once if they are from before the start, were written long ago, or are of what a camera saw
        long ago.
        """
        seen = event.sighting
        try:
            camera = await asyncio.to_thread(self._journal.camera, seen.camera)
        except UnknownCamera:
            return -math.inf
        if event.seq <= self.subscription.began or not camera.realtime:
            return -math.inf
        # The cooldown of a camera passes before somebody counts as gone.
        unseen = max(camera.cooldown, seen.patience) if event.kind == "ended" else 0.0
        now = time.time()
        return time.monotonic() + LATE_SECONDS - max(abs(now - event.at), now - seen.last_seen - unseen)

    async def _follow(self) -> None:
        """Keep what the broker retains up to date, whichever events it was told of."""
        while True:
            self._changed.clear()
            try:
                await self._update()
            except FacegroupError as error:
                log.debug("who is there is not known: %s", error.detail)  # the subscription logs a warning
                await self._show(self._presence.lost())
            except Exception:
                log.exception("the retained topics could not be updated, which is a bug")
                self.subscription.problem = "the retained topics could not be updated, which is a bug: see the log"
                with suppress(Exception):
                    await self._show(self._presence.lost())
                await asyncio.sleep(_BROKEN_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(_STATE_SECONDS):
                    await self._changed.wait()

    async def _update(self) -> None:
        looking = asyncio.get_running_loop().create_task(self._presence.look())
        try:
            await asyncio.wait((looking,), timeout=LATE_SECONDS)
            if not looking.done():  # the last state is too old to be trusted
                await self._show(self._presence.lost())
            await self._show(await looking)
        finally:
            looking.cancel()

    async def _show(self, now: Now | None) -> None:
        if now is not None:
            await self._in_thread(partial(self._broker.show, self._broker.topics.retained(now)))

    async def _in_thread(self, call: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
