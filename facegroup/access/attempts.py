"""Counts sign-ins that failed, by name and by address, and makes each further try wait longer.

A try counts before the password is compared, so that tries at once cannot pass unseen, and is forgiven when it was right.
Names are counted whether there is such a user or not. The counts are rows beside the registry, for all its processes.
"""

import math
from collections.abc import Callable
from hashlib import sha256

from facegroup.errors import RateLimited, StoreUnavailable
from facegroup.store.rows.rows import Count, Drop, Put, Row, Rows, Span, Step

FREE_BY_NAME, FREE_BY_ADDRESS = 5, 20
"""Failures before the first wait of a second. It doubles with each further one."""
LONGEST = 900.0
"""Longest wait, in seconds."""
FORGOTTEN = 86_400.0
"""Seconds after the last failure from which on nothing is counted any more."""
MOST = 10_000
"""Names and addresses that are counted; the oldest are forgotten first."""

_TABLE = "attempts"
_TRIES = 50


class Attempts:
    """Class that counts failed sign-ins. Every method raises `StoreUnavailable` if the store does not answer.

    Args:
        rows: the tables of the registry.
        now: the time, in seconds since the epoch.
    """

    def __init__(self, rows: Rows, now: Callable[[], float]) -> None:
        self._rows = rows
        self._now = now

    def begin(self, name: str, network: str) -> None:
        """Count a try before it is known whether it is right.

        Args:
            name: that was typed, whoever it is.
            network: that the request comes from.

        Raises:
            RateLimited: it comes too soon after others that failed. It is not counted.
        """

        def change(rows: list[Row | None], now: float) -> list[Step]:
            waits = [_wait(row, free, now) for row, free in zip(rows, (FREE_BY_NAME, FREE_BY_ADDRESS), strict=True)]
            if (wait := max(waits)) > 0:
                raise RateLimited("Too many sign-ins failed. Wait, then try again.", math.ceil(wait))
            return [_put(key, _count(row, now) + 1, now) for key, row in zip(keys, rows, strict=True)]

        keys = _keys(name, network)
        self._change(keys, change)

    def forgive(self, name: str, network: str) -> None:
        """Say that a try was right: the name's failures are forgotten, and those of the address are one less."""

        def change(rows: list[Row | None], now: float) -> list[Step]:
            steps: list[Step] = [Drop(_TABLE, keys[0])]
            if (row := rows[1]) is not None:
                left = _count(row, now) - 1
                steps.append(_put(keys[1], left, row.score) if left > 0 else Drop(_TABLE, keys[1]))
            return steps

        keys = _keys(name, network)
        self._change(keys, change)

    def _change(self, keys: tuple[str, str], change: Callable[[list[Row | None], float], list[Step]]) -> None:
        for _ in range(_TRIES):
            known = self._rows.count(_TABLE)
            steps = change(self._rows.get(_TABLE, keys), self._now())
            if self._rows.size(_TABLE) > MOST:
                oldest = self._rows.page(_TABLE, Span(MOST // 10))
                steps += [Drop(_TABLE, row.key) for row in oldest if row.key not in keys]
            if self._rows.apply([Count(_TABLE, known, known + 1), *steps]):
                return
        raise StoreUnavailable("Too many sign in at once. Try again.")


def _keys(name: str, network: str) -> tuple[str, str]:
    # Of any length and form: somebody may type a password in place of the name, so that it is not stored.
    return f"name {sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}", f"from {network}"


def _put(key: str, count: int, at: float) -> Put:
    return Put(_TABLE, key, at, str(count).encode())


def _count(row: Row | None, now: float) -> int:
    if row is None or now - row.score >= FORGOTTEN or not row.value.isdigit():
        return 0
    return int(row.value[:6])


def _wait(row: Row | None, free: int, now: float) -> float:
    """Return for how long the next try must wait."""
    over = _count(row, now) - free
    if row is None or over < 0:
        return 0.0
    return min(row.score, now) + min(LONGEST, 2.0 ** min(over, 20)) - now
