"""The class centroids of a gallery in a SQLite file, as matching reads them."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

import sqlite3
from collections.abc import Iterator, Sequence

from facegroup.store import validation, vectors
from facegroup.store.contract import Centroids
from facegroup.store.encryption import Cipher
from facegroup.store.sqlite.base import SqliteBase
from facegroup.store.sqlite.rows import blob, find_gallery, gallery_of


class SqliteCentroids(SqliteBase):
    """The part of `SqliteStore` that keeps centroids; see `contract.Store` for what the methods do and raise."""

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
            cipher = db.cipher
        return self._usable(found, rows, cipher, whole=since is None)

    def centroid_pages(self, gallery: str) -> Iterator[Centroids]:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            query = (
                "SELECT id, name, centroid, expires_at, counter_rows FROM people"
                " WHERE gallery = ? AND centroid NOTNULL ORDER BY id"
            )
            rows = db.execute(query, (found["key"],))
            while page := rows.fetchmany(validation.PAGE):
                yield self._usable(found, page, db.cipher, whole=False)

    def _usable(self, found: sqlite3.Row, rows: Sequence[sqlite3.Row], cipher: Cipher, *, whole: bool) -> Centroids:
        """Return the centroids that can be used; note which of those that were read cannot."""
        kept = gallery_of(found)
        prefix = f"centroid in people of gallery {found['key']}, "
        bad: dict[str, str] = {}
        result = vectors.centroids(
            kept,
            [(row[0], row[1], None if row[2] is None else blob(row[2]), _time(row[3]), _rows(row[4])) for row in rows],
            lambda person_id, why: bad.update({prefix + person_id: why}),
            cipher,
        )
        looked = None if whole else {row[0] for row in rows}
        self._damage.settle(
            kept.name,
            kept.version,
            lambda key: key.startswith(prefix) and (looked is None or key.removeprefix(prefix) in looked),
            bad,
        )
        return result


def _rows(value: object) -> bytes | None:
    """Return kept counter-examples; what are none cannot be used."""
    return value if value is None or isinstance(value, bytes) else b"\0"


def _time(value: object) -> float | None:
    """Return a kept expiry; what is none is over, for nobody may be named for longer than was said."""
    if value is None:
        return None
    return float(value) if isinstance(value, int | float) else 0.0
