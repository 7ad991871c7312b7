"""Galleries in one SQLite file, for one machine: any number of its threads and processes may read and write.

Every method is one transaction of a `SqliteFile`; descriptors and centroids are BLOBs of little-endian float32.
"""

# ruff: noqa: D102 (what the methods do and raise is said once, in base.Store)

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Unpack

from facegroup.errors import MalformedRequest, PersonExists, StoreInvalid, UnknownPerson
from facegroup.store import contradictions, gallery_settings, staging, validation, vectors
from facegroup.store.audit import Entry, Event, Origin
from facegroup.store.contract import Centroids, Changes, Enrolled, Erased, Merged, Standing
from facegroup.store.damage import Damage, Skipped
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.names import check_id, clean_name
from facegroup.store.sqlite import data_loss
from facegroup.store.sqlite.file import SqliteFile
from facegroup.store.sqlite.reserve import erases
from facegroup.store.sqlite.rows import (
    GALLERIES,
    SAMPLES,
    blob,
    done,
    find_gallery,
    find_person,
    gallery_of,
    insert_samples,
    note,
    person_key,
    person_of,
    raise_version,
    recompute,
    remember,
    sample_of,
    sound,
)
from facegroup.store.sqlite.staging import SqliteStaging
from facegroup.types import Gallery, Person, Sample


def _people(store: "SqliteStore", name: str, *, by: Origin | None = None) -> Iterator[Erased]:
    """Erase the people of a gallery one after the other."""
    while page := store.people(name):
        for person in page:
            yield store.delete_person(name, person.id, by=by)


def _samples(store: "SqliteStore", gallery: str, person_id: str, *, by: Origin | None = None) -> Iterator[Erased]:
    """Erase the samples of a person one after the other."""
    for sample in store.samples(gallery, person_id, counter=None):
        yield store.delete_sample(gallery, person_id, sample.id, counter=sample.counter, by=by)


def _expired(store: "SqliteStore", gallery: str, *, by: Origin | None = None) -> Iterator[Erased]:
    """Erase the samples of all whose time is over, one after the other."""
    now, after = validation.now(), ""
    while page := store.people(gallery, after):
        for person in page:
            if person.expires_at is not None and person.expires_at <= now:
                yield from _samples(store, gallery, person.id, by=by)
        after = page[-1].id


class SqliteStore(SqliteStaging):
    """A `Store` in one file.

    Args:
        path: the file; it and its folders are made where they are not there.
        timeout: seconds to wait for another process's write before `StoreUnavailable`.
        actor: whose writes are, for the audit log, where a call says nothing.

    Raises:
        StoreInvalid: the path holds something else, or a gallery of a newer facegroup.
        StoreUnavailable: the file cannot be opened.
    """

    def __init__(self, path: str | Path, timeout: float = 10.0, actor: str = "library") -> None:
        self._file = SqliteFile(Path(path), timeout)
        self._origin = Origin(actor)
        self._damage = Damage()

    def ping(self) -> None:
        with self._file.read() as db:
            db.execute("SELECT version FROM erased").fetchone()

    def check_writes(self) -> None:
        self._file.check_writes()

    def close(self) -> None:
        self._file.close()

    def damaged(self) -> int:
        return self._damage.count()

    def skipped(self, gallery: str) -> Skipped:
        return self._damage.skipped(validation.sought_gallery(gallery))

    def create_gallery(self, gallery: Gallery, *, by: Origin | None = None) -> Gallery:
        wanted = validation.check_gallery(gallery)
        with self._file.write() as db:
            made = db.execute(
                "INSERT INTO galleries (name, network, dimension, threshold, keep_crops, created_at, quality, probe_quality,"
                ' "unique", calibration, version, born) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, version, version FROM erased'
                " WHERE true"
                " ON CONFLICT (name) DO NOTHING",
                (
                    *(wanted.name, wanted.network, wanted.dimension),
                    *(wanted.threshold, wanted.keep_crops, wanted.created_at, wanted.quality, wanted.probe_quality),
                    wanted.unique,
                    gallery_settings.write_calibration(wanted.calibration),
                ),
            )
            if made.rowcount:
                event = Event("created", None, {"network": wanted.network, "threshold": wanted.threshold})
                note(db, wanted.name, event, by or self._origin)
            return validation.same_gallery(self._gallery(db, wanted.name), wanted)

    def gallery(self, name: str) -> Gallery:
        with self._file.read() as db:
            return self._gallery(db, name)

    def galleries(self, after: str = "", limit: int = 100) -> list[Gallery]:
        with self._file.read() as db:
            page = (validation.sortable(after), validation.page(limit))
            listed = f"{GALLERIES} WHERE name > ? AND name NOT LIKE '%/%' ORDER BY name LIMIT ?"
            rows = db.execute(listed, page).fetchall()
        found = []
        for row in rows:
            key = f"row {row['key']} of galleries"
            bad = {}
            try:
                found.append(gallery_of(row, self._damage.count(row["name"])))
            except StoreInvalid as error:
                bad[key] = error.detail
            self._damage.settle("", 0, key.__eq__, bad)
        return found

    def update_gallery(self, name: str, *, by: Origin | None = None, **changes: Unpack[Changes]) -> Gallery:
        try:
            columns = gallery_settings.columns(changes)
            erases = changes.get("keep_crops") is False
            with self._file.write() as db:
                gallery = find_gallery(db, name)
                gallery_settings.check_network(gallery["network"], changes)
                if columns:
                    settings = ", ".join(f'"{column}" = ?' for column in columns)
                    db.execute(f"UPDATE galleries SET {settings} WHERE key = ?", (*columns.values(), gallery["key"]))
                    raise_version(db, gallery, None)
                    note(db, gallery["name"], gallery_settings.event(columns), by or self._origin)
                if erases:
                    people = "SELECT key FROM people WHERE gallery = ?"
                    db.execute(f"UPDATE samples SET crop = NULL WHERE person IN ({people})", (gallery["key"],))
                changed = self._gallery(db, name)
            if erases:
                self._file.scrub()
            return changed
        finally:
            if changes.get("keep_crops") is False:
                staging.on_copies(name, self.update_gallery, keep_crops=False)

    @erases(_people)
    def delete_gallery(self, name: str, *, by: Origin | None = None) -> Erased:
        try:
            with self._file.write() as db:
                gallery = find_gallery(db, name)
                people = "SELECT key FROM people WHERE gallery = ?"
                total = f"SELECT count(*), count(crop), total(counter) FROM samples WHERE person IN ({people})"
                samples, crops, counters = map(int, db.execute(total, (gallery["key"],)).fetchone())
                db.execute("DELETE FROM galleries WHERE key = ?", (gallery["key"],))
                db.execute("UPDATE erased SET version = max(version, ?)", (gallery["version"] + 1,))
                note(db, gallery["name"], Event("erased"), by or self._origin)
            self._damage.forget(gallery["name"])
            self._file.scrub()
            return Erased(gallery["people"], samples - counters, 0, crops, counters)
        finally:
            staging.on_copies(name, self.delete_gallery)

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
            note(db, found["name"], Event("created", person_id), by or self._origin)
            return person_of(find_person(db, found, person_id))

    def person(self, gallery: str, person_id: str) -> Person:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            return self._sound(found, find_person(db, found, person_id))

    def people(self, gallery: str, after: str = "", limit: int = 100, name: str | None = None) -> list[Person]:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            named = () if name is None else (validation.sought_name(name),)
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
                note(db, found["name"], event, by or self._origin)
            done = person_of(find_person(db, found, person_id))
        if expires_at is not None:
            staging.on_copies(gallery, self.update_person, person_id, expires_at=expires_at)
        return done

    def merge_people(self, gallery: str, into: str, source: str, *, by: Origin | None = None) -> Merged:
        validation.check_merger(into, source)
        try:
            done = self._merge(gallery, into, source, by)
        except UnknownPerson:
            staging.erase_merged(self, gallery, source)
            raise
        staging.merge_on_copies(self, gallery, into, source)
        return done

    def _merge(self, gallery: str, into: str, source: str, by: Origin | None) -> Merged:
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person, other = find_person(db, found, into), find_person(db, found, source)
            moved, both = self._move(db, gallery_of(found), person, other)
            db.execute("DELETE FROM people WHERE key = ?", (other["key"],))
            version = recompute(db, found, person, self._damage)
            db.execute("INSERT OR REPLACE INTO changes VALUES (?, ?, ?)", (found["key"], source, version))
            note(db, found["name"], validation.merged(into, source, moved, both), by or self._origin)
            merged = Merged(person_of(find_person(db, found, into)), moved, both, version)
        self._damage.forget(found["name"], source)
        self._file.scrub()
        return merged

    @erases(_samples)
    def delete_person(self, gallery: str, person_id: str, *, by: Origin | None = None) -> Erased:
        try:
            with self._file.write() as db:
                found = find_gallery(db, gallery)
                person = find_person(db, found, person_id)
                erased = self._erase(db, found, person, "erased", by)
            self._damage.forget(found["name"], person_id)
            self._file.scrub()
            return erased
        finally:
            staging.on_copies(gallery, self.delete_person, person_id)

    @erases(_expired)
    def erase_expired(self, gallery: str, *, by: Origin | None = None) -> Erased:
        try:
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
        finally:
            staging.on_copies(gallery, self.erase_expired)

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
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            if before := done(db, found, once):
                halves = before.split([sample.id for sample in samples])
                return Enrolled(person_of(person), *halves, before.version)
            known = {row["id"] for row in db.execute("SELECT id FROM samples WHERE person = ?", (person["key"],))}
            added, duplicates = validation.sort_out(samples, gallery_of(found), network, known)
            version = found["version"]
            if added:
                if person["counters"] or any(sample.counter for sample in added):
                    rows = db.execute(f"{SAMPLES} WHERE person = ?", (person["key"],)).fetchall()
                    usable = sound(self._damage, gallery_of(found), person_id, rows)
                    contradictions.check_faces(added, [sample_of(row) for row in usable])
                insert_samples(db, person["key"], added)
                version = recompute(db, found, person, self._damage)
                event = validation.enrolled(person_id, added, len(duplicates))
                note(db, found["name"], event, by or self._origin)
            remember(db, found, once, person_id, version, validation.places(samples, added))
            after = person_of(find_person(db, found, person_id))
            return Enrolled(after, tuple(sample.id for sample in added), duplicates, version)

    def samples(
        self,
        gallery: str,
        person_id: str,
        *,
        crops: bool = False,
        counter: bool | None = False,
        only: str | None = None,
    ) -> list[Sample]:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            query = (
                f"SELECT key, id, descriptor, {'crop' if crops else 'NULL'} AS crop, created_at, counter FROM samples"
            )
            which = "person = ? AND counter = ifnull(?, counter) AND id = ifnull(?, id) ORDER BY created_at, key"
            asked = (person["key"], counter, None if only is None else validation.sortable(only))
            rows = db.execute(f"{query} WHERE {which}", asked).fetchall()
        usable = sound(self._damage, gallery_of(found), person_id, rows)
        return [Sample(row[1], vectors.from_bytes(row[2]), row[3], row[4], bool(row[5])) for row in usable]

    @erases()
    def delete_sample(
        self, gallery: str, person_id: str, sample_id: str, *, counter: bool = False, by: Origin | None = None
    ) -> Erased:
        try:
            with self._file.write() as db:
                found = find_gallery(db, gallery)
                person = find_person(db, found, person_id)
                which = (person["key"], validation.sortable(sample_id), counter)
                one = "WHERE person = ? AND id = ? AND counter = ?"
                sample = db.execute(f"SELECT crop FROM samples {one}", which).fetchone()
                if sample is None:
                    raise validation.unknown_photo(person_id, counter)
                db.execute(f"DELETE FROM samples {one}", which)
                version = recompute(db, found, person, self._damage)
                note(db, found["name"], validation.erased_one(person_id, counter), by or self._origin)
            self._file.scrub()
            return Erased(0, int(not counter), version, int(sample["crop"] is not None), int(counter))
        finally:
            staging.on_copies(gallery, self.delete_sample, person_id, sample_id, counter=counter)

    def note(self, gallery: str, event: Event, *, by: Origin | None = None) -> None:
        with self._file.write() as db:
            note(db, find_gallery(db, gallery)["name"], event, by or self._origin)

    def audit(self, gallery: str, after: str = "", limit: int = 100) -> list[Entry]:
        if after and not re.fullmatch(r"\d{1,18}", after):
            raise MalformedRequest("`after` is the id of an entry")
        name = validation.sought_name(gallery)
        page = (name, int(after or 0), validation.page(limit))
        with self._file.read() as db:
            rows = db.execute("SELECT * FROM audit WHERE gallery = ? AND key > ? ORDER BY key LIMIT ?", page).fetchall()
        return [Entry.read(name, str(row["key"]), row["at"], dict(row)) for row in rows]

    def version(self, gallery: str) -> int:
        with self._file.read() as db:
            row = db.execute(
                "SELECT version FROM galleries WHERE name = ?", (validation.sought_gallery(gallery),)
            ).fetchone()
        if row is None:
            raise validation.unknown_gallery(gallery)
        return int(row["version"])

    def standing(self, gallery: str) -> Standing:
        with self._file.read() as db:
            return data_loss.standing(db, gallery)

    def lose(self, gallery: str, version: int) -> None:
        with self._file.write() as db:
            data_loss.lose(db, gallery, version)

    def accept(self, gallery: str, version: int = 0) -> Standing:
        with self._file.write() as db:
            return data_loss.accept(db, gallery, version)

    def centroids(self, gallery: str, since: int | None = None) -> Centroids:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            if since is None:
                query = (
                    "SELECT id, name, centroid, expires_at, counter_rows FROM people"
                    " WHERE gallery = ? AND centroid NOTNULL ORDER BY id"
                )
                rows = db.execute(query, (found["key"],)).fetchall()
            else:
                validation.check_since(since, found["version"], found["born"])
                query = (
                    "SELECT changes.person, name, centroid, expires_at, counter_rows FROM changes LEFT JOIN people"
                    " ON people.gallery = changes.gallery AND people.id = changes.person"
                    " WHERE changes.gallery = ? AND changes.version > ? ORDER BY changes.person"
                )
                rows = db.execute(query, (found["key"], since)).fetchall()
        return self._usable(found, rows, whole=since is None)

    def centroid_pages(self, gallery: str) -> Iterator[Centroids]:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            query = (
                "SELECT id, name, centroid, expires_at, counter_rows FROM people"
                " WHERE gallery = ? AND centroid NOTNULL ORDER BY id"
            )
            rows = db.execute(query, (found["key"],))
            while page := rows.fetchmany(validation.PAGE):
                yield self._usable(found, page, whole=False)

    def _usable(self, found: sqlite3.Row, rows: Sequence[sqlite3.Row], *, whole: bool) -> Centroids:
        """Return the centroids that can be used; note which of those that were read cannot."""
        kept = gallery_of(found)
        prefix = f"centroid in people of gallery {found['key']}, "
        bad: dict[str, str] = {}
        result = vectors.centroids(
            kept,
            [(row[0], row[1], None if row[2] is None else blob(row[2]), _time(row[3]), _rows(row[4])) for row in rows],
            lambda person_id, why: bad.update({prefix + person_id: why}),
        )
        looked = None if whole else {row[0] for row in rows}
        self._damage.settle(
            kept.name,
            kept.version,
            lambda key: key.startswith(prefix) and (looked is None or key.removeprefix(prefix) in looked),
            bad,
        )
        return result

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

    def _gallery(self, db: sqlite3.Connection, name: str) -> Gallery:
        found = find_gallery(db, name)
        return gallery_of(found, self._damage.count(found["name"]))

    def _erase(
        self, db: sqlite3.Connection, gallery: sqlite3.Row, person: sqlite3.Row, what: str, by: Origin | None
    ) -> Erased:
        count = "SELECT count(*), count(crop), total(counter) FROM samples WHERE person = ?"
        samples, crops, counters = map(int, db.execute(count, (person["key"],)).fetchone())
        db.execute("DELETE FROM people WHERE key = ?", (person["key"],))
        version = raise_version(db, gallery, person["id"])
        event = validation.erased(person["id"], what, samples - counters, counters)
        note(db, gallery["name"], event, by or self._origin)
        return Erased(1, samples - counters, version, crops, counters)

    def _move(
        self, db: sqlite3.Connection, gallery: Gallery, person: sqlite3.Row, other: sqlite3.Row
    ) -> tuple[int, int]:
        """Give a person all samples of another; return how many came over and how many both had."""
        who = (person["key"], other["key"])
        moved = db.execute("UPDATE OR IGNORE samples SET person = ? WHERE person = ? AND NOT counter", who).rowcount
        both = db.execute("SELECT count(*) FROM samples WHERE person = ? AND NOT counter", who[1:]).fetchone()[0]
        if person["counters"] or other["counters"]:
            db.execute("UPDATE OR IGNORE samples SET person = ? WHERE person = ? AND counter", who)
            rows = sound(
                *(self._damage, gallery, person["id"]),
                db.execute(f"{SAMPLES} WHERE person = ?", who[:1]).fetchall(),
            )
            kept = [sample_of(row) for row in rows]
            gone = [each.id for each in contradictions.contradicted([each for each in kept if each.counter], kept)]
            db.executemany("DELETE FROM samples WHERE person = ? AND id = ?", [(person["key"], each) for each in gone])
            contradictions.check_count(sum(each.counter for each in kept) - len(gone))
        return moved, both


def _rows(value: object) -> bytes | None:
    """Return kept counter-examples; what are none cannot be used."""
    return value if value is None or isinstance(value, bytes) else b"\0"


def _time(value: object) -> float | None:
    """Return a kept expiry; what is none is over, for nobody may be named for longer than was said."""
    if value is None:
        return None
    return float(value) if isinstance(value, int | float) else 0.0
