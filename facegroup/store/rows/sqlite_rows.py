"""Rows in an SQLite file beside the gallery's. Each change is a transaction on disk."""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from facegroup.store.rows.rows import Count, Drop, Put, Row, Span, Step
from facegroup.store.sqlite.file import Layout, SqliteFile

_TABLES = (
    """CREATE TABLE rows (
        place TEXT NOT NULL, key TEXT NOT NULL, score REAL NOT NULL, value BLOB NOT NULL, PRIMARY KEY (place, key))
        WITHOUT ROWID""",
    "CREATE INDEX rows_by_score ON rows (place, score, key)",
    "CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
)
_COUNT = "SELECT value FROM counts WHERE name = ?"
_PUT = """INSERT INTO rows VALUES (?, ?, ?, ?)
    ON CONFLICT (place, key) DO UPDATE SET score = excluded.score, value = excluded.value"""


class SqliteRows:
    """Class that implements `facegroup.store.rows.rows.Rows` in a file.

    Args:
        path: the file, which is made if it is missing.
        what: the word for what the file holds, for messages.
        application: number in the file's header that tells it from other programs' files.
        timeout: seconds to wait for another process's write.

    Raises:
        StoreInvalid: the file holds something else.
        StoreUnavailable: it cannot be opened.
    """

    def __init__(self, path: str | Path, what: str, application: int, timeout: float = 10) -> None:
        self._file = SqliteFile(Path(path), timeout, Layout(what, application, _TABLES))

    def apply(self, steps: Sequence[Step]) -> bool:
        """See `Rows`."""
        with self._file.write() as db:
            if any(isinstance(step, Count) and _count(db, step.name) != step.known for step in steps):
                return False
            for step in steps:
                match step:
                    case Put(table, key, score, value):
                        db.execute(_PUT, (table, key, score, value))
                    case Drop(table, key):
                        db.execute("DELETE FROM rows WHERE place = ? AND key = ?", (table, key))
                    case Count(name, _, now):
                        db.execute("INSERT OR REPLACE INTO counts VALUES (?, ?)", (name, now))
        return True

    def count(self, name: str) -> int:
        """See `Rows`."""
        with self._file.read() as db:
            return _count(db, name)

    def glance(self, name: str) -> int:
        """See `Rows`."""
        found = self._file.glance(_COUNT, name)
        return int(found[0]) if found else 0

    def get(self, table: str, keys: Sequence[str]) -> list[Row | None]:
        """See `Rows`."""
        question = "SELECT key, score, value FROM rows WHERE place = ? AND key = ?"
        with self._file.read() as db:
            found = [db.execute(question, (table, key)).fetchone() for key in keys]
        return [None if each is None else Row(*each) for each in found]

    def page(self, table: str, span: Span) -> list[Row]:
        """See `Rows`."""
        order, sign = ("DESC", "<") if span.newest else ("ASC", ">")
        beyond = f" AND (score, key) {sign} (?, ?)" if span.after else ""
        question = f"""SELECT key, score, value FROM rows WHERE place = ? AND score >= ? AND score <= ?{beyond}
            ORDER BY score {order}, key {order} LIMIT ?"""
        with self._file.read() as db:
            return [Row(*each) for each in db.execute(question, (table, *span.bounds, *(span.after or ()), span.limit))]

    def size(self, table: str) -> int:
        """See `Rows`."""
        with self._file.read() as db:
            return int(db.execute("SELECT count(*) FROM rows WHERE place = ?", (table,)).fetchone()[0])

    def making_room(self) -> AbstractContextManager[None]:
        """See `Rows`."""
        return self._file.making_room()

    def scrub(self) -> None:
        """See `Rows`."""
        self._file.scrub()

    def clean(self) -> None:
        """See `Rows`."""
        self._file.vacuum()

    def ping(self) -> None:
        """See `Rows`."""
        self.count("seq")

    def close(self) -> None:
        """See `Rows`."""
        self._file.close()


def _count(db: sqlite3.Connection, name: str) -> int:
    found = db.execute(_COUNT, (name,)).fetchone()
    return int(found[0]) if found else 0
