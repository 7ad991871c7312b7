"""The base of the parts of `SqliteStore`."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

import sqlite3
from pathlib import Path

from facegroup.errors import StoreInvalid
from facegroup.store.audit import DONE, Event, Origin, Retention
from facegroup.store.base import StoreBase
from facegroup.store.damage import Damage
from facegroup.store.encryption import SecretKeys
from facegroup.store.sqlite import audit_log
from facegroup.store.sqlite.file import Connection, SqliteFile

ANY_VALUE = "SELECT 1 FROM samples UNION ALL SELECT 1 FROM cohort LIMIT 1"
"""Query that answers nothing where there is no value that is encrypted."""


class SqliteBase(StoreBase):
    """Class that holds what the parts of a store share.

    Args:
        path: the file; it and its folders are made where they are not there.
        timeout: seconds to wait for another process's write before `StoreUnavailable`.
        actor: who the audit log names for writes that do not say who makes them.
        keys: that encrypt the values. Without those that the file is encrypted with, every method raises `KeyMissing`.
        keep: how long its entries are kept.

    Raises:
        StoreInvalid: the path holds something else, or a gallery of a newer facegroup.
        StoreUnavailable: the file cannot be opened.
    """

    def __init__(
        self,
        path: str | Path,
        timeout: float = 10.0,
        actor: str = "library",
        keys: SecretKeys | None = None,
        keep: Retention | None = None,
    ) -> None:
        self._keys = keys or SecretKeys()
        self._file = SqliteFile(Path(path), timeout, admit=self._admit)
        self._origin = Origin(actor)
        self._keep = keep or Retention()
        self._damage = Damage()

    def close(self) -> None:
        self._file.close()

    def _admit(self, db: Connection, writes: bool) -> None:
        row = db.execute("SELECT words FROM encryption").fetchone()
        if row is None or not isinstance(words := row["words"], str):
            raise StoreInvalid("table encryption is damaged: facegroup did not write this")
        if writes and (noted := self._keys.noted(words)) != words:
            # Nothing plain is there yet, so nothing plain is taken from then on.
            words = noted if words or db.execute(ANY_VALUE).fetchone() else self._keys.own
            db.execute("UPDATE encryption SET words = ?", (words,))
        db.cipher = self._keys.cipher(words)

    def _note(
        self, db: sqlite3.Connection, gallery: str, event: Event, by: Origin | None = None, result: str = DONE
    ) -> None:
        """Append an entry to the audit log, in the transaction that is open."""
        audit_log.append(db, self._keep, gallery, event, by or self._origin, result)
