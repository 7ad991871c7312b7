"""Galleries in one SQLite file, for one machine: any number of its threads and processes may read and write.

Every method is one transaction of a `SqliteFile`; descriptors and centroids are BLOBs of little-endian float32.
"""

# ruff: noqa: D102 (what the methods do and raise is said once, in base.Store)

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facegroup.errors import PersonExists, UnknownPhoto
from facegroup.names import check_id, clean_name
from facegroup.store import rules, vectors
from facegroup.store.base import Centroids, Enrolled, Erased
from facegroup.store.shelves import also_on_shelves, crops_on_shelves
from facegroup.store.sqlite_file import SqliteFile
from facegroup.store.sqlite_rows import (
    GALLERIES,
    find_gallery,
    find_person,
    gallery_of,
    person_of,
    raise_version,
    recompute,
)
from facegroup.store.sqlite_shelves import SqliteShelves
from facegroup.types import Gallery, Person, Sample


class SqliteStore(SqliteShelves):
    """A `Store` in one file.

    Args:
        path: the file; it and its folders are made where they are not there.
        timeout: seconds to wait for another process's write before `StoreUnavailable`.

    Raises:
        StoreInvalid: the path holds something else, or a gallery of a newer facegroup.
        StoreUnavailable: the file cannot be opened.
    """

    def __init__(self, path: str | Path, timeout: float = 10.0) -> None:
        self._file = SqliteFile(Path(path), timeout)

    def ping(self) -> None:
        with self._file.read() as db:
            db.execute("SELECT version FROM erased").fetchone()

    def close(self) -> None:
        self._file.close()

    def create_gallery(self, gallery: Gallery) -> Gallery:
        wanted = rules.check_gallery(gallery)
        with self._file.write() as db:
            db.execute(
                "INSERT INTO galleries (name, network, dimension, threshold, keep_crops, created_at, version, born)"
                " SELECT ?, ?, ?, ?, ?, ?, version, version FROM erased WHERE true ON CONFLICT (name) DO NOTHING",
                (
                    *(wanted.name, wanted.network, wanted.dimension),
                    *(wanted.threshold, wanted.keep_crops, wanted.created_at),
                ),
            )
            return rules.same_gallery(gallery_of(find_gallery(db, wanted.name)), wanted)

    def gallery(self, name: str) -> Gallery:
        with self._file.read() as db:
            return gallery_of(find_gallery(db, name))

    def galleries(self, after: str = "", limit: int = 100) -> list[Gallery]:
        with self._file.read() as db:
            page = (rules.sortable(after), rules.page(limit))
            return [
                gallery_of(row)
                for row in db.execute(f"{GALLERIES} WHERE name > ? AND name NOT LIKE '%/%' ORDER BY name LIMIT ?", page)
            ]

    @crops_on_shelves
    def update_gallery(self, name: str, *, threshold: float | None = None, keep_crops: bool | None = None) -> Gallery:
        threshold = None if threshold is None else rules.check_threshold(threshold)
        with self._file.write() as db:
            gallery = find_gallery(db, name)
            if threshold is not None or keep_crops is not None:
                settings = "threshold = ifnull(?, threshold), keep_crops = ifnull(?, keep_crops)"
                db.execute(f"UPDATE galleries SET {settings} WHERE key = ?", (threshold, keep_crops, gallery["key"]))
                raise_version(db, gallery, None)
            if keep_crops is False:
                people = "SELECT key FROM people WHERE gallery = ?"
                db.execute(f"UPDATE samples SET crop = NULL WHERE person IN ({people})", (gallery["key"],))
            return gallery_of(find_gallery(db, name))

    @also_on_shelves
    def delete_gallery(self, name: str) -> Erased:
        with self._file.write() as db:
            gallery = find_gallery(db, name)
            total = "SELECT ifnull(sum(samples), 0) FROM people WHERE gallery = ?"
            samples = int(db.execute(total, (gallery["key"],)).fetchone()[0])
            db.execute("DELETE FROM galleries WHERE key = ?", (gallery["key"],))
            db.execute("UPDATE erased SET version = max(version, ?)", (gallery["version"] + 1,))
            return Erased(gallery["people"], samples, 0)

    def create_person(
        self, gallery: str, name: str, metadata: dict[str, Any] | None = None, person_id: str | None = None
    ) -> Person:
        name = clean_name(name, "person's name")
        notes = rules.write_metadata(metadata)
        person_id = rules.new_id() if person_id is None else check_id(person_id)
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            now = rules.now()
            made = db.execute(
                "INSERT INTO people (gallery, id, name, metadata, samples, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, 0, ?, ?) ON CONFLICT (gallery, id) DO NOTHING",
                (found["key"], person_id, name, notes, now, now),
            )
            if not made.rowcount:
                raise PersonExists(f"there is a person {person_id} in the gallery")
            raise_version(db, found, person_id)
            return person_of(find_person(db, found, person_id))

    def person(self, gallery: str, person_id: str) -> Person:
        with self._file.read() as db:
            return person_of(find_person(db, find_gallery(db, gallery), person_id))

    def people(self, gallery: str, after: str = "", limit: int = 100, name: str | None = None) -> list[Person]:
        with self._file.read() as db:
            page = [find_gallery(db, gallery)["key"], rules.sortable(after), rules.page(limit)]
            named = ""
            if name is not None:
                named = "AND name = ?"
                page.insert(2, rules.sought_name(name))
            query = f"SELECT * FROM people WHERE gallery = ? AND id > ? {named} ORDER BY id LIMIT ?"
            return [person_of(row) for row in db.execute(query, page)]

    def update_person(
        self, gallery: str, person_id: str, *, name: str | None = None, metadata: dict[str, Any] | None = None
    ) -> Person:
        name = None if name is None else clean_name(name, "person's name")
        notes = None if metadata is None else rules.write_metadata(metadata)
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            if name is not None or notes is not None:
                settings = "name = ifnull(?, name), metadata = ifnull(?, metadata), updated_at = ?"
                db.execute(f"UPDATE people SET {settings} WHERE key = ?", (name, notes, rules.now(), person["key"]))
                raise_version(db, found, person_id)
            return person_of(find_person(db, found, person_id))

    @also_on_shelves
    def delete_person(self, gallery: str, person_id: str) -> Erased:
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            db.execute("DELETE FROM people WHERE key = ?", (person["key"],))
            return Erased(1, person["samples"], raise_version(db, found, person_id))

    def add_samples(self, gallery: str, person_id: str, samples: Sequence[Sample], network: str) -> Enrolled:
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            known = {row["id"] for row in db.execute("SELECT id FROM samples WHERE person = ?", (person["key"],))}
            added, duplicates = rules.sort_out(samples, gallery_of(found), network, known)
            version = found["version"]
            if added:
                db.executemany(
                    "INSERT INTO samples (person, id, created_at, descriptor, crop) VALUES (?, ?, ?, ?, ?)",
                    [(person["key"], s.id, s.created_at, vectors.to_bytes(s.descriptor), s.crop) for s in added],
                )
                version = recompute(db, found, person)
            after = person_of(find_person(db, found, person_id))
            return Enrolled(after, tuple(sample.id for sample in added), duplicates, version)

    def samples(self, gallery: str, person_id: str, *, crops: bool = False) -> list[Sample]:
        with self._file.read() as db:
            person = find_person(db, find_gallery(db, gallery), person_id)
            query = f"SELECT id, descriptor, {'crop' if crops else 'NULL'}, created_at FROM samples"
            rows = db.execute(f"{query} WHERE person = ? ORDER BY created_at, key", (person["key"],))
            return [Sample(row[0], vectors.from_bytes(row[1]), row[2], row[3]) for row in rows]

    @also_on_shelves
    def delete_sample(self, gallery: str, person_id: str, sample_id: str) -> Erased:
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            which = (person["key"], rules.sortable(sample_id))
            if not db.execute("DELETE FROM samples WHERE person = ? AND id = ?", which).rowcount:
                raise UnknownPhoto(f"person {person_id} has no such photo")
            return Erased(0, 1, recompute(db, found, person))

    def version(self, gallery: str) -> int:
        with self._file.read() as db:
            row = db.execute(
                "SELECT version FROM galleries WHERE name = ?", (rules.sought_gallery(gallery),)
            ).fetchone()
        if row is None:
            raise rules.unknown_gallery(gallery)
        return int(row["version"])

    def centroids(self, gallery: str, since: int | None = None) -> Centroids:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            if since is None:
                query = "SELECT id, name, centroid FROM people WHERE gallery = ? AND centroid NOTNULL ORDER BY id"
                rows = db.execute(query, (found["key"],)).fetchall()
            else:
                rules.check_since(since, found["version"], found["born"])
                query = (
                    "SELECT changes.person, name, centroid FROM changes LEFT JOIN people"
                    " ON people.gallery = changes.gallery AND people.id = changes.person"
                    " WHERE changes.gallery = ? AND changes.version > ? ORDER BY changes.person"
                )
                rows = db.execute(query, (found["key"], since)).fetchall()
        return vectors.centroids(gallery_of(found), [tuple(row) for row in rows])
