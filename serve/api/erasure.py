"""The places of `facegroup.erasure` as a server reaches them: the process of the cameras, and that of the store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from facegroup.cameras.hub.sighting_log import SightingLog
from facegroup.cameras.journal import may_be_there
from facegroup.erasure import Places
from facegroup.errors import CamerasOff
from facegroup.store.audit import Origin
from facegroup.store.contract import Erased, Store
from facegroup.store.person_copy import Item, copy_person
from serve.api.context import Context


@dataclass(frozen=True, slots=True)
class Sightings:
    """Class that erases and copies what cameras saw; a `Place`."""

    server: Context

    async def erase(self, gallery: str, person_id: str | None = None) -> int:
        """See `Erasable`. Without a journal no process is started to say that there is nothing to erase."""
        if not may_be_there(self.server.settings.store):
            return 0
        try:
            return await self.server.pipeline.cameras(SightingLog.erase, gallery, person_id)
        except CamerasOff:
            return 0

    async def copy(self, gallery: str, person_id: str) -> AsyncIterator[Item]:
        """See `Place`."""
        if not may_be_there(self.server.settings.store):
            return
        cursor = ""
        while True:
            try:
                items, cursor = await self.server.pipeline.cameras(SightingLog.copy, gallery, person_id, cursor)
            except CamerasOff:
                return
            for item in items:
                yield item
            if not cursor:
                return


@dataclass(frozen=True, slots=True)
class Galleries:
    """Class that erases and copies what the store holds; a `Place`. `by` is who asked, for the audit log."""

    server: Context
    by: Origin

    async def erase(self, gallery: str, person_id: str | None = None) -> Erased:
        """See `Erasable`."""
        if person_id is None:
            return await self.server.pipeline.ask(Store.delete_gallery, gallery, by=self.by)
        return await self.server.pipeline.ask(Store.delete_person, gallery, person_id, by=self.by)

    def copy(self, gallery: str, person_id: str) -> AsyncIterator[Item]:
        """See `Place`."""
        return copy_person(self.server.pipeline.ask, gallery, person_id, self.by)


def places(server: Context, by: Origin) -> Places:
    """Return all places where people live."""
    return Places(Sightings(server), Galleries(server, by))
