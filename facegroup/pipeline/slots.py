"""Limit how much is done at once, where the limit may change: with the number of replicas that there are."""

import asyncio
from collections.abc import Callable
from types import TracebackType


class Slots:
    """A semaphore whose size may change.

    Args:
        most: how many may be taken at once, or returns it.
    """

    def __init__(self, most: int | Callable[[], int]) -> None:
        self._most = most
        self._taken = 0
        self._freed = asyncio.Event()

    async def acquire(self) -> None:
        """Take one, and wait until there is one."""
        while self._taken >= max(1, self._most if isinstance(self._most, int) else self._most()):
            self._freed.clear()
            await self._freed.wait()
        self._taken += 1

    def release(self) -> None:
        """Give one back."""
        self._taken -= 1
        self._freed.set()

    async def __aenter__(self) -> None:
        """Take one."""
        await self.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self.release()
