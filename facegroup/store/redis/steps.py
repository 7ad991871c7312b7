"""The two kinds of step of a Redis store: reading, all of one moment, and changing a person who is still as read."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.store import validation
from facegroup.store.audit import DONE, Event, Origin, Retention
from facegroup.store.damage import Damage, crop_key
from facegroup.store.encryption import UNREADABLE, Cipher, SecretKeys, place
from facegroup.store.idempotency import IdempotencyKey, RecordedResult
from facegroup.store.redis.keys import Keys
from facegroup.store.redis.notes import Head, Note, read_done, read_head
from facegroup.store.redis.rows import (
    Damaged,
    Record,
    cipher_of,
    derived,
    name_member,
    packed_samples,
    read_gallery,
    read_sample,
    sample_fault,
    sample_field,
)
from facegroup.store.redis.scripts import script
from facegroup.store.redis.server import Command, RedisServer
from facegroup.types import Gallery, Sample

_FIRST_PAUSE = 0.001
_DOUBLINGS = 6


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to become of a person.

    Attributes:
        record: the new record; None to erase.
        event: what it is, for the audit log.
        added: samples that come.
        removed: ids of samples that go.
        places: where, in what was sent, the samples that come were.
    """

    record: Record | None
    event: Event
    added: Sequence[Sample] = ()
    removed: Sequence[str] = ()
    places: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change left: the record (the last one, of an erased person), the version, and how many crops went."""

    record: Record
    version: int
    crops: int = 0


class RedisSteps:
    """Steps on one server.

    Args:
        server: where.
        patience: seconds to try a change again that others get before.
        actor: whose writes are that say nothing of it.
        keys: that encrypt values.
        keep: how long audit entries are kept.
    """

    def __init__(
        self,
        server: RedisServer,
        patience: float,
        actor: str = "library",
        keys: SecretKeys | None = None,
        keep: Retention | None = None,
    ) -> None:
        self.keys = keys or SecretKeys()
        self._server = server
        self._patience = patience
        self._origin = Origin(actor)
        self._keep = keep or Retention()
        self.damage = Damage()

    def note(
        self,
        gallery: str,
        event: Event,
        by: Origin | None,
        once: IdempotencyKey | None = None,
        added: Sequence[int] = (),
        result: str = DONE,
        head: Head | None = None,
    ) -> dict[str, Any]:
        """Return what every writing script of a gallery takes as `note`."""
        return Note(gallery, event, by or self._origin, once, added, self.keys, result, self._keep, head).packed()

    def read(self, gallery: str, *commands: Callable[[Keys], Command]) -> tuple[Gallery, list[Any]]:
        """Return a gallery and the answers to commands on its keys, all of one moment.

        Raises:
            UnknownGallery: there is none.
            KeyMissing: its values are encrypted with a key that is not there.
        """
        found, _, answers = self.read_values(gallery, *commands)
        return found, answers

    def read_values(self, gallery: str, *commands: Callable[[Keys], Command]) -> tuple[Gallery, Cipher, list[Any]]:
        """Return what `read` does, and what reads the values that are among the answers."""
        keys = Keys.of(validation.normalise_gallery(gallery))
        kept, people, cohort, *answers = self._server.read(
            ("HGETALL", keys.gallery),
            ("HLEN", keys.people),
            ("HLEN", keys.cohort),
            *(command(keys) for command in commands),
        )
        if not kept:
            raise validation.unknown_gallery(gallery)
        return *read_gallery(validation.normalise_gallery(gallery), self.keys, kept, people, cohort), answers

    def record(self, found: Gallery, person_id: str, data: bytes) -> Record:
        """Return a person's record. Raises `StoreInvalid` where it is damaged."""
        key = f"{Keys.of(found.name).people} {person_id}"
        try:
            record = Record.read(data)
        except Damaged as error:
            self.damage.settle(found.name, found.version, key.__eq__, {key: str(error)})
            raise StoreInvalid(f"{key} is damaged: {error}. Delete the person and enrol them again.") from None
        self.damage.settle(found.name, found.version, key.__eq__, {})
        return record

    def done(self, gallery: str, once: IdempotencyKey | None) -> RecordedResult | None:
        """Return what was done under a key before. Raises `UnknownGallery` or `IdempotencyConflict`."""
        if once is None:
            return None
        _, (kept,) = self.read(gallery, lambda keys: ("HGET", keys.requests, once.key))
        return read_done(kept, once)

    def person(self, gallery: str, person_id: str) -> tuple[Gallery, bytes]:
        """Return a gallery and a person's record as it is kept. Raises `UnknownGallery` or `UnknownPerson`."""
        found, (data,) = self.read(gallery, lambda keys: ("HGET", keys.people, validation.sortable(person_id)))
        if data is None:
            raise validation.unknown_person(person_id)
        return found, data

    def change(
        self,
        gallery: str,
        person_id: str,
        decide: Callable[[Gallery, Record], Edit | None],
        by: Origin | None = None,
        once: IdempotencyKey | None = None,
    ) -> Changed | RecordedResult:
        """Change a person, deciding anew as often as somebody else was faster.

        Args:
            gallery: the gallery's name.
            person_id: who.
            decide: from what was read, what is to become of it; None for nothing.
            by: who makes the request, for the audit log.
            once: its key, if it has one.

        Returns:
            What was changed, or what was done under the key before.

        Raises:
            UnknownGallery: there is none.
            UnknownPerson: there is none.
            StoreUnavailable: others were faster for as long as patience goes.
        """
        for _ in self.attempts():
            found, (data, chain) = self.read(
                gallery,
                lambda keys: ("HGET", keys.people, validation.sortable(person_id)),
                lambda keys: ("HMGET", keys.chain, "number", "hash"),
            )
            if data is None:
                raise validation.unknown_person(person_id)
            if done := self.done(gallery, once):
                return done
            record = self.record(found, person_id, data)
            edit = decide(found, record)
            if edit is None:
                if once is None or self._remember(found.name, person_id, data, once, by):
                    return Changed(record, found.version)
                continue
            written = self.write(found, person_id, data, edit, by, once, None, read_head(chain))
            if written is not None:
                return Changed(edit.record or record, *written)
        raise StoreUnavailable(f"Too many requests change person {person_id} at once. Try again.")

    def write(
        self,
        found: Gallery,
        person_id: str,
        data: bytes,
        edit: Edit,
        by: Origin | None = None,
        once: IdempotencyKey | None = None,
        named: Sequence[bytes] | None = None,
        head: Head | None = None,
    ) -> tuple[int, int] | None:
        """Do `edit` if the person's record is still `data` (b"": if there is none), and `once` was not done before.

        `named` is given instead of reading the record, where it is damaged: the members of the index by name. `head` is of
        the audit log, where it was read.

        Returns:
            The version and how many crops went; None where nothing was done.

        Raises:
            UnknownGallery: there is none.
        """
        gallery = found.name
        before = Record.read(data) if data and named is None else None
        after = edit.record
        samples = None
        if edit.added or edit.removed:
            every = (*before.samples, *before.counters) if before else ()
            left = [key for key in every if key not in edit.removed]
            samples = {
                **derived(
                    *(self.keys, gallery, person_id),
                    [*self.descriptors(found, {person_id: left}, *([before] if before else ())), *edit.added],
                ),
                "removed": [sample_field(person_id, key) for key in edit.removed],
                "added": packed_samples(self.keys, gallery, person_id, edit.added),
            }
        step = script(
            "change_person",
            gallery,
            id=person_id,
            read=data,
            record=after and after.to_bytes(),
            old_name=name_member(before.name, person_id) if before else next(iter(named or ()), None),
            new_name=after and name_member(after.name, person_id),
            expires=after and after.expiry(),
            samples=samples,
            note=self.note(gallery, edit.event, by, once, edit.places, head=head),
        )
        (answer,) = self._server.write(step)
        if answer is None:
            raise validation.unknown_gallery(gallery)
        return None if isinstance(answer, int) else (int(answer[0]), int(answer[1]))

    def descriptors(self, found: Gallery, wanted: Mapping[str, Sequence[str]], *whose: Record) -> list[Sample]:
        """Return samples, by person, without crops and without those that are damaged.

        Which of them are counter-examples, the records of `whose` they are say.
        One that is not there is skipped, too: either its person was changed, which the step will see, or it is lost.
        """
        fields = [sample_field(person, key) for person, keys in wanted.items() for key in keys]
        if not fields:
            return []
        keys = Keys.of(found.name)
        kept, words = self._server.read(("HMGET", keys.samples, *fields), ("HGET", keys.gallery, "encryption"))
        return self.sound(found, cipher_of(self.keys, words), fields, kept, (), *whose)

    def sound(
        self,
        found: Gallery,
        cipher: Cipher,
        fields: Sequence[str],
        rows: Sequence[bytes | None],
        crops: Sequence[bytes | None] = (),
        *whose: Record,
    ) -> list[Sample]:
        """Return the samples of some fields, without those that are not there and those that are damaged.

        A crop that cannot be decrypted is damaged, and its sample comes without it.
        Which of them are counter-examples, and which detectors found them, the records of `whose` they are say.
        """
        counters = {key for record in whose for key in record.counters}
        detectors = {key: name for record in whose for key, name in record.detectors.items()}
        key = Keys.of(found.name).samples
        bad: dict[str, str] = {}
        samples = []
        read = {f"{key} {field}" for field in fields}
        if crops:
            read |= {crop_key(each) for each in read}
        for field, row, crop in zip(fields, rows, crops or [None] * len(fields), strict=True):
            if row is None:
                continue
            if crop is not None and (crop := cipher.decrypt(crop, place("crop", found.name, field))) is None:
                bad[crop_key(f"{key} {field}")] = UNREADABLE
            data = cipher.decrypt(row, place("sample", found.name, field))
            if fault := UNREADABLE if data is None else sample_fault(data, found.dimension):
                bad[f"{key} {field}"] = fault
            elif data is not None:
                key_of = field.rpartition(":")[2]
                one = read_sample(key_of, data, crop)
                samples.append(replace(one, counter=key_of in counters, detector=detectors.get(key_of, "")))
        self.damage.settle(found.name, found.version, read.__contains__, bad)
        return samples

    def _remember(self, gallery: str, person_id: str, data: bytes, once: IdempotencyKey, by: Origin | None) -> bool:
        note = self.note(gallery, Event("", person_id), by, once)
        (answer,) = self._server.write(script("remember", gallery, id=person_id, read=data, note=note))
        if answer is None:
            raise validation.unknown_gallery(gallery)
        return int(answer) >= 0

    def attempts(self) -> Iterator[None]:
        """Go round until patience is over, with longer and longer pauses."""
        deadline = time.monotonic() + self._patience
        attempt = 0
        while True:
            yield
            if time.monotonic() > deadline:
                return
            # Not all at the same time, and longer the more there are.
            time.sleep(random.uniform(0, _FIRST_PAUSE * 2 ** min(attempt, _DOUBLINGS)))
            attempt += 1
