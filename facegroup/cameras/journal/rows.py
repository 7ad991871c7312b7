"""What a journal asks of a database: rows with a key and a score, in tables, changed many at once in one atomic step.

A table is a name; its rows are found by key, or by score in order. `facegroup.cameras.journal.sqlite_rows` and
`redis_rows` are such databases, and `facegroup.cameras.journal.row_journal` is the journal on top of either.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Put:
    """Write a row, new or over the one with this key."""

    table: str
    key: str
    score: float
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove a row; one that is not there is no error."""

    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Count:
    """Raise a number; the whole step is not done unless it was `known` before."""

    name: str
    known: int
    now: int


Step: TypeAlias = Put | Drop | Count

Edge: TypeAlias = tuple[float, str]
"""Score and key of a row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    key: str
    score: float
    value: bytes


class Rows(Protocol):
    """The database. Every method raises `StoreUnavailable` when it does not answer."""

    def apply(self, steps: Sequence[Step]) -> bool:
        """Do all of it, on disk, or nothing; False: a count was another."""

    def count(self, name: str) -> int:
        """Return a number, 0 at first."""

    def get(self, table: str, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows with these keys."""

    def page(
        self,
        table: str,
        low: float,
        high: float,
        limit: int,
        *,
        newest: bool = False,
        after: tuple[float, str] | None = None,
    ) -> list[Row]:
        """Return rows with low <= score <= high, by score and key, or the other way round.

        Args:
            table: its name.
            low: least score.
            high: greatest score.
            limit: most rows.
            newest: the greatest score first.
            after: score and key of the last row of the page before.
        """

    def size(self, table: str) -> int:
        """Return how many rows there are."""

    def making_room(self) -> AbstractContextManager[None]:
        """Let this thread erase on a full disk, with room that was kept for it."""

    def scrub(self) -> None:
        """Overwrite what was removed, where the database would keep it."""

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless it answers."""

    def close(self) -> None:
        """Let go of it."""
