"""Hashes and compares passwords, a few at once: each takes 64 MiB and a processor for about a tenth of a second."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from facegroup.access import passwords
from facegroup.errors import RateLimited

AT_ONCE = 2
"""Hashes at once in a process, so that they take 128 MiB at most."""
WAITING, WAITING_FROM_ONE = 16, 4
"""Most that wait, and most from one address, so that nobody fills the queue alone."""

_Done = TypeVar("_Done")


class PasswordWork:
    """Class that hashes and compares passwords in threads of its own. Each ingress has one."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "passwords")
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting: Counter[str] = Counter()

    async def hashed(self, password: str, network: str, name: str = "") -> str:
        """Return the hash of a new password.

        Args:
            password: as it was typed.
            network: that the request comes from.
            name: of the user.

        Raises:
            RateLimited: too many wait.
            WeakPassword: see `passwords.checked`.
        """
        made = passwords.checked(password, name)
        async with self.turn(network):
            return await self.run(lambda: passwords.hashed(made))

    @asynccontextmanager
    async def turn(self, network: str) -> AsyncIterator[None]:
        """Wait for a turn. Raises `RateLimited` if too many wait, of all or from this network."""
        if self._waiting.total() >= WAITING + AT_ONCE or self._waiting[network] >= WAITING_FROM_ONE:
            raise RateLimited("Too many sign in at once. Try again in a moment.", 2)
        self._waiting[network] += 1
        try:
            async with self._free:
                yield
        finally:
            self._waiting[network] -= 1
            self._waiting += Counter()  # without those who do not wait any more

    async def run(self, work: Callable[[], _Done]) -> _Done:
        """Do work of a turn in a thread. It goes on if its caller leaves, and the turn ends with it."""
        return await _finished(asyncio.get_running_loop().run_in_executor(self._threads, work))


async def _finished(work: "asyncio.Future[_Done]") -> _Done:
    """Wait until work is done, however often the caller is cancelled, so that no more of it is under way than may be."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                continue
        raise
