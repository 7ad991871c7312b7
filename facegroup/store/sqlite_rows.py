"""Rows of a SQLite gallery: found by name, turned into facegroup's structs, and moved on by one version."""

import json
import sqlite3

from facegroup.store import rules, vectors
from facegroup.types import Gallery, Person

GALLERIES = "SELECT *, (SELECT count(*) FROM people WHERE gallery = galleries.key) AS people FROM galleries"


def gallery_of(row: sqlite3.Row) -> Gallery:
    """Return the gallery of one row of `GALLERIES`."""
    return Gallery(
        *(row["name"], row["network"], row["dimension"], row["threshold"]),
        *(bool(row["keep_crops"]), row["version"], row["people"], row["created_at"]),
    )


def person_of(row: sqlite3.Row) -> Person:
    """Return the person of one row of people."""
    notes = json.loads(row["metadata"])
    return Person(row["id"], row["name"], notes, row["samples"], row["created_at"], row["updated_at"])


def find_gallery(db: sqlite3.Connection, name: str) -> sqlite3.Row:
    """Return the row of a gallery. Raises `UnknownGallery`."""
    row: sqlite3.Row | None = db.execute(f"{GALLERIES} WHERE name = ?", (rules.sought_gallery(name),)).fetchone()
    if row is None:
        raise rules.unknown_gallery(name)
    return row


def find_person(db: sqlite3.Connection, gallery: sqlite3.Row, person_id: str) -> sqlite3.Row:
    """Return the row of a person. Raises `UnknownPerson`."""
    which = (gallery["key"], rules.sought_person(person_id))
    row: sqlite3.Row | None = db.execute("SELECT * FROM people WHERE gallery = ? AND id = ?", which).fetchone()
    if row is None:
        raise rules.unknown_person(person_id)
    return row


def raise_version(db: sqlite3.Connection, gallery: sqlite3.Row, person_id: str | None) -> int:
    """Raise the gallery's version by one, note whom it was for, forget what is too old; return the version."""
    version = int(gallery["version"]) + 1
    db.execute("UPDATE galleries SET version = ? WHERE key = ?", (version, gallery["key"]))
    if person_id is not None:
        db.execute("INSERT OR REPLACE INTO changes VALUES (?, ?, ?)", (gallery["key"], person_id, version))
    db.execute("DELETE FROM changes WHERE gallery = ? AND version <= ?", (gallery["key"], version - rules.RETENTION))
    return version


def recompute(db: sqlite3.Connection, gallery: sqlite3.Row, person: sqlite3.Row) -> int:
    """Bring a person's centroid and count in line with the samples; return the gallery's new version."""
    rows = db.execute("SELECT descriptor FROM samples WHERE person = ?", (person["key"],)).fetchall()
    centroid = vectors.centroid([vectors.from_bytes(row["descriptor"]) for row in rows])
    db.execute(
        "UPDATE people SET centroid = ?, samples = ?, updated_at = ? WHERE key = ?",
        (None if centroid is None else vectors.to_bytes(centroid), len(rows), rules.now(), person["key"]),
    )
    return raise_version(db, gallery, person["id"])
