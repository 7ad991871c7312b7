"""Reads and writes the records of a journal: JSON documents in the rows of a database.

A record that cannot be read is skipped, and logged by its key.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from facegroup.cameras.journal import documents
from facegroup.cameras.journal.encryption import Encryption
from facegroup.errors import FacegroupError, StoreInvalid
from facegroup.store.rows.rows import Drop, Put, Row, Rows, Span, Step

log = logging.getLogger(__name__)

Read = TypeVar("Read")

PAGE = 500
ALL = 1_000_000
HIGHEST = 1 << 53
"""Greatest number that a score can tell from the next."""
TRIES = 20
"""How often a step is tried whose count another process raised."""


class Records:
    """Class that holds what the records of all kinds share. Its subclasses implement `Journal`, each for one kind.

    Args:
        rows: the database.
        encryption: of passwords.
    """

    def __init__(self, rows: Rows, encryption: Encryption) -> None:
        self._rows = rows
        self._encryption = encryption
        self._writing = threading.Lock()
        self._reached: dict[str, int] = {}  # counts: a database that lost data goes on from here

    def _apply(self, steps: Sequence[Step]) -> None:
        self._rows.apply(steps)  # without a count it is always done

    def _create(
        self,
        table: str,
        key: str,
        score: float,
        document: dict[str, Any],
        limit: int,
        full: FacegroupError,
        exists: FacegroupError,
        *more: Step,
    ) -> None:
        with self._writing:
            (found,) = self._rows.get(table, [key])
            if found is not None:
                raise exists
            if self._rows.size(table) >= limit:
                raise full
            self._apply([Put(table, key, score, documents.encode(document)), *more])

    def _delete(self, table: str, key: str, missing: FacegroupError, *more: Step) -> None:
        with self._writing:
            (found,) = self._rows.get(table, [key])
            if found is None:
                raise missing
            self._apply([Drop(table, key), *more])

    def _counted(self, name: str) -> tuple[int, int]:
        """Return a stored count, and the number to go on from: the greatest that was reached, even if it was lost."""
        known = self._rows.count(name)
        last = max(known, self._reached.get(name, 0))
        if last > known:
            log.warning("The journal lost data: %s was %d and is %d. It goes on at %d.", name, last, known, last + 1)
        return known, last

    def _all(self, table: str, decoder: Callable[[Any], Read]) -> list[Read]:
        return list(self._read(table, self._pages(table), decoder))

    def _pages(self, table: str) -> Iterator[Row]:
        edge: tuple[float, str] | None = None
        while rows := self._rows.page(table, Span(PAGE, after=edge)):
            yield from rows
            edge = (rows[-1].score, rows[-1].key)

    def _one(self, table: str, key: str, decoder: Callable[[Any], Read], missing: FacegroupError) -> Read:
        (row,) = self._rows.get(table, [key])
        if row is None:
            raise missing
        try:
            return documents.decode(decoder, row.value)
        except documents.Damaged as error:
            raise StoreInvalid(f"Record {key} of {table} in the journal is damaged ({error}).") from None

    @staticmethod
    def _read(table: str, rows: Sequence[Row] | Iterator[Row], decoder: Callable[[Any], Read]) -> Iterator[Read]:
        for row in rows:
            try:
                yield documents.decode(decoder, row.value)
            except documents.Damaged as error:
                log.error("Skipped a damaged record: %s %s: %s", table, row.key, error)


def number_key(seq: int) -> str:
    """Return the key of the row of an event's number."""
    return f"{seq:016d}"
