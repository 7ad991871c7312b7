"""Receivers of events: webhooks, how far each is, and the events that it refused."""

import asyncio
import logging
from dataclasses import dataclass

from facegroup.cameras.hub.part import HubPart, completed
from facegroup.cameras.sightings.types import DeadLetter, Webhook
from facegroup.cameras.sources import address
from facegroup.errors import UnknownWebhook
from facegroup.store.audit import Origin

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookState:
    """How far a webhook is.

    Attributes:
        delivered: number of the last event that it has dealt with.
        waiting: newer events.
        dead: events that it refused, up to 1,000.
        error: why it accepts no events now; None: nothing is wrong.
    """

    delivered: int
    waiting: int
    dead: int
    error: str | None


class Receivers(HubPart):
    """The webhooks of the journal."""

    async def all(self) -> list[tuple[Webhook, WebhookState]]:
        """Return all webhooks with their states, by id."""
        newest = await self._newest()
        return [(each, await self._state(each, newest)) for each in await asyncio.to_thread(self._hub.journal.webhooks)]

    async def show(self, webhook: str) -> tuple[Webhook, WebhookState]:
        """Return a webhook with its state. Raises UnknownWebhook."""
        found = await self._found(webhook)
        return found, await self._state(found, await self._newest())

    @completed
    async def add(self, webhook: Webhook, by: Origin) -> tuple[Webhook, WebhookState]:
        """Add a receiver of future events. Raises what `address.check_url` and `Journal.create_webhook` raise."""
        await asyncio.to_thread(address.check_url, webhook.url, self._hub.settings.cameras)
        made = await asyncio.to_thread(self._hub.journal.create_webhook, webhook, self._hub.settings.cameras.webhooks)
        self._hub.delivery.changed()
        log.info("webhook %s added by %s: %s", made.id, by.actor, address.shown(made.url))
        return made, await self._state(made, await self._newest())

    @completed
    async def remove(self, webhook: str, by: Origin) -> None:
        """Remove a receiver with its dead letters. Raises UnknownWebhook."""
        await asyncio.to_thread(self._hub.journal.delete_webhook, webhook)
        self._hub.delivery.changed()
        log.info("webhook %s removed by %s", webhook, by.actor)

    async def dead_letters(self, webhook: str, after: int, limit: int) -> list[DeadLetter]:
        """Return the events that a receiver refused, by number, above `after`. Raises UnknownWebhook."""
        found = await self._found(webhook)
        return await asyncio.to_thread(self._hub.journal.dead_letters, found.subscriber, after, limit)

    @completed
    async def retry_dead_letters(self, webhook: str) -> int:
        """Post the events that a receiver refused once more; return how many it accepted. Raises UnknownWebhook."""
        return await self._hub.delivery.retry(await self._found(webhook))

    async def _found(self, webhook: str) -> Webhook:
        for each in await asyncio.to_thread(self._hub.journal.webhooks):
            if each.id == webhook:
                return each
        raise UnknownWebhook(f"there is no webhook {webhook!r}")

    async def _newest(self) -> int:
        return (await asyncio.to_thread(self._hub.journal.span))[1]

    async def _state(self, webhook: Webhook, newest: int) -> WebhookState:
        done = await asyncio.to_thread(self._hub.journal.cursor, webhook.subscriber) or 0
        dead = await asyncio.to_thread(self._hub.journal.dead_letters, webhook.subscriber, 0, 1000)
        error = self._hub.delivery.error(webhook.subscriber)
        return WebhookState(done, max(0, newest - done), len(dead), error)
