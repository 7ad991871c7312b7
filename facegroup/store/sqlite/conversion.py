"""Encrypts what a SQLite file holds: some rows at a time, so that others can write in between."""

import sqlite3
import time
from collections.abc import Callable, Iterator

from facegroup.store import vectors
from facegroup.store.conversion import Converted, turn, until_complete
from facegroup.store.encryption import PLAIN, Cipher, SecretKeys, head_of, held_by, place
from facegroup.store.sqlite.base import ANY_VALUE, SqliteBase
from facegroup.store.sqlite.file import Connection
from facegroup.store.sqlite.rows import places

_ROWS = 100  # of a transaction

_SAMPLE_ROWS = (
    "SELECT samples.key, descriptor, crop, galleries.name, people.id, samples.id AS sample FROM samples"
    " JOIN people ON people.key = samples.person JOIN galleries ON galleries.key = people.gallery"
)
_PEOPLE_ROWS = (
    "SELECT people.key, centroid, counter_rows, galleries.name, people.id FROM people"
    " JOIN galleries ON galleries.key = people.gallery"
)
_COHORT_ROWS = (
    "SELECT cohort.key, descriptor, galleries.name, cohort.id FROM cohort"
    " JOIN galleries ON galleries.key = cohort.gallery"
)
_TABLES: tuple[tuple[str, tuple[str, ...], str, Callable[[sqlite3.Row], tuple[bytes, ...]]], ...] = (
    ("samples", ("descriptor", "crop"), _SAMPLE_ROWS, lambda row: places(row["name"], row["id"], row["sample"])),
    ("people", ("centroid", "counter_rows"), _PEOPLE_ROWS, lambda row: vectors.places(row["name"], row["id"])),
    ("cohort", ("descriptor",), _COHORT_ROWS, lambda row: (place("cohort", row["name"], row["id"]),)),
)
"""Of each table: its columns that are encrypted, the query of its rows, and the places of the columns of one."""


class SqliteConversion(SqliteBase):
    """The part of `SqliteStore` that encrypts what is there."""

    def rows(self) -> int:
        """Return how many rows there are to look at. Raises `KeyMissing`."""
        with self._file.read() as db:
            return sum(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table, *_ in _TABLES)

    def convert(self, tell: Callable[[int], None] = lambda _: None) -> Converted:
        """Encrypt all values with the first key, beside others who read and write.

        Args:
            tell: called with how many rows were looked at.

        Raises:
            KeyMissing: a value may be under a key that is not there.
            StoreUnavailable: the file is locked. What was done stays done.
        """
        return until_complete(lambda: self._turn(tell))

    def clean(self) -> None:
        """Remove what the file and its log still hold of values that were replaced. Others wait meanwhile."""
        self._file.vacuum()

    def holds_plain(self) -> bool:
        """Whether a value may be plain."""
        with self._file.read() as db:
            return PLAIN in held_by(_words(db)) and db.execute(ANY_VALUE).fetchone() is not None

    def _turn(self, tell: Callable[[int], None]) -> Converted:
        done = turn(self._keys, self._set_words, lambda: self._look(tell))
        self._file.scrub()  # the log has the pages of before
        return done

    def _look(self, tell: Callable[[int], None]) -> Converted:
        done = Converted()
        for table, columns, query, places_of in _TABLES:
            for keys in self._stale(table, columns, tell):
                start = time.monotonic()
                with self._file.write() as db:
                    done += _replace(db, table, columns, query, places_of, keys)
                time.sleep(time.monotonic() - start)  # SQLite has no queue: others get in only while nobody is
        return done

    def _set_words(self, change: Callable[[str], str]) -> str:
        with self._file.write() as db:
            words = change(_words(db))
            db.execute("UPDATE encryption SET words = ?", (words,))
        return words

    def _stale(self, table: str, columns: tuple[str, ...], tell: Callable[[int], None]) -> Iterator[list[int]]:
        """Return the keys of rows that have a value under another key, some at a time."""
        after = 0
        while True:
            with self._file.read() as db:
                heads = _other_heads(self._keys, db.cipher)
                stale = " OR ".join(f"(typeof({each}) = 'blob' AND substr({each}, 1, 5) {heads})" for each in columns)
                rows = db.execute(
                    f"SELECT key, {stale} AS stale FROM {table} WHERE key > ? ORDER BY key LIMIT ?", (after, _ROWS)
                ).fetchall()
            if not rows:
                return
            after = rows[-1]["key"]
            if keys := [row["key"] for row in rows if row["stale"]]:
                yield keys
            tell(len(rows))


def _words(db: Connection) -> str:
    return str(db.execute("SELECT words FROM encryption").fetchone()["words"])


def _other_heads(keys: SecretKeys, cipher: Cipher) -> str:
    """Return the condition, for SQL, on the first bytes of a value that is not as `keys` write it."""
    if keys.own == PLAIN:
        return f"IN ({', '.join(f'x{head.hex()!r}' for head in sorted(cipher.heads))})"
    return f"IS NOT x{head_of(keys.own).hex()!r}"


def _replace(
    db: Connection,
    table: str,
    columns: tuple[str, ...],
    query: str,
    places_of: Callable[[sqlite3.Row], tuple[bytes, ...]],
    keys: list[int],
) -> Converted:
    """Encrypt the values of some rows that are still there."""
    count = unreadable = 0
    for row in db.execute(f"{query} WHERE {table}.key IN ({', '.join(map(str, keys))})").fetchall():
        for column, where in zip(columns, places_of(row), strict=True):
            kept = row[column]
            if not isinstance(kept, bytes) or db.cipher.keys.is_own(kept, db.cipher):
                continue
            if (value := db.cipher.decrypt(kept, where)) is None:
                unreadable += 1
                continue
            db.execute(f"UPDATE {table} SET {column} = ? WHERE key = ?", (db.cipher.encrypt(value, where), row["key"]))
            count += 1
    return Converted(count, unreadable)
