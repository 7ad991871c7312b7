"""Rows of which some tables are encrypted, over the rows of a database; see `facegroup.store.encryption`.

The words of the database are the value of the row `words` of the table `encryption`. The count `encrypted` is raised with
every change of an encrypted table. So nobody writes by old words, and `convert` replaces no row that has changed meanwhile.
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeAlias

from facegroup.errors import StoreUnavailable
from facegroup.store.conversion import Converted, turn, until_complete
from facegroup.store.encryption import PLAIN, UNREADABLE, Cipher, SecretKeys, held_by, place
from facegroup.store.rows.rows import Count, Edge, Put, Row, Rows, Span, Step

log = logging.getLogger(__name__)

Change: TypeAlias = Callable[[Row, Cipher], bytes | None]

_TABLE, _KEY, _COUNT = "encryption", "words", "encrypted"
_PAGE = 50
_TRIES = 200
_PAUSE = 0.002
_NO_COUNTS: Mapping[str, int] = {}


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
        self._last: tuple[int, str] | None = None
        """The count and the words after the last change that was made here."""

    def apply(self, steps: Sequence[Step]) -> bool:
        """See `Rows`. Raises `KeyMissing`."""
        if not any(not isinstance(step, Count) and step.table in self._watched for step in steps):
            return self._rows.apply(steps)
        counts = {step.name: step.known for step in steps if isinstance(step, Count)}

        def encrypted(words: str) -> tuple[str, list[Step]]:
            return self._noted(words), [self._encrypted(step) for step in steps]

        # Most often nobody has changed anything since the last time. If somebody has, nothing is done by what is remembered.
        return self._change(encrypted, self._last, counts) is not None

    def count(self, name: str) -> int:
        """See `Rows`."""
        return self._rows.count(name)

    def glance(self, name: str) -> int:
        """See `Rows`."""
        return self._rows.glance(name)

    def get(self, table: str, keys: Sequence[str]) -> list[Row | None]:
        """See `Rows`. Raises `KeyMissing`."""
        return self._read(table, lambda: self._rows.get(table, keys))

    def page(self, table: str, span: Span) -> list[Row]:
        """See `Rows`. Raises `KeyMissing`."""
        rows = self._read(table, lambda: self._rows.page(table, span))
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
        return PLAIN in held_by(self._words()) and self._any()

    def convert(self, tell: Callable[[int], None] = lambda _: None) -> Converted:
        """Encrypt all values with the first key; see `facegroup.store.conversion.Converts`."""
        return until_complete(lambda: self._turn(tell))

    def change(self, table: str, change: Callable[[Row], bytes | None]) -> Converted:
        """Replace values of a watched table that is not encrypted, beside others who read and write.

        Args:
            table: name.
            change: returns the new value of a row, or None for one that it cannot read.
        """
        done = Converted()
        for keys in self._pages(table):
            done += self._replace(table, keys, lambda row, _: change(row))
        self._rows.scrub()
        return done

    def clean(self) -> None:
        """Remove what the database still holds of values that were replaced."""
        self._rows.clean()

    def _state(self) -> tuple[int, str]:
        """Return the count, and the words at that time or a later one."""
        return self._rows.count(_COUNT), self._words()

    def _words(self) -> str:
        (row,) = self._rows.get(_TABLE, [_KEY])
        return "" if row is None else row.value.decode(errors="replace")

    def _change(
        self,
        make: Callable[[str], tuple[str, list[Step]]],
        state: tuple[int, str] | None = None,
        counts: Mapping[str, int] = _NO_COUNTS,
    ) -> str | None:
        """Do steps while nobody else changes an encrypted table.

        Args:
            make: returns, for the words of the database, those that it has afterwards, and the steps.
            state: count and words to try first; None reads them.
            counts: those that are among the steps, as they must be.

        Returns:
            The words that the database has then; None where nothing was done, for one of the counts is another.

        Raises:
            StoreUnavailable: others change the database all the time.
        """
        known, words = state or self._state()
        for _ in range(_TRIES):
            after, steps = make(words)
            if after == words and not steps:
                return words
            more: list[Step] = [] if after == words else [Put(_TABLE, _KEY, 0, after.encode())]
            if self._rows.apply([*steps, *more, Count(_COUNT, known, known + 1)]):
                self._last = known + 1, after
                return after
            if any(self._rows.count(name) != number for name, number in counts.items()):
                return None
            time.sleep(secrets.randbelow(100) / 100 * _PAUSE)
            known, words = self._state()
        raise StoreUnavailable("Another process changes this database all the time. Try again.")

    def _noted(self, words: str) -> str:
        noted = self._keys.noted(words)
        # Where nothing plain is there yet, nothing plain is taken from then on.
        return self._keys.own if noted != words and not words and not self._any() else noted

    def _any(self) -> bool:
        return any(self._rows.size(table) for table in self._tables)

    def _cipher(self) -> Cipher:
        return self._keys.cipher(self._words())

    def _encrypted(self, step: Step) -> Step:
        if isinstance(step, Put) and step.table in self._tables:
            return replace(step, value=self._keys.encrypt(step.value, place(step.table, "", step.key)))
        return step

    def _read(self, table: str, ask: Callable[[], Sequence[Row | None]]) -> list[Row | None]:
        if table not in self._tables:
            return list(ask())
        words = self._words()
        while True:
            before, rows, words = words, ask(), self._words()
            if held_by(before) == held_by(words):  # else the rows may be under a word that was not there, or is not now
                break
        cipher, read = self._keys.cipher(words), list[Row | None]()
        for row in rows:
            value = None if row is None else cipher.decrypt(row.value, place(table, "", row.key))
            if row is not None and value is None:
                log.error("skipped a damaged value: %s %s: %s", table, row.key, UNREADABLE)
            read.append(row and replace(row, value=value or b""))
        return read

    def _turn(self, tell: Callable[[int], None]) -> Converted:
        done = turn(self._keys, self._set_words, lambda: self._look(tell))
        self._rows.scrub()
        return done

    def _look(self, tell: Callable[[int], None]) -> Converted:
        done = Converted()
        for table in sorted(self._tables):
            for keys in self._pages(table):
                done += self._replace(table, keys, self._converted(table))
                tell(len(keys))
        return done

    def _set_words(self, change: Callable[[str], str]) -> str:
        return self._change(lambda words: (change(words), [])) or ""

    def _pages(self, table: str) -> Iterator[list[str]]:
        edge: Edge | None = None
        while rows := self._rows.page(table, Span(_PAGE, after=edge)):
            edge = (rows[-1].score, rows[-1].key)
            yield [row.key for row in rows]

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
        done = Converted()

        def replaced(words: str) -> tuple[str, list[Step]]:
            nonlocal done
            cipher, steps, unreadable = self._keys.cipher(words), list[Step](), 0
            for row in self._rows.get(table, keys):
                if row is None:
                    continue
                value = change(row, cipher)
                unreadable += value is None
                if value is not None and value != row.value:
                    steps.append(Put(table, row.key, row.score, value))
            done = Converted(len(steps), unreadable)
            return words, steps

        self._change(replaced)
        return done
