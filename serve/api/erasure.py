"""The places of `facegroup.erasure` as a server reaches them: the process of the cameras, and that of the store."""

from dataclasses import dataclass

from facegroup import erasure
from facegroup.cameras.hub.sighting_log import SightingLog
from facegroup.cameras.journal import may_be_there
from facegroup.errors import CamerasOff
from facegroup.store.audit import Origin
from facegroup.store.contract import Erased, Store
from serve.api.context import Context


@dataclass(frozen=True, slots=True)
class Sightings:
    """Class that erases what cameras saw; an `Erasable`."""

    server: Context

    async def erase(self, gallery: str, person_id: str | None = None) -> int:
        """See `Erasable`. Without a journal no process is started to say that there is nothing to erase."""
        if not may_be_there(self.server.settings.store):
            return 0
        try:
            return await self.server.pipeline.cameras(SightingLog.erase, gallery, person_id)
        except CamerasOff:
            return 0


@dataclass(frozen=True, slots=True)
class Galleries:
    """Class that erases from the store; an `Erasable`. `by` is who asked, for the audit log."""

    server: Context
    by: Origin

    async def erase(self, gallery: str, person_id: str | None = None) -> Erased:
        """See `Erasable`."""
        if person_id is None:
            return await self.server.pipeline.ask(Store.delete_gallery, gallery, by=self.by)
        return await self.server.pipeline.ask(Store.delete_person, gallery, person_id, by=self.by)


async def erase(server: Context, by: Origin, gallery: str, person_id: str | None = None) -> tuple[Erased, int]:
    """Erase a person, or a whole gallery, everywhere; see `facegroup.erasure.erase`."""
    return await erasure.erase(Sightings(server), Galleries(server, by), gallery, person_id)
