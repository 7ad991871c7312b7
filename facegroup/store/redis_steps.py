"""The two kinds of step of a Redis store: reading, all of one moment, and changing a person who is still as read."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from facegroup.errors import StoreUnavailable
from facegroup.store import redis_scripts, rules, vectors
from facegroup.store.redis_rows import (
    Keys,
    Record,
    name_member,
    read_gallery,
    read_sample,
    sample_field,
    write_sample,
)
from facegroup.store.redis_server import Command, RedisServer
from facegroup.types import Floats, Gallery, Sample

_FIRST_PAUSE = 0.001
_DOUBLINGS = 6


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to become of a person: the new record (None to erase), samples that come, ids of samples that go."""

    record: Record | None
    added: Sequence[Sample] = ()
    removed: Sequence[str] = ()


def script(lua: str, gallery: str, *args: str | bytes | float) -> Command:
    """Return the command that runs one of `redis_scripts` on the keys of a gallery."""
    keys = Keys.of(gallery)
    return ("EVAL", lua, len(keys), *keys, *args)


class RedisSteps:
    """Steps on one server.

    Args:
        server: where.
        patience: seconds to try a change again that others get before.
    """

    def __init__(self, server: RedisServer, patience: float) -> None:
        self._server = server
        self._patience = patience

    def read(self, gallery: str, *commands: Callable[[Keys], Command]) -> tuple[Gallery, list[Any]]:
        """Return a gallery and the answers to commands on its keys, all of one moment. Raises `UnknownGallery`."""
        keys = Keys.of(rules.sought_gallery(gallery))
        kept, people, *answers = self._server.read(
            ("HGETALL", keys.gallery), ("HLEN", keys.people), *(command(keys) for command in commands)
        )
        if not kept:
            raise rules.unknown_gallery(gallery)
        return read_gallery(kept, people), answers

    def person(self, gallery: str, person_id: str) -> tuple[Gallery, bytes]:
        """Return a gallery and a person's record as it is kept. Raises `UnknownGallery` or `UnknownPerson`."""
        found, (data,) = self.read(gallery, lambda keys: ("HGET", keys.people, rules.sortable(person_id)))
        if data is None:
            raise rules.unknown_person(person_id)
        return found, data

    def change(
        self, gallery: str, person_id: str, decide: Callable[[Gallery, Record], Edit | None]
    ) -> tuple[Record, int]:
        """Change a person, deciding anew as often as somebody else was faster.

        Args:
            gallery: the gallery's name.
            person_id: who.
            decide: from what was read, what is to become of it; None for nothing.

        Returns:
            The record after it (the last one, where it was erased) and the gallery's version.

        Raises:
            UnknownGallery: there is none.
            UnknownPerson: there is none.
            StoreUnavailable: others were faster for as long as patience goes.
        """
        for _ in self._attempts():
            found, data = self.person(gallery, person_id)
            record = Record.read(data)
            edit = decide(found, record)
            if edit is None:
                return record, found.version
            version = self.write(gallery, person_id, data, edit)
            if version is not None:
                return edit.record or record, version
        raise StoreUnavailable(f"too many others change person {person_id} at once")

    def write(self, gallery: str, person_id: str, data: bytes, edit: Edit) -> int | None:
        """Do `edit` if the person's record is still `data` (b"": if there is none); return the version, None if not.

        Raises:
            UnknownGallery: there is none.
        """
        gallery = rules.sought_gallery(gallery)
        before = Record.read(data) if data else None
        fields: list[str | bytes] = ["0"]
        if edit.added or edit.removed:
            rows = self._rows(gallery, person_id, before, edit)
            if rows is None:
                return None
            centroid = vectors.centroid(rows)
            fields = ["1", b"" if centroid is None else vectors.to_bytes(centroid), str(len(edit.removed))]
            fields += [sample_field(person_id, key) for key in edit.removed]
            for sample in edit.added:
                fields += [sample_field(person_id, sample.id), write_sample(sample), sample.crop or b""]
        step = script(
            redis_scripts.PERSON,
            gallery,
            *(rules.RETENTION, person_id, data, edit.record.to_bytes() if edit.record else b""),
            name_member(before.name, person_id) if before else b"",
            name_member(edit.record.name, person_id) if edit.record else b"",
            *fields,
        )
        (version,) = self._server.write(step)
        if version is None:
            raise rules.unknown_gallery(gallery)
        return None if version < 0 else int(version)

    def _rows(self, gallery: str, person_id: str, before: Record | None, edit: Edit) -> list[Floats] | None:
        """Return the descriptors that the person will have; None where one was erased since the record was read."""
        left = [key for key in (before.samples if before else ()) if key not in edit.removed]
        rows = [sample.descriptor for sample in edit.added]
        if left:
            fields = [sample_field(person_id, key) for key in left]
            (kept,) = self._server.read(("HMGET", Keys.of(gallery).samples, *fields))
            if None in kept:
                return None
            rows += [read_sample(key, data).descriptor for key, data in zip(left, kept, strict=True)]
        return rows

    def _attempts(self) -> Iterator[None]:
        deadline = time.monotonic() + self._patience
        attempt = 0
        while True:
            yield
            if time.monotonic() > deadline:
                return
            # Not all at the same time, and longer the more there are.
            time.sleep(random.uniform(0, _FIRST_PAUSE * 2 ** min(attempt, _DOUBLINGS)))
            attempt += 1
