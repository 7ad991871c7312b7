"""Event delivery in a thread, over a real journal, as the hub has them."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

from facegroup.cameras.delivery.event_delivery import EventDelivery
from facegroup.cameras.delivery.presence import Live
from facegroup.cameras.sightings.journal import Journal, NewEvent
from facegroup.cameras.sightings.types import Event, Webhook
from facegroup.settings import Cameras
from tests.unit.cameras.journal.made import sighting

NETWORKS = ("127.0.0.0/8",)


class Delivering:
    """Delivers while it is entered.

    Args:
        journal: what is delivered.
        live: which cameras see something.
        settings: of cameras, beside the networks of this machine.
    """

    def __init__(self, journal: Journal, live: Live | None = None, **settings: Any) -> None:
        self._journal = journal
        self._live = live
        self._settings = Cameras(networks=NETWORKS, **settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> "Delivering":
        self._thread.start()
        self.delivery: EventDelivery = self.run(self._made())
        self._running = asyncio.run_coroutine_threadsafe(self.delivery.run(), self._loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._running.cancel)
        self.run(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    def record(self, *sightings: Any, kind: Any = "began") -> list[Event]:
        """Write events and wake the delivery, as the hub does."""
        events = self._journal.record([NewEvent(kind, each) for each in sightings])
        self._loop.call_soon_threadsafe(self.delivery.wake)
        return events

    def begin(self, count: int, **given: Any) -> list[Event]:
        """Record so many sightings that began now."""
        return self.record(*(sighting(time.time() - 5 + number, **given) for number in range(count)))

    def hook(self, name: str, url: str, **given: Any) -> Webhook:
        """Add a webhook."""
        made = self._journal.create_webhook(Webhook(name, url, "whsec_c2VjcmV0", **given), 10)
        self._loop.call_soon_threadsafe(self.delivery.changed)
        return made

    def remove(self, name: str) -> None:
        """Remove a webhook."""
        self._journal.delete_webhook(name)
        self._loop.call_soon_threadsafe(self.delivery.changed)

    async def _made(self) -> EventDelivery:
        return EventDelivery(self._settings, self._journal, self._live)

    async def _ended(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if others:
            await asyncio.wait(others, timeout=20)
        await self._loop.shutdown_default_executor()
