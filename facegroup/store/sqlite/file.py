"""One SQLite file: its transactions and its schema, and errors of facegroup for those of sqlite3.

A session has a connection of its own, from a stack of idle ones: so a reader never waits for another thread's disk, and
no thread that ended leaves a connection behind. Writers of this process queue on a lock, those of other processes on
SQLite's (BEGIN IMMEDIATE, busy timeout). What a session commits is on disk when it ends (WAL, synchronous=FULL), and
what it erases is overwritten (secure_delete).
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegroup.errors import StoreFull, StoreInvalid, StoreUnavailable
from facegroup.store.encryption import Cipher, SecretKeys
from facegroup.store.sqlite.reserve import Reserve
from facegroup.store.sqlite.schema import SCHEMA, TABLES, upgrade

log = logging.getLogger(__name__)

APPLICATION = 0x66677270  # "fgrp", in the file's header: tells a gallery from another program's database

_SCRUB_MS = 1000
_SMALLEST = 512  # bytes of a SQLite file
_DAMAGED = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT})
_REFUSED = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH})
_FULL = frozenset(
    # A quota and a limit of a file's size are errors of a write for SQLite.
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE}
)
_WAITED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


@dataclass(frozen=True, slots=True)
class Layout:
    """Class of the layout of a file that holds something other than galleries.

    Attributes:
        what: the word for it.
        application: number in the file's header that tells it from other programs'.
        tables: statements that make them.
    """

    what: str
    application: int
    tables: tuple[str, ...]


class Connection(sqlite3.Connection):
    """Class of a connection to a file.

    Attributes:
        cipher: what reads and writes the values of the session, where the file's values are encrypted.
    """

    cipher: Cipher = SecretKeys().cipher("")


class SqliteFile:
    """Class of a database in one file. The file and its folders are created if missing, readable by their owner only.

    Args:
        path: the file.
        timeout: seconds to wait for another process's write.
        layout: of a file that holds something else; None uses that of galleries.
        admit: called at the beginning of each session, and told whether it writes; what it raises ends the session.

    Raises:
        StoreInvalid: the path cannot hold a file, or the file is not a gallery's, or a newer facegroup wrote it.
        StoreUnavailable: the file cannot be opened, or is locked for longer than `timeout`.
    """

    def __init__(
        self,
        path: Path,
        timeout: float,
        layout: Layout | None = None,
        admit: Callable[[Connection, bool], None] = lambda *_: None,
    ) -> None:
        self._known = 1 if layout else SCHEMA
        self._layout = layout or Layout("gallery", APPLICATION, TABLES)
        self.path = path.absolute()
        self._timeout = timeout
        self._idle: list[Connection] | None = []
        self._admit: Callable[[Connection, bool], None] = lambda *_: None  # until the tables are there
        self._pool = threading.Lock()
        self._writer = threading.Lock()
        self._reserve = Reserve(self.path)
        self._full = False  # a write failed since, and none of its size was tried again
        self._erasing = threading.Lock()
        self._eraser: int | None = None  # the thread for which room was made
        self._told = str(self.path)  # in messages: once it is open they go to callers, whom the path does not concern
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                self.path.touch(mode=0o600)
        except OSError as error:
            raise StoreInvalid(f"{self.path} can't be created: {error.strerror}") from error
        if not self.path.is_file():
            raise StoreInvalid(f"{self.path} is not a file")
        if 0 < self.path.stat().st_size < _SMALLEST:  # which SQLite would take for empty, and write over
            raise StoreInvalid(f"{self.path} is not a {self._layout.what}")
        if not os.access(self.path, os.W_OK) or not os.access(self.path.parent, os.W_OK):
            raise StoreInvalid(f"{self.path} or its folder cannot be written by this user")
        try:
            try:
                self._prepare()
            except StoreFull:  # opening takes some room, too
                self._reserve.release()
                self._prepare()
                self._reserve.keep()
        except BaseException:
            self.close()
            raise
        self._told = f"the {self._layout.what}'s file"
        self._admit = admit

    def close(self) -> None:
        """Close the idle connections; those in use close when their session ends."""
        with self._pool:
            idle, self._idle = self._idle or [], None
        for connection in idle:
            connection.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database throughout."""
        with self._transaction("BEGIN") as connection:
            self._admit(connection, False)
            yield connection

    @contextmanager
    def read_whole(self) -> Iterator[Connection]:
        """Give a connection as `read` does, to one who copies the file and looks at no value."""
        with self._transaction("BEGIN") as connection:
            yield connection

    def glance(self, question: str, *given: object) -> Any:
        """Return the first row of the answer to one question, or None: a fifth of the time of a transaction around it."""
        with self._translated():
            connection = self._take()
            try:
                found = connection.execute(question, given).fetchone()
            except BaseException:
                connection.close()
                raise
            self._give(connection)
        return found

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection that is the only one to write; commit at the end, or roll back where an error left it."""
        with self._writer:
            if self._eraser not in (None, threading.get_ident()):
                raise self._fullness()  # the room was made for who erases
            try:
                with self._transaction("BEGIN IMMEDIATE") as connection:
                    self._admit(connection, True)
                    yield connection
            except StoreFull:
                self._full = True
                raise
            if self._eraser is None:
                self._full = False
                self._reserve.keep()

    def check_writes(self) -> None:
        """Raise `StoreFull` if what a photo takes cannot be written now."""
        if self._full and self._reserve.try_out() and not self._checkpoint():
            self._full = False
        if self._full or self._reserve.is_full():
            raise self._fullness()

    @contextmanager
    def making_room(self) -> Iterator[None]:
        """Give this thread the room that is kept for erasing. No other thread writes meanwhile."""
        if self._eraser == threading.get_ident():
            yield
            return
        with self._erasing:
            with self._writer:
                self._eraser = threading.get_ident()
            self._reserve.release()
            self._checkpoint()
            try:
                yield
            finally:
                self._checkpoint()
                self._reserve.keep()
                self._eraser = None

    def scrub(self) -> None:
        """Overwrite what was erased: bring the log into the file and empty it, for it still holds the pages of before.

        A reader in the middle of something is waited for, a second at most; then what is left goes with a later scrub, the
        sweep's at the latest, or when the last process closes the file.
        """
        if busy := self._checkpoint():
            log.warning("%s-wal still holds what was erased, until nobody reads in it (%s)", self.path, busy)

    def vacuum(self) -> None:
        """Write the file anew, without room in it, and empty the log. Writers wait meanwhile, up to their timeout.

        Raises:
            StoreUnavailable: another process writes for too long, or reads all the time, so that the log cannot be emptied.
        """
        with self._translated(), closing(self._connect()) as connection:
            connection.execute("VACUUM")
        if busy := self._checkpoint():
            log.warning("%s-wal cannot be emptied (%s)", self.path, busy)
            raise StoreUnavailable(
                f"The log of {self._told} cannot be emptied: somebody reads in it, or the disk is full."
            )

    def _checkpoint(self) -> object:
        """Bring the log into the file and empty it; return what was in the way, if anything was."""
        try:
            with closing(self._connect()) as connection:
                connection.execute(f"PRAGMA busy_timeout = {_SCRUB_MS}")
                return connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error as error:  # a full disk: what was erased is erased all the same, and will be overwritten
            return error

    def _fullness(self) -> StoreFull:
        said = "The store's disk is full, so nothing can be added or changed. Free some space or delete people."
        return StoreFull(said, 30)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with self._translated():
            connection = self._take()
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # Closing rolls back, and whatever state an error or an interrupt left goes with it.
                connection.close()
                raise
            self._give(connection)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            primary = code & 0xFF  # of an extended code
            if primary in _DAMAGED:
                raise StoreInvalid(f"{self._told} is damaged, or is not a {self._layout.what}: {error}") from error
            if isinstance(error, sqlite3.OperationalError) and (
                code in _FULL or (primary not in _WAITED and self._reserve.is_full())
            ):
                raise self._fullness() from error
            if primary in _REFUSED and self._told == str(self.path):
                raise StoreInvalid(f"{self.path} cannot be used: {error}") from error
            log.warning("%s cannot be used now: %s", self.path, error)
            raise StoreUnavailable(f"{self._told} cannot be used now: {error}") from error

    def _take(self) -> Connection:
        with self._pool:
            if self._idle is None:
                raise StoreUnavailable(f"{self._told} was closed")
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give(self, connection: Connection) -> None:
        with self._pool:
            if self._idle is not None:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> Connection:
        connection = sqlite3.connect(
            *(self.path, self._timeout),
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
            factory=Connection,
        )
        connection.row_factory = sqlite3.Row
        try:
            # In memory where the disk is full: what a statement may have to undo.
            spill = () if self._eraser is None else ("temp_store = MEMORY",)
            # The log stays smaller than the room that is kept to bring it into the file.
            small = ("wal_autocheckpoint = 256",)
            for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON", *small, *spill):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self) -> None:
        with self.read() as connection:
            found = self._schema(connection)
        if found < self._known:
            with self.write() as connection:
                found = self._schema(connection)  # another process may have been faster
                if found == 0:
                    for statement in self._layout.tables:
                        connection.execute(statement)
                    connection.execute(f"PRAGMA application_id = {self._layout.application}")
                upgrade(connection, max(found, 1), self._known)
        self._log_ahead()

    def _schema(self, connection: sqlite3.Connection) -> int:
        version, application, tables = (
            int(connection.execute(question).fetchone()[0])
            for question in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
        )
        if (version or tables) and application != self._layout.application:
            raise StoreInvalid(f"{self.path} is a database of another program; name another file in FACEGROUP_STORE")
        if version > self._known:
            raise StoreInvalid(
                f"{self.path} was written by a newer facegroup (schema {version}, this one knows {self._known})"
            )
        return version

    def _log_ahead(self) -> None:
        """Switch to WAL, once for all. SQLite does not wait for others here, so the waiting is done by hand."""
        deadline = time.monotonic() + self._timeout
        with self._translated():
            connection = self._connect()
            try:
                while True:
                    try:
                        connection.execute("PRAGMA journal_mode = WAL")
                        break
                    except sqlite3.OperationalError as error:
                        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                            raise
                        time.sleep(0.01)
            finally:
                connection.close()
