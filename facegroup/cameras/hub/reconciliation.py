"""Reconciliation of the journal with the gallery store: sightings of people who no longer exist are erased."""

import asyncio
import logging
import time

from facegroup.cameras.hub.part import HubContext
from facegroup.cameras.hub.sighting_log import SightingLog
from facegroup.errors import NetworkMismatch, ServiceError, UnknownGallery, UnknownPerson
from facegroup.store.contract import Store

log = logging.getLogger(__name__)

_EVERY_SECONDS = 3600.0
_FIRST_SECONDS = 60.0


class Reconciliation:
    """Erases sightings of people whom the store deleted without the hub: by expiry, or by a command.

    Args:
        hub: what it uses of the hub.
    """

    def __init__(self, hub: HubContext) -> None:
        self._hub = hub
        self._due = time.monotonic() + _FIRST_SECONDS

    async def run_if_due(self) -> None:
        """Run once an hour, and a minute after the start."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _EVERY_SECONDS
            await self.run()

    async def run(self) -> None:
        """Erase the sightings of people who no longer exist. If the store is unavailable, leave the rest for later."""
        for gallery, person_id in sorted(await asyncio.to_thread(self._hub.journal.people)):
            try:
                await self._hub.ask(Store.person, gallery, person_id)
            except (UnknownPerson, UnknownGallery):
                removed = await SightingLog(self._hub).erase(gallery, person_id)
                log.info("erased %d sightings of a person of %s who is gone", removed, gallery)
            except NetworkMismatch:
                continue
            except ServiceError:
                return
