"""What the store holds on one person, as parts of a file that the person gets: the counterpart of `Store.delete_person`."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from facegroup.errors import UnknownGallery, UnknownPerson
from facegroup.store.audit import Entry, Event, Origin
from facegroup.store.calls import AskStore
from facegroup.store.contract import Store
from facegroup.store.staging import copies_of
from facegroup.types import Sample

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Item:
    """Class of a part of a file. Parts of one path that follow each other are one file.

    Attributes:
        path: of the file in the archive. It consists of ids and words of facegroup, never of names.
        data: its bytes.
    """

    path: str
    data: bytes

    @classmethod
    def line(cls, path: str, row: dict[str, Any]) -> "Item":
        """Return a line of a file of JSON lines, in ASCII: a name from right to left cannot disguise what is beside it."""
        return cls(path, (json.dumps(row, default=str) + "\n").encode())


async def copy_person(ask: AskStore, gallery: str, person_id: str, by: Origin | None = None) -> AsyncIterator[Item]:
    """Give what the store holds on a person, and note in the audit log that it was given.

    Args:
        ask: calls the store.
        gallery: its name.
        person_id: who.
        by: who asks, for the audit log.

    Raises:
        UnknownGallery: there is none.
        UnknownPerson: there is none, or they were erased meanwhile.
        StoreInvalid: the person's record is damaged.
    """
    await ask(Store.person, gallery, person_id)
    await ask(Store.note, gallery, Event("copied", person_id), by)
    ids: set[str] = set()
    async for item in _record(ask, gallery, person_id, "", ids):
        yield item
    for copy in copies_of(gallery):
        with suppress(UnknownGallery, UnknownPerson):
            async for item in _record(ask, copy, person_id, f"copies/{copy.rpartition('/')[2]}/", set()):
                yield item
    if ids and (await ask(Store.gallery, gallery)).cohort_size:
        for member in (await ask(Store.cohort, gallery)).members():
            if member.id in ids:
                yield Item.line("cohort.jsonl", {**asdict(member), "descriptor": member.descriptor.tolist()})
    after = ""
    while page := await ask(Store.audit, gallery, after, _PAGE):
        for entry in page:
            if _is_about(entry, person_id):
                yield Item.line("audit.jsonl", asdict(entry))
        after = page[-1].id
    await ask(Store.person, gallery, person_id)  # who was erased meanwhile gets no file


async def _record(ask: AskStore, gallery: str, person_id: str, folder: str, ids: set[str]) -> AsyncIterator[Item]:
    person = await ask(Store.person, gallery, person_id)
    samples = await ask(Store.samples, gallery, person_id, counter=None)
    skipped = (await ask(Store.skipped, gallery)).samples
    unreadable = sorted(sample for whose, sample in skipped if whose == person_id)
    row = {**asdict(person), "gallery": str(gallery), "unreadable_photos": unreadable}
    yield Item.line(f"{folder}person.json", row)
    for counter, name in ((False, "photos"), (True, "counter-examples")):
        for each in samples:
            if each.counter is counter:
                ids.add(each.id)
                yield Item.line(f"{folder}{name}.jsonl", _row(each))
        for each in samples:
            if each.counter is counter:
                found = await ask(Store.samples, gallery, person_id, crops=True, counter=counter, only=each.id)
                if found and found[0].crop is not None:
                    yield Item(f"{folder}{name}/{each.id}.jpg", found[0].crop)


def _row(sample: Sample) -> dict[str, Any]:
    descriptor = sample.descriptor.tolist()
    return {
        "id": sample.id,
        "created_at": sample.created_at,
        "detector": sample.detector,
        "descriptor": descriptor,
    }


def _is_about(entry: Entry, person_id: str) -> bool:
    return entry.event.person_id == person_id or person_id in entry.event.detail.values()
