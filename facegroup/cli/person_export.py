"""A person's own copy of what this machine's store and its journal hold, without a server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from facegroup.cameras.hub import person_copy
from facegroup.cameras.journal import may_be_there, open_journal
from facegroup.cameras.sightings.journal import Journal
from facegroup.erasure import Places
from facegroup.person_archive import archive, saved
from facegroup.settings import Settings
from facegroup.store.audit import Origin
from facegroup.store.calls import direct, waiting
from facegroup.store.contract import Erased, Store
from facegroup.store.person_copy import Item, copy_person
from facegroup.store.secret_key import secret_keys


@dataclass(frozen=True, slots=True)
class _Sightings:
    journal: Journal | None

    async def erase(self, gallery: str, person_id: str | None = None) -> int:
        return 0 if self.journal is None else self.journal.erase(gallery, person_id)

    async def copy(self, gallery: str, person_id: str) -> AsyncIterator[Item]:
        cursor = None if self.journal is None else ""
        while self.journal is not None and cursor is not None:
            items, following = person_copy.page(self.journal, gallery, person_id, cursor)
            for item in items:
                yield item
            cursor = following or None


@dataclass(frozen=True, slots=True)
class _Galleries:
    store: Store

    async def erase(self, gallery: str, person_id: str | None = None) -> Erased:
        if person_id is None:
            return self.store.delete_gallery(gallery)
        return self.store.delete_person(gallery, person_id)

    def copy(self, gallery: str, person_id: str) -> AsyncIterator[Item]:
        return copy_person(waiting(direct(self.store)), gallery, person_id, Origin("cli"))


def export(store: Store, settings: Settings, person_id: str, file: Path) -> None:
    """Write everything that is held on a person into a new ZIP file. Raises as `archive` and `saved` do."""

    async def write(journal: Journal | None) -> None:
        places = Places(_Sightings(journal), _Galleries(store))
        with saved(file) as into:
            async for part in archive(places, settings.gallery, person_id):
                into.write(part)

    store.person(settings.gallery, person_id)
    if not may_be_there(settings.store):
        asyncio.run(write(None))
        return
    with closing(open_journal(settings.store, settings.cameras.key, secret_keys(settings))) as journal:
        asyncio.run(write(journal))
