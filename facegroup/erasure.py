"""Every place where a person lives, in the order in which an erasure goes through them.

1. The trackers of the cameras (`CameraTask.forget`): they start again, or a frame under way would bring the person back.
2. The open sightings (`SightingBook.erase`) and the journal (`Journal.erase`): sightings with crops, events, dead letters,
   results of videos.
3. What receivers are still to be told (`EventDelivery.forget`).
4. The store (`Store.delete_person`): the record, samples, counter-examples, crops, centroid and expiry, in the gallery and
   in the staging copies beside it (`facegroup.store.staging`: import, migration, rollback).
5. The snapshots that matching reads (`facegroup.gallery.snapshot`). They need no call: the store's version went up, and
   each process catches up before its next answer.
6. Places 1 to 3 once more, for what the cameras saw in between.

The process of the cameras does 1 to 3 in one call (`SightingLog.erase`), which is the `Erasable` of the sightings. The
`Erasable` of the store does 4. A command that works on the store alone, a merger and an expiry do 4 only. The process of the
cameras compares once an hour, and then does 1 to 3.

These stay: the audit log, which holds ids, counts and times, and the idempotency keys, which hold hashes and ids.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from facegroup.errors import ServiceError
from facegroup.store.contract import Erased
from facegroup.store.person_copy import Item

_Removed_co = TypeVar("_Removed_co", covariant=True)


class Erasable(Protocol[_Removed_co]):
    """Place where people live, in this process or in another."""

    async def erase(self, gallery: str, person_id: str | None = None) -> _Removed_co:
        """Erase a person and return what was removed. None erases the whole gallery."""


class Place(Erasable[_Removed_co], Protocol[_Removed_co]):
    """Place that also gives what it holds on a person: nothing may be kept that the person cannot get."""

    def copy(self, gallery: str, person_id: str) -> AsyncIterator[Item]:
        """Give what is held on a person, as parts of files. Raises `UnknownPerson` where they were erased meanwhile."""


@dataclass(frozen=True, slots=True)
class Places:
    """All places where people live: what an erasure and a person's own copy (`facegroup.person_archive`) go through.

    Attributes:
        sightings: what the cameras saw.
        store: the galleries.
    """

    sightings: Place[int]
    store: Place[Erased]

    def all(self) -> tuple[Place[object], ...]:
        """Return the places, the store last: it tells whether the person was erased meanwhile."""
        return self.sightings, self.store

    async def erase(self, gallery: str, person_id: str | None = None) -> tuple[Erased, int]:
        """Erase a person, or a whole gallery, everywhere; see `erase`."""
        return await erase(self.sightings, self.store, gallery, person_id)


async def erase(
    sightings: Erasable[int], store: Erasable[Erased], gallery: str, person_id: str | None = None
) -> tuple[Erased, int]:
    """Erase a person, or a whole gallery, everywhere.

    Args:
        sightings: what the cameras saw. Where it cannot be erased now, nothing is erased at all, and the caller tries again.
        store: the galleries.
        gallery: its name.
        person_id: who is erased; None erases the gallery.

    Returns:
        What the store removed, and how many sightings were removed.

    Raises:
        UnknownGallery: there is none.
        UnknownPerson: there is none.
        ServiceError: a place cannot be reached.
    """
    count = await sightings.erase(gallery, person_id)
    removed = await store.erase(gallery, person_id)
    with suppress(ServiceError):  # the cameras' process erases the rest within the hour
        count += await sightings.erase(gallery, person_id)
    return removed, count
