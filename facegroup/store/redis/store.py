"""Galleries in Redis, for many machines: any number of processes anywhere may read and write.

Each write is one Lua function (`redis_scripts`). What a write computes, the centroid, is computed here from what was
read, and written only if the person's record is still the same; else it is read and computed again. Keys, with {tag} a
hash of the gallery's name, so that a cluster keeps a gallery together:

    facegroup:galleries         sorted set   names of galleries, in order
    facegroup:{tag}:gallery     hash         name network dimension threshold keep_crops created_at version born
                                             quality probe_quality unique calibration
    facegroup:{tag}:born        string       the version at which a gallery of this name begins, after an erasure
    facegroup:{tag}:lost        string       see redis_loss; only after the server lost data
    facegroup:{tag}:ids         sorted set   ids of people, in order
    facegroup:{tag}:names       sorted set   name NUL id, in order
    facegroup:{tag}:people      hash         id → JSON: name, metadata, ids of samples, dates, expiry, mark, ids of counters
    facegroup:{tag}:centroids   hash         id → float32[d], little-endian; only of people who can be named
    facegroup:{tag}:changes     sorted set   id, by the version that last changed it
    facegroup:{tag}:samples     hash         id:sha256 → float64 date, float32[d], little-endian; counter-examples too
    facegroup:{tag}:crops       hash         id:sha256 → JPEG
    facegroup:{tag}:audit       stream       at what person detail actor request
    facegroup:{tag}:requests    hash         idempotency key → version, and JSON: hash of what was asked, date, ids
    facegroup:{tag}:requested   sorted set   idempotency key, by its date
    facegroup:{tag}:expiries    sorted set   id, by when the person expires
    facegroup:{tag}:counters    hash         id → float32[k, d], little-endian; only of people who have counter-examples
"""

# ruff: noqa: D102 (what the methods do and raise is said once, in base.Store)

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Unpack

from facegroup.errors import MalformedRequest, PersonExists, StoreInvalid, StoreUnavailable, UnknownPerson
from facegroup.store import contradictions, gallery_settings, validation, vectors
from facegroup.store.audit import Entry, Event, Origin
from facegroup.store.contract import Centroids, Changes, Enrolled, Erased, Merged, Standing
from facegroup.store.damage import Skipped
from facegroup.store.idempotency import IdempotencyKey, RecordedResult
from facegroup.store.names import check_id, clean_name
from facegroup.store.redis import data_loss
from facegroup.store.redis.notes import read_entry
from facegroup.store.redis.rows import (
    INDEX,
    Damaged,
    Keys,
    Record,
    derived,
    flat,
    gallery_fields,
    name_member,
    read_gallery,
    sample_field,
)
from facegroup.store.redis.scripts import script
from facegroup.store.redis.server import Command, RedisServer
from facegroup.store.redis.staging import RedisShelves
from facegroup.store.redis.steps import Changed, Edit, RedisSteps
from facegroup.store.staging import Shelf, also_on_shelves, crops_on_shelves, expiry_on_shelves, merger_on_shelves
from facegroup.types import Gallery, Person, Sample


class RedisStore(RedisShelves):
    """A `Store` on a Redis server.

    Args:
        url: ``redis://`` or ``rediss://`` with user, password, host, port and database number.
        timeout: seconds to wait for an answer, and for the disk.
        patience: seconds to try a write again that others get before.
        actor: whose writes are, for the audit log, where a call says nothing.

    Raises:
        StoreInvalid: the URL cannot be read. A server that does not answer is an error of each method, not of this.
    """

    def __init__(self, url: str, timeout: float = 5.0, patience: float = 10.0, actor: str = "library") -> None:
        self._server = RedisServer(url, timeout)
        self._steps = RedisSteps(self._server, patience, actor)
        self._damage = self._steps.damage

    def ping(self) -> None:
        self._server.glance(("PING",))

    def check_writes(self) -> None:
        # What needs memory and is written to disk, and leaves nothing: refused when either is full, and by a replica.
        self._server.glance(("SET", "facegroup:writes", "1", "PX", "1"))

    def close(self) -> None:
        self._server.close()

    def damaged(self) -> int:
        return self._damage.count()

    def skipped(self, gallery: str) -> Skipped:
        return self._damage.skipped(validation.sought_gallery(gallery))

    def create_gallery(self, gallery: Gallery, *, by: Origin | None = None) -> Gallery:
        wanted = validation.check_gallery(gallery)
        # The index lies on another node of a cluster, so it is no part of the step. Listed before and after: then
        # neither a crash nor an erasure at the same time leaves a gallery that is not listed.
        listed: Command = ("ZADD", INDEX, 0, wanted.name)
        event = Event("created", None, {"network": wanted.network, "threshold": wanted.threshold})
        create = script("create", wanted.name, fields=flat(gallery_fields(wanted)), note=self._steps.note(event, by))
        if isinstance(wanted.name, Shelf):  # which is listed nowhere
            listed = ("PING",)
        _, answer, _ = self._server.write(listed, create, listed)
        return validation.same_gallery(read_gallery(wanted.name, *answer), wanted)

    def gallery(self, name: str) -> Gallery:
        found = self._steps.read(name)[0]
        return replace(found, damaged=self._damage.count(found.name))

    def galleries(self, after: str = "", limit: int = 100) -> list[Gallery]:
        found: list[Gallery] = []
        start, limit = validation.sortable(after).encode(), validation.page(limit)
        while left := limit - len(found):
            (names,) = self._server.read(("ZRANGEBYLEX", INDEX, b"(" + start, "+", "LIMIT", 0, left))
            for name in names:
                keys = Keys.of(name.decode())
                kept, people = self._server.read(("HGETALL", keys.gallery), ("HLEN", keys.people))
                if not kept:
                    continue
                try:
                    one = read_gallery(name.decode(), kept, people)
                except StoreInvalid as error:
                    self._damage.settle("", 0, keys.gallery.__eq__, {keys.gallery: error.detail})
                else:
                    self._damage.settle("", 0, keys.gallery.__eq__, {})
                    found.append(replace(one, damaged=self._damage.count(one.name)))
            if len(names) < left:
                break
            start = names[-1]
        return found

    @crops_on_shelves
    def update_gallery(self, name: str, *, by: Origin | None = None, **changes: Unpack[Changes]) -> Gallery:
        columns = gallery_settings.columns(changes)
        made = changes.get("calibration")
        update = script(
            "update",
            validation.sought_gallery(name),
            network=made and made.network,
            fields=flat(columns),
            note=self._steps.note(gallery_settings.event(columns), by),
        )
        (answer,) = self._server.write(update)
        if answer is None:
            raise validation.unknown_gallery(name)
        if len(answer) == 1:
            gallery_settings.check_network(answer[0].decode(), changes)
        found = read_gallery(validation.sought_gallery(name), *answer)
        return replace(found, damaged=self._damage.count(found.name))

    @also_on_shelves
    def delete_gallery(self, name: str, *, by: Origin | None = None) -> Erased:
        kept = validation.sought_gallery(name)
        (counts,) = self._server.write(script("erase", kept, note=self._steps.note(Event("erased"), by)))
        self._server.write(("ZREM", INDEX, kept))  # only now: what could not be erased stays listed
        (made_meanwhile,) = self._server.read(("EXISTS", Keys.of(kept).gallery))
        if made_meanwhile and not isinstance(kept, Shelf):
            self._server.write(("ZADD", INDEX, 0, kept))
        if counts is None:
            raise validation.unknown_gallery(name)
        self._damage.forget(kept)
        people, samples, crops, counters = counts
        return Erased(people, samples - counters, 0, crops, counters)

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
        kept = None if name is None else validation.sought_name(name)
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

    @expiry_on_shelves
    def update_person(
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

    @merger_on_shelves
    def merge_people(self, gallery: str, into: str, source: str, *, by: Origin | None = None) -> Merged:
        validation.check_merger(into, source)
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
            merged = record.next(samples=(*record.samples, *moved), counters=counters)
            step = script(
                "merge",
                found.name,
                into={"id": into, "read": kept, "record": merged.to_bytes()},
                source={"id": source, "read": gone, "name": name_member(other.name, source)},
                moved=came,
                left=[key for key in (*other.samples, *other.counters) if key not in came],
                dropped=[key for key in record.counters if key in out],
                note=self._steps.note(validation.merged(into, source, len(moved), len(both)), by),
                **derived([each for each in samples if each.id not in out]),
            )
            (version,) = self._server.write(step)
            if version is None:
                raise validation.unknown_gallery(gallery)
            if version >= 0:
                self._damage.forget(found.name, source)
                return Merged(merged.person(into), len(moved), len(both), int(version))
        raise StoreUnavailable(f"too many others change person {into} or {source} at once")

    @also_on_shelves
    def delete_person(self, gallery: str, person_id: str, *, by: Origin | None = None) -> Erased:
        event = Event("erased", person_id)
        try:
            changed = self._steps.change(gallery, person_id, lambda _, old: _erasing(old, event), by)
        except StoreInvalid:
            return self._salvage(gallery, person_id, event, by)
        assert isinstance(changed, Changed)
        self._damage.forget(validation.sought_gallery(gallery), person_id)
        return _erased(changed)

    @also_on_shelves
    def erase_expired(self, gallery: str, *, by: Origin | None = None) -> Erased:
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
            except (UnknownPerson, StoreInvalid):  # another sweep was faster; or the record is damaged, and was counted
                continue
            if old and isinstance(changed, Changed):
                one = _erased(changed)
                total = Erased(
                    *(total.people + 1, total.samples + one.samples, one.version),
                    *(total.crops + one.crops, total.counters + one.counters),
                )
        return total

    def add_samples(
        self,
        gallery: str,
        person_id: str,
        samples: Sequence[Sample],
        network: str,
        *,
        once: IdempotencyKey | None = None,
        by: Origin | None = None,
    ) -> Enrolled:
        added: list[Sample] = []
        known: tuple[str, ...] = ()

        def enrol(found: Gallery, old: Record) -> Edit | None:
            nonlocal added, known
            added, known = validation.sort_out(samples, found, network, (*old.samples, *old.counters))
            if not added:
                return None
            new = tuple(sample.id for sample in added if sample.counter)
            if new or old.counters:
                contradictions.check_faces(
                    added, self._steps.descriptors(found, {person_id: (*old.samples, *old.counters)}, old)
                )
            every = (*old.samples, *(sample.id for sample in added if not sample.counter))
            event = validation.enrolled(person_id, added, len(known))
            record = old.next(samples=every, counters=(*old.counters, *new))
            return Edit(record, event, added, (), validation.places(samples, added))

        changed = self._steps.change(gallery, person_id, enrol, by, once)
        if isinstance(changed, RecordedResult):
            return Enrolled(
                self.person(gallery, person_id), *changed.split([each.id for each in samples]), changed.version
            )
        return Enrolled(changed.record.person(person_id), tuple(sample.id for sample in added), known, changed.version)

    def samples(
        self,
        gallery: str,
        person_id: str,
        *,
        crops: bool = False,
        counter: bool | None = False,
        only: str | None = None,
    ) -> list[Sample]:
        kind, data = self._steps.person(gallery, person_id)
        record = self._steps.record(kind, person_id, data)
        ids = (*(() if counter else record.samples), *(() if counter is False else record.counters))
        fields = [sample_field(person_id, key) for key in ids if only in (None, key)]
        if not fields:
            return []
        _, (rows, images) = self._steps.read(
            gallery, lambda keys: ("HMGET", keys.samples, *fields), lambda keys: ("HMGET", keys.crops, *fields)
        )
        found = self._steps.sound(kind, fields, rows, images if crops else (), record.counters)
        return sorted(found, key=lambda sample: sample.created_at)

    @also_on_shelves
    def delete_sample(
        self, gallery: str, person_id: str, sample_id: str, *, counter: bool = False, by: Origin | None = None
    ) -> Erased:
        event = validation.erased_one(person_id, counter)
        kind = "counters" if counter else "samples"

        def remove(_: Gallery, old: Record) -> Edit:
            ids: tuple[str, ...] = getattr(old, kind)
            if sample_id not in ids:
                raise validation.unknown_photo(person_id, counter)
            left = tuple(key for key in ids if key != sample_id)
            return Edit(old.next(**{kind: left}), event, removed=[sample_id])

        changed = self._steps.change(gallery, person_id, remove, by)
        assert isinstance(changed, Changed)
        return Erased(0, int(not counter), changed.version, changed.crops, int(counter))

    def note(self, gallery: str, event: Event, *, by: Origin | None = None) -> None:
        name = validation.sought_gallery(gallery)
        (done,) = self._server.write(script("note", name, note=self._steps.note(event, by)))
        if done is None:
            raise validation.unknown_gallery(gallery)

    def audit(self, gallery: str, after: str = "", limit: int = 100) -> list[Entry]:
        if after and not re.fullmatch(r"\d{1,19}-\d{1,19}", after):
            raise MalformedRequest("`after` is the id of an entry")
        if not (name := validation.sought_name(gallery)) or validation.page(limit) == 0:
            return []
        span = (f"({after}" if after else "-", "+", "COUNT", validation.page(limit))
        (rows,) = self._server.read(("XRANGE", Keys.of(name).audit, *span))
        return [read_entry(name, number, fields) for number, fields in _pairs(rows)]

    def version(self, gallery: str) -> int:
        (version,) = self._server.read(("HGET", Keys.of(validation.sought_gallery(gallery)).gallery, "version"))
        if version is None:
            raise validation.unknown_gallery(gallery)
        return int(version)

    def standing(self, gallery: str) -> Standing:
        return data_loss.standing(self._server, gallery)

    def lose(self, gallery: str, version: int) -> None:
        data_loss.lose(self._server, gallery, version)

    def accept(self, gallery: str, version: int = 0) -> Standing:
        return data_loss.accept(self._server, gallery, version)

    def centroids(self, gallery: str, since: int | None = None) -> Centroids:
        after = None if since is None else str(since)
        (answer,) = self._server.read(script("changes", validation.sought_gallery(gallery), since=after))
        if answer is None:
            raise validation.unknown_gallery(gallery)
        kept, people, born, ids, records, rows, counters = answer
        found = read_gallery(validation.sought_gallery(gallery), kept, people)
        if since is not None:
            validation.check_since(since, found.version, int(born))
        return self._usable(found, ids, records, rows, counters, whole=since is None)

    def centroid_pages(self, gallery: str) -> Iterator[Centroids]:
        found, _ = self._steps.read(gallery)
        keys = Keys.of(found.name)
        cursor: bytes | int = 0
        while True:
            ((cursor, rows),) = self._server.read(("HSCAN", keys.centroids, cursor, "COUNT", validation.PAGE))
            records: list[bytes | None] = []
            counters: list[bytes | None] = []
            if rows:
                records, counters = self._server.read(("HMGET", keys.people, *rows), ("HMGET", keys.counters, *rows))
            yield self._usable(found, list(rows), records, list(rows.values()), counters, whole=False)
            if int(cursor) == 0:
                return

    def _usable(
        self,
        found: Gallery,
        ids: Sequence[bytes],
        records: Sequence[bytes | None],
        rows: Sequence[bytes | None],
        counters: Sequence[bytes | None],
        *,
        whole: bool,
    ) -> Centroids:
        """Return the centroids that can be used; note which of those that were read cannot."""
        keys = Keys.of(found.name)
        bad: dict[str, str] = {}
        people_rows: list[tuple[str, str | None, bytes | None, float | None, bytes | None]] = []
        read = [key.decode(errors="replace") for key in ids]
        for key, data, row, apart in zip(read, records, rows, counters, strict=True):
            if row is None:
                people_rows.append((key, None, None, None, None))
                continue
            try:
                record = Record.read(data or b"")
            except Damaged as error:
                bad[f"{keys.people} {key}"] = (
                    str(error) if data else "nobody has this id, but there is a centroid of it"
                )
                people_rows.append((key, None, None, None, None))
            else:
                people_rows.append((key, record.name, row, record.expires_at, apart))
        result = vectors.centroids(found, people_rows, lambda key, why: bad.update({f"{keys.centroids} {key}": why}))
        looked = None if whole else set(read)

        def was_read(key: str) -> bool:
            kind, _, person_id = key.partition(" ")
            return kind in (keys.people, keys.centroids) and (looked is None or person_id in looked)

        self._damage.settle(found.name, found.version, was_read, bad)
        return result

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
        raise StoreUnavailable(f"too many others change person {person_id} at once")


def _erasing(old: Record, event: Event) -> Edit:
    assert event.person_id is not None
    told = validation.erased(event.person_id, event.what, len(old.samples), len(old.counters))
    return Edit(None, told, removed=(*old.samples, *old.counters))


def _erased(changed: Changed) -> Erased:
    record = changed.record
    return Erased(1, len(record.samples), changed.version, changed.crops, len(record.counters))


def _pairs(rows: Any) -> list[tuple[bytes, list[bytes]]]:
    """Return a stream's entries as they come over the wire, or as redis-py has them."""
    return [
        (number, [word for pair in fields.items() for word in pair] if isinstance(fields, dict) else fields)
        for number, fields in rows
    ]
