"""Staging copies in a SQLite file: rows of `galleries` whose name has a slash. A switch is two renames."""

from dataclasses import fields, replace

from facegroup.errors import SwitchConflict
from facegroup.store import validation, vectors
from facegroup.store.audit import Event, Origin
from facegroup.store.names import check_id
from facegroup.store.sqlite.base import SqliteBase
from facegroup.store.sqlite.rows import find_gallery, gallery_of, insert_samples, raise_version
from facegroup.store.staging import StagingName, previous_copy
from facegroup.types import Person, Sample

_COLUMNS = tuple(field.name for field in fields(Person))
_KEPT = ("gallery", *_COLUMNS, "centroid", "counter_rows")
_PERSON = f"INSERT INTO people ({', '.join(_KEPT)}) VALUES ({', '.join('?' * len(_KEPT))})"


class SqliteStaging(SqliteBase):
    """The part of `SqliteStore` that keeps staging copies; see `staging.StagingStore` for what the methods do and raise."""

    def put_people(self, copy: StagingName, people: list[tuple[Person, list[Sample]]]) -> int:
        """Write people whole, in one step."""
        with self._file.write() as db:
            found = find_gallery(db, copy)
            gallery = gallery_of(found)
            for person, samples in people:
                kept, _ = validation.sort_out(samples, gallery, gallery.network, ())
                counters = sum(sample.counter for sample in kept)
                whole = replace(
                    person,
                    samples=len(kept) - counters,
                    counters=counters,
                    expires_at=validation.check_expiry(person.expires_at),
                )
                row = {name: getattr(whole, name) for name in _COLUMNS}
                row["metadata"] = validation.write_metadata(row["metadata"])
                which = (found["key"], check_id(person.id))
                db.execute("DELETE FROM people WHERE gallery = ? AND id = ?", which)
                values = vectors.derived(kept, self._keys, copy, person.id)
                key = db.execute(_PERSON, (found["key"], *row.values(), *values)).lastrowid or 0
                insert_samples(db, copy, person.id, key, kept)
            return raise_version(db, found, None)

    def switch_gallery(
        self,
        gallery: str,
        copy: StagingName,
        expected: int | None,
        made: int,
        event: Event,
        *,
        by: Origin | None = None,
    ) -> int:
        """Put a staging copy in the gallery's place, in one step."""
        name = validation.normalise_gallery(gallery)
        away = previous_copy(name)
        with self._file.write() as db:
            rows = {
                row["name"]: row
                for row in db.execute("SELECT * FROM galleries WHERE name IN (?, ?, ?)", (name, copy, away))
            }
            here, there = rows.get(name), rows.get(copy)
            if there is None or there["version"] != made or (here["version"] if here else None) != expected:
                raise SwitchConflict(
                    f'The gallery "{name}" or its replacement changed in the meantime. Nothing was switched; try again.'
                )
            floor = int(db.execute("SELECT version FROM erased").fetchone()[0])
            version = max(floor, made, expected or 0) + 1
            if away in rows and copy != away:
                db.execute("DELETE FROM galleries WHERE key = ?", (rows[away]["key"],))
            for row, becomes in ((there, name + "/moving"), (here, away), (there, name)):
                if row is not None:
                    db.execute("UPDATE galleries SET name = ? WHERE key = ?", (becomes, row["key"]))
            db.execute("DELETE FROM changes WHERE gallery = ?", (there["key"],))
            versions = "version = ?1, born = ?1, cohort_version = ?1"
            db.execute(f"UPDATE galleries SET {versions} WHERE key = ?2", (version, there["key"]))
            if here is not None:  # idempotency keys stay with the name
                db.execute("UPDATE OR REPLACE requests SET gallery = ? WHERE gallery = ?", (there["key"], here["key"]))
            self._note(db, name, event, by)
        for each in (name, copy, away):
            self._damage.forget(each)
        if here is None or copy != away:
            self._file.scrub()
        return version
