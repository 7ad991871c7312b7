"""Recorder of sightings: writes observations through the `SightingBook`, and wakes everybody who waits for events."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sightings.types import Event

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")


class SightingRecorder:
    """Uses the sighting book from one thread. Used in one event loop.

    Args:
        book: the sighting book.
        newest: number of the newest event in the journal.
        wake: called after new events were written.
    """

    def __init__(self, book: SightingBook, newest: int, wake: Callable[[], None]) -> None:
        self._book = book
        self._newest = newest
        self._wake = wake
        self._thread = ThreadPoolExecutor(1, "sightings")
        self._written = asyncio.Condition()

    async def run(
        self, method: Callable[Concatenate[SightingBook, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
    ) -> _Answer:
        """Call a method of the book, or a function that takes it, in the book's thread."""
        call = partial(method, self._book, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def record(
        self, method: Callable[Concatenate[SightingBook, _P], Sequence[Event]], /, *given: _P.args, **named: _P.kwargs
    ) -> bool:
        """Call a method of the book that writes events; return whether it wrote any."""
        events = await self.run(method, *given, **named)
        if not events:
            return False
        self._newest = events[-1].seq
        self._wake()
        async with self._written:
            self._written.notify_all()
        return True

    @property
    def newest(self) -> int:
        """Number of the newest event that was written."""
        return self._newest

    async def wait(self, after: int, seconds: float) -> None:
        """Return when an event with a number above `after` is written, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._written:
                await self._written.wait_for(lambda: self._newest > after)
