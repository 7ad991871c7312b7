"""The base of the parts of `SqliteStore`."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

from pathlib import Path

from facegroup.store.audit import Origin
from facegroup.store.base import StoreBase
from facegroup.store.damage import Damage
from facegroup.store.sqlite.file import SqliteFile


class SqliteBase(StoreBase):
    """Class that holds what the parts of a store share.

    Args:
        path: the file; it and its folders are made where they are not there.
        timeout: seconds to wait for another process's write before `StoreUnavailable`.
        actor: who the audit log names for writes that do not say who makes them.

    Raises:
        StoreInvalid: the path holds something else, or a gallery of a newer facegroup.
        StoreUnavailable: the file cannot be opened.
    """

    def __init__(self, path: str | Path, timeout: float = 10.0, actor: str = "library") -> None:
        self._file = SqliteFile(Path(path), timeout)
        self._origin = Origin(actor)
        self._damage = Damage()

    def close(self) -> None:
        self._file.close()
