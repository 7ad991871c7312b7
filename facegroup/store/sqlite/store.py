"""Galleries in one SQLite file, for one machine: any number of its threads and processes may read and write.

Every method but those of `SqliteConversion` is one transaction of a `SqliteFile`. Descriptors and centroids are BLOBs of
little-endian float32, encrypted where there is a key (`facegroup.store.encryption`).
"""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from facegroup.errors import MalformedRequest
from facegroup.store import validation
from facegroup.store.audit import DONE, SERVER, Entry, Event, Origin
from facegroup.store.audit_chain import Chain
from facegroup.store.sqlite import audit_log
from facegroup.store.sqlite.centroids import SqliteCentroids
from facegroup.store.sqlite.cohort import SqliteCohort
from facegroup.store.sqlite.conversion import SqliteConversion
from facegroup.store.sqlite.galleries import SqliteGalleries
from facegroup.store.sqlite.people import SqlitePeople
from facegroup.store.sqlite.rows import find_gallery
from facegroup.store.sqlite.samples import SqliteSamples
from facegroup.store.sqlite.staging import SqliteStaging


class SqliteStore(
    SqliteGalleries, SqlitePeople, SqliteSamples, SqliteCohort, SqliteCentroids, SqliteStaging, SqliteConversion
):
    """Class of a `Store` in a SQLite file; see `SqliteBase` for what it takes."""

    def check_writes(self) -> None:
        self._file.check_writes()

    def ping(self) -> None:
        with self._file.read() as db:
            db.execute("SELECT version FROM erased").fetchone()

    def note(self, gallery: str, event: Event, by: Origin | None = None, result: str = DONE) -> None:
        with self._file.write() as db:
            self._note(db, find_gallery(db, gallery)["name"] if gallery else SERVER, event, by, result)

    def audit(self, gallery: str, after: str = "", limit: int = 100) -> list[Entry]:
        if after and not re.fullmatch(r"\d{1,18}", after):
            raise MalformedRequest("`after` must be the id of an audit entry.")
        name = validation.log_name(gallery)
        if name is None:
            return []
        with self._file.read() as db:
            return audit_log.page(db, name, int(after or 0), validation.page(limit))

    def audit_chain(self, gallery: str) -> Chain:
        name = validation.log_name(gallery)
        if name is None:
            return Chain()
        with self._file.read() as db:
            return audit_log.chain(db, name)

    def audits(self, after: str = "", limit: int = 100) -> list[str]:
        with self._file.read() as db:
            return audit_log.names(db, validation.sortable(after), validation.page(limit))

    def trim_audit(self, gallery: str) -> int:
        name = validation.log_name(gallery)
        if name is None:
            return 0
        count = 0
        while True:
            with self._file.write() as db:
                gone = audit_log.trim(db, self._keep, name, validation.PAGE)
            count += gone
            if not gone:
                return count

    def copy_to(self, path: Path) -> None:
        """Copy the whole file, as it is at one moment, without holding up who writes. Raises `MalformedRequest`."""
        part = path.with_name(path.name + ".part")
        try:
            if path.exists():
                raise FileExistsError(17, "it is there already", str(path))
            part.unlink(missing_ok=True)
            part.touch(mode=0o600)
            with self._file.read_whole() as db, closing(sqlite3.connect(part)) as whole:
                db.backup(whole)
            part.replace(path)
        except (OSError, sqlite3.Error) as error:
            raise MalformedRequest(f"{path} cannot be written: {error}") from error
        finally:
            part.unlink(missing_ok=True)
