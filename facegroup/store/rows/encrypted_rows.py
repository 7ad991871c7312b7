"""Rows of which some tables are encrypted, over the rows of a database; see `facegroup.store.encryption`.

The words of the database are the value of the row `words` of the table `encryption`. The count `encrypted` is raised with
every change of an encrypted table. So nobody writes by old words, and `convert` replaces no row that has changed meanwhile.
"""

import logging
import math
import secrets
import time
from collections.abc import Callable, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeAlias

from facegroup.errors import StoreUnavailable
from facegroup.store.conversion import Converted, until_complete
from facegroup.store.encryption import PLAIN, UNREADABLE, Cipher, SecretKeys, held_by, place
from facegroup.store.rows.rows import Count, Put, Row, Rows, Step

log = logging.getLogger(__name__)

Change: TypeAlias = Callable[[Row, Cipher], bytes | None]

_TABLE, _KEY, _COUNT = "encryption", "words", "encrypted"
_PAGE = 50
_TRIES = 200
_PAUSE = 0.002


class EncryptedRows:
    """Class that implements `Rows` over others, and encrypts the values of some tables.

    A value that cannot be decrypted is logged, and comes as an empty one, which no record is.

    Args:
        rows: of the database.
        keys: that encrypt; without those that the database is encrypted with, `KeyMissing` is raised.
        tables: names of the tables that are encrypted.
        watched: names of other tables whose rows `change` is to replace.
    """

    def __init__(self, rows: Rows, keys: SecretKeys, tables: Set[str], watched: Set[str] = frozenset()) -> None:
        self._rows = rows
        self._keys = keys
        self._tables = tables
        self._watched = tables | watched

    def apply(self, steps: Sequence[Step]) -> bool:
        """See `Rows`. Raises `KeyMissing`."""
        if not any(not isinstance(step, Count) and step.table in self._watched for step in steps):
            return self._rows.apply(steps)
        counts = {step.name: step.known for step in steps if isinstance(step, Count)}
        for _ in range(_TRIES):
            known, words = self._state()
            noted = self._keys.noted(words)
            if noted != words and not words and not any(self._rows.size(table) for table in self._tables):
                noted = self._keys.own  # nothing plain is there yet, so nothing plain is taken from then on
            more: list[Step] = [Count(_COUNT, known, known + 1)]
            if noted != words:
                more.append(Put(_TABLE, _KEY, 0, noted.encode()))
            if self._rows.apply([*map(self._encrypted, steps), *more]):
                return True
            if any(self._rows.count(name) != number for name, number in counts.items()):
                return False
            time.sleep(secrets.randbelow(100) / 100 * _PAUSE)
        raise StoreUnavailable("Another process changes this database all the time. Try again.")

    def count(self, name: str) -> int:
        """See `Rows`."""
        return self._rows.count(name)

    def glance(self, name: str) -> int:
        """See `Rows`."""
        return self._rows.glance(name)

    def get(self, table: str, keys: Sequence[str]) -> list[Row | None]:
        """See `Rows`. Raises `KeyMissing`."""
        return self._read(table, lambda: self._rows.get(table, keys))

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
        """See `Rows`. Raises `KeyMissing`."""
        rows = self._read(table, lambda: self._rows.page(table, low, high, limit, newest=newest, after=after))
        return [row for row in rows if row is not None]

    def size(self, table: str) -> int:
        """See `Rows`."""
        return self._rows.size(table)

    def making_room(self) -> AbstractContextManager[None]:
        """See `Rows`."""
        return self._rows.making_room()

    def scrub(self) -> None:
        """See `Rows`."""
        self._rows.scrub()

    def ping(self) -> None:
        """See `Rows`. Raises `KeyMissing`."""
        self._cipher()

    def close(self) -> None:
        """See `Rows`."""
        self._rows.close()

    def rows(self) -> int:
        """Return how many rows there are to look at. Raises `KeyMissing`."""
        self._cipher()
        return sum(self._rows.size(table) for table in self._tables)

    def holds_plain(self) -> bool:
        """Whether a value may be plain."""
        return PLAIN in held_by(self._state()[1])

    def convert(self, tell: Callable[[int], None] = lambda _: None) -> Converted:
        """Encrypt all values with the first key; see `facegroup.store.conversion.Converts`."""
        return until_complete(lambda: self._turn(tell))

    def change(self, table: str, change: Callable[[bytes], bytes | None]) -> Converted:
        """Replace values of a watched table that is not encrypted, beside others who read and write.

        Args:
            table: name.
            change: returns the new value, or None for one that it cannot read.
        """
        done = Converted()
        edge: tuple[float, str] | None = None
        while rows := self._rows.page(table, -math.inf, math.inf, _PAGE, after=edge):
            edge = (rows[-1].score, rows[-1].key)
            done += self._replace(table, [row.key for row in rows], lambda row, _: change(row.value))
        return done

    def clean(self) -> None:
        """Remove what the database still holds of values that were replaced."""
        self._rows.clean()

    def _state(self) -> tuple[int, str]:
        """Return the count, and the words at that time or a later one."""
        known = self._rows.count(_COUNT)
        (row,) = self._rows.get(_TABLE, [_KEY])
        return known, "" if row is None else row.value.decode(errors="replace")

    def _cipher(self) -> Cipher:
        return self._keys.cipher(self._state()[1])

    def _encrypted(self, step: Step) -> Step:
        if isinstance(step, Put) and step.table in self._tables:
            return replace(step, value=self._keys.encrypt(step.value, place(step.table, "", step.key)))
        return step

    def _read(self, table: str, ask: Callable[[], Sequence[Row | None]]) -> list[Row | None]:
        if table not in self._tables:
            return list(ask())
        while True:
            known, words = self._state()
            cipher, rows = self._keys.cipher(words), ask()
            values = [None if row is None else cipher.decrypt(row.value, place(table, "", row.key)) for row in rows]
            whole = all(row is None or value is not None for row, value in zip(rows, values, strict=True))
            if whole or self._state() == (known, words):
                for row, value in zip(rows, values, strict=True):
                    if row is not None and value is None:
                        log.error("skipped a damaged value: %s %s: %s", table, row.key, UNREADABLE)
                return [
                    None if row is None else replace(row, value=value or b"")
                    for row, value in zip(rows, values, strict=True)
                ]

    def _turn(self, tell: Callable[[int], None]) -> Converted:
        mark = secrets.token_hex(4)
        self._set_words(lambda words: self._keys.marked(words, mark))
        done = Converted()
        for table in sorted(self._tables):
            edge: tuple[float, str] | None = None
            while rows := self._rows.page(table, -math.inf, math.inf, _PAGE, after=edge):
                edge = (rows[-1].score, rows[-1].key)
                done += self._replace(table, [row.key for row in rows], self._converted(table))
                tell(len(rows))
        words = self._set_words(lambda words: self._keys.swept(words, mark))
        return done + Converted(complete=held_by(words) == {self._keys.own})

    def _set_words(self, change: Callable[[str], str]) -> str:
        for _ in range(_TRIES):
            known, words = self._state()
            after = change(words)
            if self._rows.apply([Count(_COUNT, known, known + 1), Put(_TABLE, _KEY, 0, after.encode())]):
                return after
            time.sleep(_PAUSE)
        raise StoreUnavailable("Another process changes this database all the time. Try again.")

    def _converted(self, table: str) -> Change:
        def convert(row: Row, cipher: Cipher) -> bytes | None:
            where = place(table, "", row.key)
            if not row.value or self._keys.is_own(row.value, cipher):
                return row.value
            value = cipher.decrypt(row.value, where)
            return None if value is None else self._keys.encrypt(value, where)

        return convert

    def _replace(self, table: str, keys: Sequence[str], change: Change) -> Converted:
        """Replace the values of some rows that are still there."""
        for _ in range(_TRIES):
            known, words = self._state()
            cipher = self._keys.cipher(words)
            steps: list[Step] = [Count(_COUNT, known, known + 1)]
            unreadable = 0
            for row in self._rows.get(table, keys):
                if row is None:
                    continue
                value = change(row, cipher)
                unreadable += value is None
                if value is not None and value != row.value:
                    steps.append(Put(table, row.key, row.score, value))
            if len(steps) == 1 or self._rows.apply(steps):
                return Converted(len(steps) - 1, unreadable)
            time.sleep(_PAUSE)
        raise StoreUnavailable("Another process changes this database all the time. Try again.")
