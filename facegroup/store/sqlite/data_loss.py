"""Data loss in a SQLite file that was restored from an older copy: a gallery's position, and the note of a loss.

The note has a table of its own, made when there is first something to note.
"""

import sqlite3

from facegroup.store import validation
from facegroup.store.contract import Standing

_TABLE = "CREATE TABLE IF NOT EXISTS lost (gallery TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"
_NOTED = "SELECT count(*) FROM sqlite_master WHERE name = 'lost'"


def standing(db: sqlite3.Connection, gallery: str) -> Standing:
    """Return where a gallery stands; see `Store.standing`."""
    name = validation.normalise_gallery(gallery)
    row = db.execute("SELECT version, born, created_at FROM galleries WHERE name = ?", (name,)).fetchone()
    erased, noted = db.execute(f"SELECT version, ({_NOTED}) FROM erased").fetchone()
    lost = db.execute("SELECT version FROM lost WHERE gallery = ?", (name,)).fetchone() if noted else None
    version, born, created_at = row or (None, 0, 0.0)
    return Standing(version, born, created_at, erased, lost[0] if lost else None)


def lose(db: sqlite3.Connection, gallery: str, version: int) -> None:
    """Note that a gallery which was at `version` is no longer all there."""
    db.execute(_TABLE)
    later = "ON CONFLICT (gallery) DO UPDATE SET version = max(version, excluded.version)"
    db.execute(f"INSERT INTO lost VALUES (?, ?) {later}", (validation.normalise_gallery(gallery), version))


def accept(db: sqlite3.Connection, gallery: str, version: int) -> Standing:
    """Take a gallery as it is; see `Store.accept`."""
    name, found = validation.normalise_gallery(gallery), standing(db, gallery)
    above = max(version, found.floor, found.erased, found.lost or 0) + 1
    if found.version is None:
        db.execute("UPDATE erased SET version = ?", (above,))
    else:
        versions = "version = ?1, born = ?1, cohort_version = ?1"
        db.execute(f"UPDATE galleries SET {versions} WHERE name = ?2", (above, name))
    if found.lost is not None:
        db.execute("DELETE FROM lost WHERE gallery = ?", (name,))
    return standing(db, gallery)
