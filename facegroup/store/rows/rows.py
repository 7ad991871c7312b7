"""The protocol of a small database: tables of rows with a key and a score, changed in atomic steps.

Rows are found by key, or in order of their scores. `sqlite_rows` and `redis_rows` are such databases. The journal of
cameras and the registry of keys are stored in them.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Put:
    """Write a row, new or in place of the one with this key."""

    table: str
    key: str
    score: float
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove a row. A missing one is no error."""

    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Count:
    """Raise a count. If it is not `known` before, nothing is done at all."""

    name: str
    known: int
    now: int


Step: TypeAlias = Put | Drop | Count

Edge: TypeAlias = tuple[float, str]
"""Score and key of a row."""


@dataclass(frozen=True, slots=True)
class Span:
    """Class that says which rows of a table are wanted: those with low <= score <= high.

    Attributes:
        limit: greatest number of rows.
        low: least score.
        high: greatest score.
        newest: whether to begin with the greatest score.
        after: score and key of the last row of the page before.
    """

    limit: int
    low: float = -math.inf
    high: float = math.inf
    newest: bool = False
    after: Edge | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest score of the rows behind `after`. Databases seek by these, not by those of pairs."""
        if self.after is None:
            return self.low, self.high
        score = self.after[0]
        return (self.low, min(self.high, score)) if self.newest else (max(self.low, score), self.high)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    key: str
    score: float
    value: bytes


class Rows(Protocol):
    """Protocol of the database. Every method raises `StoreUnavailable` if it does not answer."""

    def apply(self, steps: Sequence[Step]) -> bool:
        """Do all steps, on disk, or none; return False if a count was not the known one."""

    def count(self, name: str) -> int:
        """Return a count, 0 at first."""

    def glance(self, name: str) -> int:
        """Return a count, or raise `StoreUnavailable` soon."""

    def get(self, table: str, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows with these keys; None for a missing one."""

    def page(self, table: str, span: Span) -> list[Row]:
        """Return the rows of a table that a span says, by score and key."""

    def size(self, table: str) -> int:
        """Return the number of rows."""

    def making_room(self) -> AbstractContextManager[None]:
        """Let this thread erase on a full disk, in space that is reserved for it."""

    def scrub(self) -> None:
        """Overwrite removed data that the database would keep."""

    def clean(self) -> None:
        """Remove what the database still holds of values that were replaced. Others wait meanwhile."""

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless it answers."""

    def close(self) -> None:
        """Close it."""
