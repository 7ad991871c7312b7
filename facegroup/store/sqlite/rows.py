"""Rows of a gallery in SQLite: found by name, read into structs, and raised by one version."""

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facegroup.errors import FacegroupError, StoreInvalid
from facegroup.store import idempotency, validation, vectors
from facegroup.store.damage import Damage, crop_key
from facegroup.store.encryption import UNREADABLE, place
from facegroup.store.gallery_settings import read_calibration
from facegroup.store.idempotency import IdempotencyKey, RecordedResult
from facegroup.store.sqlite.file import Connection
from facegroup.store.staging import StagingName, is_staging
from facegroup.types import Gallery, Person, Sample

SAMPLES = "SELECT key, id, created_at, descriptor, counter, detector FROM samples"
GALLERIES = (
    "SELECT *, (SELECT count(*) FROM people WHERE gallery = galleries.key) AS people,"
    " (SELECT count(*) FROM cohort WHERE gallery = galleries.key) AS cohort_size FROM galleries"
)


def gallery_of(row: sqlite3.Row, damaged: int = 0) -> Gallery:
    """Return the gallery of one row of `GALLERIES`. Raises `StoreInvalid` if another program wrote into it."""
    name = row["name"]
    try:
        found = Gallery(
            *(StagingName(name) if is_staging(name) else name, row["network"], row["dimension"], row["threshold"]),
            *(bool(row["keep_crops"]), row["version"], row["people"], row["created_at"]),
            damaged=damaged,
            quality=row["quality"],
            probe_quality=row["probe_quality"],
            calibration=read_calibration(row["calibration"]),
            unique=bool(row["unique"]),
            decision=row["decision"],
            liveness=row["liveness"],
            detector=row["detector"],
            fingerprint=row["fingerprint"],
            cohort_size=row["cohort_size"],
            cohort_version=int(row["cohort_version"]),
        )
        whole = validation.check_gallery(found).name == found.name and isinstance(found.network, str)
    except (TypeError, ValueError, AttributeError, FacegroupError):
        whole = False
    if not whole:
        raise StoreInvalid(f"row {row['key']} of galleries is damaged: facegroup did not write this gallery")
    return found


def person_of(row: sqlite3.Row) -> Person:
    """Return the person of one row of people. Raises `StoreInvalid` if another program wrote into it."""
    try:
        notes = json.loads(row["metadata"])
        expiry = row["expires_at"]
        whole = isinstance(notes, dict) and isinstance(row["name"], str) and bool(row["name"])
        whole &= all(math.isfinite(each) for each in (row["created_at"], row["updated_at"], expiry or 0.0))
    except (ValueError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise StoreInvalid(f"{person_key(row)} is damaged. Delete the person and enrol them again.")
    dates = (row["created_at"], row["updated_at"], expiry)
    return Person(row["id"], row["name"], notes, row["samples"], *dates, row["counters"])


def insert_samples(db: Connection, gallery: str, person_id: str, person: int, samples: Sequence[Sample]) -> None:
    """Write new samples of the person of this id and key."""
    rows = []
    for each in samples:
        descriptor, crop = places(gallery, person_id, each.id)
        data = db.cipher.encrypt(vectors.to_bytes(each.descriptor), descriptor)
        image = None if each.crop is None else db.cipher.encrypt(each.crop, crop)
        rows.append((person, each.id, each.created_at, data, image, each.counter, each.detector))
    columns = "person, id, created_at, descriptor, crop, counter, detector"
    db.executemany(f"INSERT INTO samples ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def rebind_samples(db: Connection, gallery: str, person: sqlite3.Row, becomes: str) -> None:
    """Encrypt the samples of a person for another one, who is to have them. What cannot be decrypted stays as it is."""
    if not db.cipher.encrypts:
        return
    for row in db.execute(
        "SELECT key, id, descriptor, crop FROM samples WHERE person = ?", (person["key"],)
    ).fetchall():
        kept = [
            db.cipher.rebound(row[column], *spots)
            for column, *spots in zip(
                ("descriptor", "crop"),
                places(gallery, person["id"], row["id"]),
                places(gallery, becomes, row["id"]),
                strict=True,
            )
        ]
        db.execute("UPDATE samples SET descriptor = ?, crop = ? WHERE key = ?", (*kept, row["key"]))


def places(gallery: str, person_id: str, sample_id: str) -> tuple[bytes, bytes]:
    """Return the places of a sample's descriptor and crop, as they are encrypted."""
    return place("descriptor", gallery, person_id, sample_id), place("crop", gallery, person_id, sample_id)


def person_key(row: sqlite3.Row) -> str:
    """Return how a row of people is called in logs and errors; it ends with the person's id."""
    return f"row {row['key']} of people, {row['id']}"


def sound(
    db: Connection, damage: Damage, gallery: Gallery, person_id: str, rows: Sequence[sqlite3.Row]
) -> list[Sample]:
    """Return the samples of one person's rows of `SAMPLES` whose descriptor can be used, with crops if the rows have them.

    A crop that cannot be decrypted is damaged, and its sample comes without it.
    """
    data: dict[str, bytes] = {}
    read: set[str] = set()
    bad: dict[str, str] = {}
    samples: dict[str, Sample] = {}
    for row in rows:
        name = f"row {row['key']} of samples, {person_id}:{row['id']}"
        descriptor, crop = places(gallery.name, person_id, row["id"])
        read |= {name}
        image = None
        if "crop" in row.keys():  # noqa: SIM118 (a row is no mapping)
            read |= {crop_key(name)}
            if row["crop"] is not None and (image := db.cipher.decrypt(blob(row["crop"]), crop)) is None:
                bad[crop_key(name)] = UNREADABLE
        if (found := db.cipher.decrypt(blob(row["descriptor"]), descriptor)) is None:
            bad[name] = UNREADABLE
            continue
        data[name] = found
        empty = np.empty(0, np.float32)
        samples[name] = Sample(row["id"], empty, image, row["created_at"], bool(row["counter"]), str(row["detector"]))
    bad |= vectors.faults(gallery.dimension, data)
    damage.settle(gallery.name, gallery.version, read.__contains__, bad)
    return [
        replace(sample, descriptor=vectors.from_bytes(data[name]))
        for name, sample in samples.items()
        if name not in bad
    ]


def blob(value: object) -> bytes:
    """Return a kept value if it is bytes; SQLite's columns hold anything, and nothing of anything else is a vector."""
    return value if isinstance(value, bytes) else b""


def done(db: sqlite3.Connection, gallery: sqlite3.Row, key: IdempotencyKey | None) -> RecordedResult | None:
    """Return what was done under a key before. Raises `IdempotencyConflict`."""
    if key is None:
        return None
    which = (gallery["key"], key.key)
    row = db.execute("SELECT version, answer FROM requests WHERE gallery = ? AND key = ?", which).fetchone()
    return None if row is None else idempotency.read(row["answer"], row["version"], key, validation.now())


def remember(
    db: sqlite3.Connection,
    gallery: sqlite3.Row,
    key: IdempotencyKey | None,
    person_id: str,
    version: int,
    added: Sequence[int] = (),
) -> None:
    """Keep what was done under a key, and let old keys go."""
    if key is not None:
        now = validation.now()
        db.execute("DELETE FROM requests WHERE at < ?", (now - idempotency.SECONDS,))
        answer = idempotency.write(key, now, person_id, added)
        row = (gallery["key"], key.key, now, version, answer)
        db.execute("INSERT OR REPLACE INTO requests (gallery, key, at, version, answer) VALUES (?, ?, ?, ?, ?)", row)


def find_gallery(db: sqlite3.Connection, name: str) -> sqlite3.Row:
    """Return the row of a gallery. Raises `UnknownGallery`."""
    row: sqlite3.Row | None = db.execute(
        f"{GALLERIES} WHERE name = ?", (validation.normalise_gallery(name),)
    ).fetchone()
    if row is None:
        raise validation.unknown_gallery(name)
    return row


def find_person(db: sqlite3.Connection, gallery: sqlite3.Row, person_id: str) -> sqlite3.Row:
    """Return the row of a person. Raises `UnknownPerson`."""
    which = (gallery["key"], validation.normalise_person(person_id))
    row: sqlite3.Row | None = db.execute("SELECT * FROM people WHERE gallery = ? AND id = ?", which).fetchone()
    if row is None:
        raise validation.unknown_person(person_id)
    return row


def raise_version(db: sqlite3.Connection, gallery: sqlite3.Row, person_id: str | None) -> int:
    """Raise the gallery's version by one, note whom it was for, forget what is too old; return the version."""
    version = int(gallery["version"]) + 1
    db.execute("UPDATE galleries SET version = ? WHERE key = ?", (version, gallery["key"]))
    if person_id is not None:
        db.execute("INSERT OR REPLACE INTO changes VALUES (?, ?, ?)", (gallery["key"], person_id, version))
    db.execute(
        "DELETE FROM changes WHERE gallery = ? AND version <= ?", (gallery["key"], version - validation.RETENTION)
    )
    return version


def recompute(db: Connection, gallery: sqlite3.Row, person: sqlite3.Row, damage: Damage) -> int:
    """Bring a person's centroid, counter-examples and counts in line with the samples; return the gallery's new version."""
    rows = db.execute(f"{SAMPLES} WHERE person = ?", (person["key"],)).fetchall()
    usable = sound(db, damage, gallery_of(gallery), person["id"], rows)
    counters = sum(bool(row["counter"]) for row in rows)
    centroid, counter_rows = vectors.derived(usable, db.cipher.keys, gallery["name"], person["id"])
    db.execute(
        "UPDATE people SET centroid = ?, samples = ?, counters = ?, counter_rows = ?, updated_at = ? WHERE key = ?",
        (centroid, len(rows) - counters, counters, counter_rows, validation.now(), person["key"]),
    )
    return raise_version(db, gallery, person["id"])
