"""Event delivery: one subscription for each webhook and one for MQTT.

A receiver that is down is tried again with growing pauses. It holds up no other receiver, and loses no event that the
journal still has.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from facegroup.cameras.delivery import payloads
from facegroup.cameras.delivery.mqtt_publisher import MQTT, MqttPublisher
from facegroup.cameras.delivery.presence import Live
from facegroup.cameras.delivery.subscription import Send, Subscription
from facegroup.cameras.delivery.webhook import Outcome, Poster
from facegroup.cameras.sightings.journal import Journal
from facegroup.cameras.sightings.types import Event, Webhook
from facegroup.errors import FacegroupError
from facegroup.settings import Cameras

RETRY_SECONDS = 15.0
"""How long one `retry` continues before it answers."""
_AGAIN_SECONDS = 1.0  # after the journal was unavailable


class EventDelivery:
    """Delivers the events of the journal. Made and used in one event loop.

    Args:
        settings: of cameras.
        journal: keeps events and webhooks.
        live: returns which cameras see something; None: all do.
    """

    def __init__(self, settings: Cameras, journal: Journal, live: Live | None = None) -> None:
        self._journal = journal
        self._give_up = settings.give_up_hours * 3600
        self._poster = Poster(settings)
        self._mqtt = None if settings.mqtt is None else MqttPublisher(settings, journal, live)
        self._hooks: dict[str, tuple[Webhook, Subscription, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled."""
        if self._mqtt is not None:
            self._mqtt.start()
        try:
            while True:
                self._changed.clear()
                try:
                    found = await asyncio.to_thread(self._journal.webhooks)
                except FacegroupError:
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                await self._subscribe({each.subscriber: each for each in found})
                await self._changed.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop. An event that is under way is sent again after a restart."""
        await self._subscribe({})
        await self._poster.close()
        if self._mqtt is not None:
            await self._mqtt.close()
            self._mqtt = None

    def wake(self) -> None:
        """Look for new events, or other cameras, now."""
        for _, subscription, _ in self._hooks.values():
            subscription.wake()
        if self._mqtt is not None:
            self._mqtt.wake()

    def changed(self) -> None:
        """Read the webhooks again: there are more, or fewer."""
        self._changed.set()

    def error(self, subscriber: str) -> str | None:
        """Return what is wrong with a receiver now; None: nothing is."""
        subscription = self._subscription(subscriber)
        return None if subscription is None else subscription.error

    def forget(self, gallery: str, ident: str | None = None) -> None:
        """Remove what the broker retains of somebody who was erased, or of everybody of a gallery."""
        if self._mqtt is not None:
            self._mqtt.forget(gallery, ident)

    async def retry(self, webhook: Webhook) -> int:
        """Post the dead letters of a webhook again, until one is refused or 15 s are over; return how many it accepted."""
        taken, end = 0, time.monotonic() + RETRY_SECONDS
        while page := await asyncio.to_thread(self._journal.dead_letters, webhook.subscriber):
            for dead in page:
                if time.monotonic() > end:
                    return taken
                if not payloads.is_blank(dead.event):
                    outcome = await self._poster.post(webhook, dead.event)
                    if not outcome.taken:
                        subscription = self._subscription(dead.subscriber)
                        if subscription is not None:
                            subscription.problem = outcome.detail
                        return taken
                    taken += 1
                await asyncio.to_thread(self._journal.forget_dead_letters, dead.subscriber, [dead.event.seq])
        return taken

    async def _subscribe(self, hooks: dict[str, Webhook]) -> None:
        """Run a subscription for each of these webhooks, and for no other."""
        # A webhook that was removed and created again under its name is another one.
        for name in [name for name, (hook, *_) in self._hooks.items() if hook != hooks.get(name)]:
            _, _, task = self._hooks.pop(name)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for name, hook in hooks.items():
            if name not in self._hooks:
                made = Subscription(name, self._journal, self._posts(hook), _wants(hook), self._give_up)
                task = asyncio.get_running_loop().create_task(made.run(), name=name)
                self._hooks[name] = (hook, made, task)

    def _subscription(self, subscriber: str) -> Subscription | None:
        if subscriber == MQTT and self._mqtt is not None:
            return self._mqtt.subscription
        return self._hooks[subscriber][1] if subscriber in self._hooks else None

    def _posts(self, hook: Webhook) -> Send:
        async def send(event: Event | payloads.Gap) -> Outcome:
            return await self._poster.post(hook, event)

        return send


def _wants(hook: Webhook) -> Callable[[Event], bool]:
    def wants(event: Event) -> bool:
        seen = event.sighting
        return (not hook.cameras or seen.camera in hook.cameras) and hook.gallery in (None, seen.gallery)

    return wants
