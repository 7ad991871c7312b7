"""All cameras of a server, in one process: their registry, their loops, the book of sightings, and who is told of them.

It knows no Ray: what sees photos, what asks the store and what opens a camera's eye are given, so tests run it in their own
process. `call` is its one door for HTTP.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeAlias

from facegroup.cameras.types import Camera, Frame, Status
from facegroup.errors import FacegroupError
from facegroup.journal.base import Journal
from facegroup.photos import Photo, Seen
from facegroup.settings import Settings
from facegroup.sightings.types import Event

See: TypeAlias = Callable[[Sequence[Photo]], Awaitable[list[Seen | FacegroupError]]]
"""What is in each photo; see `serve.api.pipeline.Pipeline.see`."""

Ask: TypeAlias = Callable[..., Awaitable[Any]]
"""Calls a method of the gallery's store; see `serve.api.pipeline.Pipeline.ask`."""


class Eye(Protocol):
    """A camera that is open, in this process or another; `facegroup.cameras.eye.Eye` is what looks."""

    async def next(self, timeout: float) -> tuple[Frame | None, Status]:
        """Return the newest frame that is to be analysed, or None where none came in so many seconds; and how it is."""

    async def close(self) -> None:
        """Let go of it."""


Open: TypeAlias = Callable[[Camera], Awaitable[Eye]]
"""Opens the eye of a camera. Raises StageUnavailable where no process for it can be had."""

READS = frozenset(
    ("sighting", "crop", "sightings", "span", "unknowns", "unknown", "webhooks", "dead_letters", "videos", "video")
)
"""Methods of the journal that `call` passes on as they are."""


class Hub:
    """Everything about cameras that there is one of.

    Args:
        settings: of the server.
        journal: where all of it is kept.
        see: the pipeline.
        ask: the gallery's store.
        open_eye: of a camera.
    """

    def __init__(self, settings: Settings, journal: Journal, see: See, ask: Ask, open_eye: Open) -> None:
        self._settings = settings
        self._journal = journal
        self._see = see
        self._ask = ask
        self._open = open_eye
        self._threads = ThreadPoolExecutor(4, "journal")
        self._news = asyncio.Condition()
        self._newest = 0  # event that was recorded here

    async def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the journal that reads, or one of those here whose name has no underscore in front."""
        if method in READS:
            return await self._in(getattr(self._journal, method), *arguments, **named)
        if method.startswith("_") or method == "call" or not hasattr(self, method):
            raise ValueError(f"the cameras have no method {method}: this is a bug")
        return await getattr(self, method)(*arguments, **named)

    async def events(self, after: int, limit: int, wait: float = 0) -> list[Event]:
        """Return the events with numbers above `after`; where there is none yet, wait for one, so many seconds at most."""
        known = self._newest  # before the journal is asked: what is written meanwhile ends the waiting at once
        found: list[Event] = await self._in(self._journal.events, after, limit)
        if found or wait <= 0:
            return found
        with suppress(TimeoutError):
            async with asyncio.timeout(wait), self._news:
                await self._news.wait_for(lambda: self._newest > max(known, after))
        return await self.events(after, limit)

    async def _recorded(self, events: Sequence[Event]) -> None:
        """Wake whoever waits for events."""
        if events:
            self._newest = events[-1].seq
            async with self._news:
                self._news.notify_all()

    async def _in(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *arguments, **named))
