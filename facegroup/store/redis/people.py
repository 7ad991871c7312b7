"""The people of a gallery in Redis."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from facegroup.errors import PersonExists, StoreInvalid, StoreUnavailable, UnknownPerson
from facegroup.store import contradictions, validation
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Erased, Merged
from facegroup.store.encryption import place
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.names import check_id, clean_name
from facegroup.store.redis.base import RedisBase
from facegroup.store.redis.keys import Keys
from facegroup.store.redis.rows import Record, cipher_of, derived, name_member, sample_field
from facegroup.store.redis.scripts import script
from facegroup.store.redis.steps import Changed, Edit
from facegroup.types import Gallery, Person


class RedisPeople(RedisBase):
    """The part of `RedisStore` that keeps people; see `contract.Store` for what the methods do and raise."""

    def create_person(
        self,
        gallery: str,
        name: str,
        metadata: dict[str, Any] | None = None,
        person_id: str | None = None,
        *,
        expires_at: float | None = None,
        once: IdempotencyKey | None = None,
        by: Origin | None = None,
    ) -> Person:
        notes = json.loads(validation.write_metadata(metadata))
        expiry = validation.check_expiry(expires_at)
        record = Record(clean_name(name, "person's name"), notes, (), now := validation.now(), now, expiry)
        person_id = validation.new_id() if person_id is None else check_id(person_id)
        if done := self._steps.done(gallery, once):
            return self.person(gallery, done.person_id)
        found, _ = self._steps.read(gallery)
        if self._steps.write(found, person_id, b"", Edit(record, Event("created", person_id)), by, once) is None:
            if done := self._steps.done(gallery, once):  # by the same request, at the same time
                return self.person(gallery, done.person_id)
            raise PersonExists(f"there is a person {person_id} in the gallery")
        return record.person(person_id)

    def person(self, gallery: str, person_id: str) -> Person:
        found, data = self._steps.person(gallery, person_id)
        return self._steps.record(found, person_id, data).person(person_id)

    def people(self, gallery: str, after: str = "", limit: int = 100, name: str | None = None) -> list[Person]:
        start, most = validation.sortable(after), validation.page(limit)
        kept = None if name is None else validation.normalise_name(name)
        rows: list[Person] = []
        while True:  # until the page is full: a short one is the last, whoever is damaged
            left = most - len(rows)
            ids, found = self._page(gallery, start, left, kept)
            rows += found
            if len(rows) == most or len(ids) < left:
                return rows
            start = ids[-1]

    def _page(self, gallery: str, start: str, limit: int, name: str | None) -> tuple[list[str], list[Person]]:
        """Return the ids of up to `limit` people after `start`, and those of the people who are not damaged."""
        page = ("LIMIT", 0, limit)
        if name is None:
            low = b"(" + start.encode()
            _, (found,) = self._steps.read(gallery, lambda keys: ("ZRANGEBYLEX", keys.ids, low, "+", *page))
        else:
            low, high = b"(" + name_member(name, start), f"({name}\x01".encode()
            _, (found,) = self._steps.read(gallery, lambda keys: ("ZRANGEBYLEX", keys.names, low, high, *page))
        ids = [member.rpartition(b"\0")[2].decode() for member in found]
        if not ids:
            return [], []
        kind, (records,) = self._steps.read(gallery, lambda keys: ("HMGET", keys.people, *ids))
        rows = []
        for key, data in zip(ids, records, strict=True):
            with suppress(StoreInvalid):  # counted and logged
                if data is not None:
                    rows.append(self._steps.record(kind, key, data).person(key))
        return ids, rows

    def _update_person(
        self,
        gallery: str,
        person_id: str,
        *,
        name: str | None = None,
        metadata: dict[str, Any] | None = None,
        expires_at: float | None = None,
        by: Origin | None = None,
    ) -> Person:
        given: dict[str, Any] = {} if name is None else {"name": clean_name(name, "person's name")}
        if metadata is not None:
            given["metadata"] = json.loads(validation.write_metadata(metadata))
        if expires_at is not None:
            given["expires_at"] = validation.check_expiry(expires_at)
        event = validation.edited(person_id, name, metadata, expires_at)
        changed = self._steps.change(
            gallery, person_id, lambda _, old: Edit(old.next(**given), event) if given else None, by
        )
        assert isinstance(changed, Changed)
        return changed.record.person(person_id)

    def _merge(self, gallery: str, into: str, source: str, *, by: Origin | None = None) -> Merged:
        for _ in self._steps.attempts():
            found, kept = self._steps.person(gallery, into)
            _, gone = self._steps.person(gallery, source)
            record, other = (self._steps.record(found, *each) for each in ((into, kept), (source, gone)))
            here = {*record.samples, *record.counters}
            moved = [key for key in other.samples if key not in here]
            both = [key for key in other.samples if key in here]
            brought = [key for key in other.counters if key not in here]
            samples = self._steps.descriptors(
                found, {into: (*record.samples, *record.counters), source: (*moved, *brought)}, record, other
            )
            out = {each.id for each in contradictions.contradicted([each for each in samples if each.counter], samples)}
            counters = tuple(key for key in (*record.counters, *brought) if key not in out)
            contradictions.check_count(len(counters))
            came = [*moved, *(key for key in brought if key not in out)]
            found_by = {**other.detectors, **record.detectors}
            merged = record.next(samples=(*record.samples, *moved), counters=counters, detectors=found_by)
            step = script(
                "merge",
                found.name,
                into={"id": into, "read": kept, "record": merged.to_bytes()},
                source={"id": source, "read": gone, "name": name_member(other.name, source)},
                moved=came,
                left=[key for key in (*other.samples, *other.counters) if key not in came],
                dropped=[key for key in record.counters if key in out],
                rebound=self._rebound(found, source, into, came),
                note=self._steps.note(found.name, validation.merged(into, source, len(moved), len(both)), by),
                **derived(self._keys, found.name, into, [each for each in samples if each.id not in out]),
            )
            (version,) = self._server.write(step)
            if version is None:
                raise validation.unknown_gallery(gallery)
            if version >= 0:
                self._damage.forget(found.name, source)
                return Merged(merged.person(into), len(moved), len(both), int(version))
        raise StoreUnavailable(f"Too many requests change person {into} or {source} at once. Try again.")

    def _rebound(self, found: Gallery, source: str, into: str, ids: Sequence[str]) -> dict[str, list[bytes]]:
        """Return, by id, samples and crops of a person as they are encrypted for another; nothing where they need not be."""
        keys = Keys.of(found.name)
        old, new = ([sample_field(who, key) for key in ids] for who in (source, into))
        if not ids:
            return {}
        rows, crops, words = self._server.read(
            ("HMGET", keys.samples, *old), ("HMGET", keys.crops, *old), ("HGET", keys.gallery, "encryption")
        )
        cipher = cipher_of(self._keys, words)
        if not cipher.encrypts:
            return {}

        def bound(kind: str, kept: bytes | None, was: str, becomes: str) -> bytes:
            places = place(kind, found.name, was), place(kind, found.name, becomes)
            return b"" if kept is None else bytes(cipher.rebound(kept, *places))

        return {
            key: [bound("sample", row, was, becomes), bound("crop", crop, was, becomes)]
            for key, row, crop, was, becomes in zip(ids, rows, crops, old, new, strict=True)
        }

    def _delete_person(self, gallery: str, person_id: str, *, by: Origin | None = None) -> Erased:
        event = Event("erased", person_id)
        try:
            changed = self._steps.change(gallery, person_id, lambda _, old: _erasing(old, event), by)
        except StoreInvalid:
            return self._salvage(gallery, person_id, event, by)
        assert isinstance(changed, Changed)
        self._damage.forget(validation.normalise_gallery(gallery), person_id)
        return _erased(changed)

    def _erase_expired(self, gallery: str, *, by: Origin | None = None) -> Erased:
        now = validation.now()
        found, (ids,) = self._steps.read(gallery, lambda keys: ("ZRANGEBYSCORE", keys.expiries, "-inf", now))
        total = Erased(0, 0, found.version)
        for person_id in (each.decode() for each in ids):
            event = Event("expired", person_id)
            old: list[Record] = []

            def erase(_: Gallery, record: Record, event: Event = event, old: list[Record] = old) -> Edit | None:
                old[:] = [record] if record.expires_at is not None and record.expires_at <= now else []
                return _erasing(record, event) if old else None

            try:
                changed = self._steps.change(gallery, person_id, erase, by)
            except (UnknownPerson, StoreInvalid):  # another sweep was faster; or the record is damaged, and counted
                continue
            if old and isinstance(changed, Changed):
                total += _erased(changed)
        return total

    def _salvage(self, gallery: str, person_id: str, event: Event, by: Origin | None) -> Erased:
        """Erase a person whose record cannot be read: whatever is filed under the id."""
        for _ in self._steps.attempts():
            found, data = self._steps.person(gallery, person_id)
            _, (samples, names) = self._steps.read(
                gallery, lambda keys: ("HKEYS", keys.samples), lambda keys: ("ZRANGE", keys.names, 0, -1)
            )
            mine = [key.decode().rpartition(":")[2] for key in samples if key.startswith(f"{person_id}:".encode())]
            old = [name for name in names if name.endswith(f"\0{person_id}".encode())]
            written = self._steps.write(found, person_id, data, Edit(None, event, removed=mine), by, named=old)
            if written is not None:
                self._damage.forget(found.name, person_id)
                return Erased(1, len(mine), *written)
        raise StoreUnavailable(f"Too many requests change person {person_id} at once. Try again.")


def _erasing(old: Record, event: Event) -> Edit:
    assert event.person_id is not None
    told = validation.erased(event.person_id, event.what, len(old.samples), len(old.counters))
    return Edit(None, told, removed=(*old.samples, *old.counters))


def _erased(changed: Changed) -> Erased:
    record = changed.record
    return Erased(1, len(record.samples), changed.version, changed.crops, len(record.counters))
