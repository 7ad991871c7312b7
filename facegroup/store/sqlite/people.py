"""The people of a gallery in a SQLite file."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from facegroup.errors import PersonExists, StoreInvalid
from facegroup.store import contradictions, validation
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Erased, Merged, Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.names import check_id, clean_name
from facegroup.store.paging import everybody
from facegroup.store.sqlite.base import SqliteBase
from facegroup.store.sqlite.file import Connection
from facegroup.store.sqlite.reserve import erases
from facegroup.store.sqlite.rows import (
    SAMPLES,
    done,
    find_gallery,
    find_person,
    gallery_of,
    person_key,
    person_of,
    raise_version,
    rebind_samples,
    recompute,
    remember,
    sound,
)
from facegroup.types import Gallery, Person


def _samples(store: Store, gallery: str, person_id: str, *, by: Origin | None = None) -> Iterator[Erased]:
    """Erase the samples of a person one after the other."""
    for sample in store.samples(gallery, person_id, counter=None):
        yield store.delete_sample(gallery, person_id, sample.id, counter=sample.counter, by=by)


def _expired(store: Store, gallery: str, *, by: Origin | None = None) -> Iterator[Erased]:
    """Erase the samples of people whose expiry has passed, one after the other."""
    now = validation.now()
    for person in everybody(store, gallery):
        if person.expires_at is not None and person.expires_at <= now:
            yield from _samples(store, gallery, person.id, by=by)


class SqlitePeople(SqliteBase):
    """The part of `SqliteStore` that keeps people; see `contract.Store` for what the methods do and raise."""

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
        expiry = validation.check_expiry(expires_at)
        name = clean_name(name, "person's name")
        notes = validation.write_metadata(metadata)
        person_id = validation.new_id() if person_id is None else check_id(person_id)
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            if before := done(db, found, once):
                return person_of(find_person(db, found, before.person_id))
            now = validation.now()
            made = db.execute(
                "INSERT INTO people (gallery, id, name, metadata, samples, created_at, updated_at, expires_at)"
                " VALUES (?, ?, ?, ?, 0, ?, ?, ?) ON CONFLICT (gallery, id) DO NOTHING",
                (found["key"], person_id, name, notes, now, now, expiry),
            )
            if not made.rowcount:
                raise PersonExists(f"there is a person {person_id} in the gallery")
            version = raise_version(db, found, person_id)
            remember(db, found, once, person_id, version)
            self._note(db, found["name"], Event("created", person_id), by)
            return person_of(find_person(db, found, person_id))

    def person(self, gallery: str, person_id: str) -> Person:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            return self._sound(found, find_person(db, found, person_id))

    def people(self, gallery: str, after: str = "", limit: int = 100, name: str | None = None) -> list[Person]:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            named = () if name is None else (validation.normalise_name(name),)
            query = (
                f"SELECT * FROM people WHERE gallery = ? AND id > ? {'AND name = ?' * len(named)} ORDER BY id LIMIT ?"
            )
            after, most = validation.sortable(after), validation.page(limit)
            people: list[Person] = []
            while left := most - len(people):  # until the page is full: a short one is the last, whoever is damaged
                rows = db.execute(query, (found["key"], after, *named, left)).fetchall()
                for row in rows:
                    with suppress(StoreInvalid):  # counted and logged
                        people.append(self._sound(found, row))
                if len(rows) < left:
                    break
                after = rows[-1]["id"]
        return people

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
        event = validation.edited(person_id, name, metadata, expires_at)
        expiry = validation.check_expiry(expires_at)
        name = None if name is None else clean_name(name, "person's name")
        notes = None if metadata is None else validation.write_metadata(metadata)
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            if expires_at is not None:
                db.execute("UPDATE people SET expires_at = ? WHERE key = ?", (expiry, person["key"]))
            if name is not None or notes is not None or expires_at is not None:
                settings = "name = ifnull(?, name), metadata = ifnull(?, metadata), updated_at = ?"
                db.execute(
                    f"UPDATE people SET {settings} WHERE key = ?", (name, notes, validation.now(), person["key"])
                )
                raise_version(db, found, person_id)
                self._note(db, found["name"], event, by)
            return person_of(find_person(db, found, person_id))

    def _merge(self, gallery: str, into: str, source: str, *, by: Origin | None = None) -> Merged:
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person, other = find_person(db, found, into), find_person(db, found, source)
            moved, both = self._move(db, gallery_of(found), person, other)
            db.execute("DELETE FROM people WHERE key = ?", (other["key"],))
            version = recompute(db, found, person, self._damage)
            db.execute("INSERT OR REPLACE INTO changes VALUES (?, ?, ?)", (found["key"], source, version))
            self._note(db, found["name"], validation.merged(into, source, moved, both), by)
            merged = Merged(person_of(find_person(db, found, into)), moved, both, version)
        self._damage.forget(found["name"], source)
        self._file.scrub()
        return merged

    @erases(_samples)
    def _delete_person(self, gallery: str, person_id: str, *, by: Origin | None = None) -> Erased:
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            erased = self._erase(db, found, person, "erased", by)
        self._damage.forget(found["name"], person_id)
        self._file.scrub()
        return erased

    @erases(_expired)
    def _erase_expired(self, gallery: str, *, by: Origin | None = None) -> Erased:
        now = validation.now()
        over = "SELECT * FROM people WHERE gallery = ? AND expires_at <= ?"
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            ids = [row["id"] for row in db.execute(over, (found["key"], now))]
        total = Erased(0, 0, found["version"])
        for person_id in ids:
            with self._file.write() as db:
                found = find_gallery(db, gallery)
                person = db.execute(f"{over} AND id = ?", (found["key"], now, person_id)).fetchone()
                if person is not None:
                    total += self._erase(db, found, person, "expired", by)
            self._damage.forget(found["name"], person_id)
        self._file.scrub()
        return total

    def _sound(self, found: sqlite3.Row, row: sqlite3.Row) -> Person:
        """Return the person of one row. Raises `StoreInvalid` where it is damaged, and notes that."""
        bad = {}
        try:
            return person_of(row)
        except StoreInvalid as error:
            bad[person_key(row)] = error.detail
            raise
        finally:
            self._damage.settle(found["name"], found["version"], person_key(row).__eq__, bad)

    def _erase(
        self, db: sqlite3.Connection, gallery: sqlite3.Row, person: sqlite3.Row, what: str, by: Origin | None
    ) -> Erased:
        count = "SELECT count(*), count(crop), total(counter) FROM samples WHERE person = ?"
        samples, crops, counters = map(int, db.execute(count, (person["key"],)).fetchone())
        db.execute("DELETE FROM people WHERE key = ?", (person["key"],))
        version = raise_version(db, gallery, person["id"])
        event = validation.erased(person["id"], what, samples - counters, counters)
        self._note(db, gallery["name"], event, by)
        return Erased(1, samples - counters, version, crops, counters)

    def _move(self, db: Connection, gallery: Gallery, person: sqlite3.Row, other: sqlite3.Row) -> tuple[int, int]:
        """Give a person all samples of another; return how many came over and how many both had."""
        who = (person["key"], other["key"])
        rebind_samples(db, gallery.name, other, person["id"])
        moved = db.execute("UPDATE OR IGNORE samples SET person = ? WHERE person = ? AND NOT counter", who).rowcount
        both = db.execute("SELECT count(*) FROM samples WHERE person = ? AND NOT counter", who[1:]).fetchone()[0]
        if person["counters"] or other["counters"]:
            db.execute("UPDATE OR IGNORE samples SET person = ? WHERE person = ? AND counter", who)
            rows = db.execute(f"{SAMPLES} WHERE person = ?", who[:1]).fetchall()
            kept = sound(db, self._damage, gallery, person["id"], rows)
            gone = [each.id for each in contradictions.contradicted([each for each in kept if each.counter], kept)]
            db.executemany("DELETE FROM samples WHERE person = ? AND id = ?", [(person["key"], each) for each in gone])
            contradictions.check_count(sum(each.counter for each in kept) - len(gone))
        return moved, both
