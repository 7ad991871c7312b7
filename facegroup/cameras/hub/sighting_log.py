"""Sightings and events, as HTTP reads and erases them."""

import asyncio

from facegroup.cameras.hub import person_copy
from facegroup.cameras.hub.part import HubPart, completed
from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sightings.journal import Filter
from facegroup.cameras.sightings.types import Event, Sighting
from facegroup.store.person_copy import Item


class SightingLog(HubPart):
    """The sightings and events of the journal."""

    async def page(self, wanted: Filter, after: str, limit: int) -> list[Sighting]:
        """Return a page of sightings; see `Journal.sightings`."""
        return await asyncio.to_thread(self._hub.journal.sightings, wanted, after, limit)

    async def show(self, sighting: str) -> Sighting:
        """Return a sighting. Raises UnknownSighting."""
        return await asyncio.to_thread(self._hub.journal.sighting, sighting)

    async def crop(self, sighting: str) -> bytes:
        """Return the face of a sighting, as JPEG. Raises UnknownSighting, also if no crop is kept."""
        return await asyncio.to_thread(self._hub.journal.crop, sighting)

    async def copy(self, gallery: str, person_id: str, cursor: str) -> tuple[list[Item], str]:
        """Return a page of what is held on a member; see `person_copy.page`."""
        return await asyncio.to_thread(person_copy.page, self._hub.journal, gallery, person_id, cursor)

    async def span(self) -> tuple[int, int]:
        """Return the numbers of the oldest and the newest event; see `Journal.span`."""
        return await asyncio.to_thread(self._hub.journal.span)

    async def events(self, after: int, limit: int, wait: float = 0.0) -> list[Event]:
        """Return the events with numbers above `after`; if there are none, wait for one, up to `wait` seconds."""
        known = self._hub.recorder.newest  # read first: an event that is written from here on ends the wait at once
        found = await asyncio.to_thread(self._hub.journal.events, after, limit)
        if found or wait <= 0:
            return found
        await self._hub.recorder.wait(max(known, after), wait)
        return await asyncio.to_thread(self._hub.journal.events, after, limit)

    @completed
    async def erase(self, gallery: str, person_id: str | None = None, unknown: str | None = None) -> int:
        """Erase the sightings of a member, of a stranger, or of a gallery; return how many."""
        cameras = self._hub.running.forget(gallery)

        def erase(book: SightingBook) -> int:
            for camera in cameras:
                book.restarted(camera)
            return book.erase(gallery, person_id, unknown)

        removed = await self._hub.recorder.run(erase)
        self._hub.delivery.forget(gallery, person_id or unknown)
        return removed
