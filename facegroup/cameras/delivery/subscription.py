"""Subscription: delivers the events of the journal to one receiver, in order, and resumes where it stopped.

An event counts as delivered when the receiver accepted it, so an event that was under way at a crash is sent twice, with
the same id. An event that the receiver refuses for good, or does not accept for days, becomes a dead letter. If the
journal erased events before they were delivered, the receiver is told of a gap.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from facegroup.cameras.delivery import payloads
from facegroup.cameras.delivery.payloads import Gap
from facegroup.cameras.delivery.webhook import Outcome
from facegroup.cameras.sightings.journal import Journal
from facegroup.cameras.sightings.types import DeadLetter, Event
from facegroup.errors import FacegroupError

log = logging.getLogger(__name__)

Send: TypeAlias = Callable[[Event | Gap], Awaitable[Outcome]]

FIRST, LONGEST = 1.0, 300.0
"""Seconds between two tries: at first, and at most."""
_PAGE = 50
_POLL_SECONDS = 5.0  # between two reads of the journal, in case a wake-up is missed


class Subscription:
    """Delivery to one receiver. Used in one event loop.

    Args:
        name: under which the journal keeps what was delivered.
        journal: keeps the events.
        send: sends an event, or a gap, once.
        wants: whether the receiver is to get an event.
        give_up_seconds: age at which an event becomes a dead letter; None: no event ever does.

    Attributes:
        problem: what is wrong with the receiver; None: nothing.
        began: number of the newest event from before the start.
    """

    def __init__(
        self,
        name: str,
        journal: Journal,
        send: Send,
        wants: Callable[[Event], bool] = lambda event: True,
        give_up_seconds: float | None = None,
    ) -> None:
        self.problem: str | None = None
        self.began = 0
        self._name = name
        self._journal = journal
        self._send = send
        self._wants = wants
        self._give_up = give_up_seconds
        self._cursor: int | None = None  # number of the last event that was delivered
        self._woken = asyncio.Event()
        self._away = False  # the journal

    @property
    def error(self) -> str | None:
        """What keeps events from being delivered now; None: nothing does."""
        return "the journal of events is away" if self._away else self.problem

    def wake(self) -> None:
        """Look for new events now."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            try:
                await self._deliver(await self._start() if self._cursor is None else self._cursor)
            except FacegroupError as error:
                if not self._away:
                    log.warning("%s: %s", self._name, error.detail)
                self._away = True
                await asyncio.sleep(FIRST)
            except Exception:
                log.exception("%s: its delivery failed, which is a bug", self._name)
                self.problem = "its delivery failed, which is a bug: see the log"
                await asyncio.sleep(LONGEST)

    async def _start(self) -> int:
        known = await asyncio.to_thread(self._journal.cursor, self._name)
        self.began = (await asyncio.to_thread(self._journal.span))[1]
        if known is None:
            await asyncio.to_thread(self._journal.advance, self._name, self.began)
        return self.began if known is None else min(known, self.began)

    async def _deliver(self, cursor: int) -> None:
        """Deliver one page of events, or wait for the next event."""
        self._cursor = cursor
        self._woken.clear()
        events = await asyncio.to_thread(self._journal.events, cursor, _PAGE)
        if not events:
            oldest, newest = await asyncio.to_thread(self._journal.span)
            if oldest > newest > cursor:  # all events after the cursor were erased
                await self._send_gap(cursor + 1, newest)
                self._cursor = newest
                return
            self._away = False
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._woken.wait()
            return
        self._away = False
        for event in events:
            if event.seq > self._cursor + 1:
                await self._send_gap(self._cursor + 1, event.seq - 1)
            if self._wants(event):
                dead = await self._send_event(event)
                await asyncio.to_thread(self._journal.advance, self._name, event.seq, dead)
            self._cursor = event.seq
        if not self._wants(events[-1]):
            await asyncio.to_thread(self._journal.advance, self._name, self._cursor)

    async def _send_gap(self, first: int, last: int) -> None:
        """Tell the receiver which events were erased before they were delivered."""
        gap = Gap(first, last)
        log.warning("%s: events %d to %d were erased before they were delivered", self._name, first, last)
        tries = 0
        while not (outcome := await self._send(gap)).taken and not outcome.final:
            tries += 1
            await self._pause(outcome, tries)
        self.problem = None
        await asyncio.to_thread(self._journal.advance, self._name, last)

    async def _send_event(self, event: Event) -> DeadLetter | None:
        """Deliver an event, however long it takes; return it as a dead letter if the receiver does not accept it."""
        tries = 0
        while True:
            # Read again before each try: the person may have been erased meanwhile.
            current = await asyncio.to_thread(self._journal.events, event.seq - 1, 1)
            if not current or current[0].seq != event.seq:
                await self._send_gap(event.seq, event.seq)
                return None
            if payloads.is_blank(current[0]):
                return None
            outcome = await self._send(current[0])
            tries += 1
            if outcome.taken:
                self.problem = None
                return None
            if self._give_up is not None and (outcome.final or time.time() - event.at > self._give_up):
                self._note(outcome)
                return DeadLetter(self._name, current[0], time.time(), tries, outcome.detail)
            await self._pause(outcome, tries)

    async def _pause(self, outcome: Outcome, tries: int) -> None:
        """Wait before the next try: longer after each, and at least as long as the receiver asked for."""
        self._note(outcome)
        pause = min(LONGEST, FIRST * 2.0 ** min(tries - 1, 20)) * random.uniform(0.5, 1.0)
        await asyncio.sleep(max(pause, outcome.wait))

    def _note(self, outcome: Outcome) -> None:
        if self.problem != outcome.detail:
            log.warning("%s: %s", self._name, outcome.detail)
        self.problem = outcome.detail
