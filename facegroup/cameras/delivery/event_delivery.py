"""Whoever is told of events: one task for each receiver, which reads the journal where it was and goes on in order.

A receiver that is down is tried again with growing pauses and holds up nobody else; it loses nothing that the journal still
has. An event counts as dealt with when the receiver took it, so one that was on its way at a crash comes twice, with the
same id. What a receiver refuses for good, or does not take for days, becomes a dead letter. Where the journal erased
something before it could be told, a gap is told.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from facegroup.cameras.delivery import payloads
from facegroup.cameras.delivery.mqtt import Broker
from facegroup.cameras.delivery.payloads import Gap
from facegroup.cameras.delivery.presence import Live, Now, Presence
from facegroup.cameras.delivery.webhook import Outcome, Poster
from facegroup.cameras.sightings.journal import Journal
from facegroup.cameras.sightings.types import DeadLetter, Event, Webhook
from facegroup.errors import FacegroupError, UnknownCamera
from facegroup.settings import Cameras

log = logging.getLogger(__name__)

Send: TypeAlias = Callable[[Event | Gap], Awaitable[Outcome]]

MQTT = "mqtt"
FIRST, LONGEST = 1.0, 300.0
"""Seconds between two tries: at first, and at most."""
RETRY_SECONDS = 15.0
"""How long one `retry` goes on, so that whoever asked for it gets an answer."""
_PAGE = 50
LATE_SECONDS = 10.0
"""An event that is told later than this, or of what was seen longer ago, is history."""
_STATE_SECONDS = 2.0  # between two looks at who is there
_LOOK_SECONDS = 5.0  # for events that nobody woke it for: there are none, but who knows


class EventDelivery:
    """Everybody who is told. Made and used in one event loop.

    Args:
        settings: of cameras.
        journal: what has happened.
        live: which cameras see something; None: all do.
    """

    def __init__(self, settings: Cameras, journal: Journal, live: Live | None = None) -> None:
        self._settings = settings
        self._journal = journal
        self._poster = Poster(settings)
        self._broker = Broker(settings) if settings.mqtt is not None else None
        self._presence = Presence(journal, live, settings.mqtt_pictures)
        self._began = 0  # number of the newest event of before the start
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._hooks: dict[str, Webhook] = {}
        self._woken: dict[str, asyncio.Event] = {}
        self._moved = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self._errors: dict[str, str] = {}
        self._away: set[str] = set()  # who waits for the journal
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                self._changed.clear()
                try:
                    found = await asyncio.to_thread(self._journal.webhooks)
                except FacegroupError:
                    await asyncio.sleep(FIRST)
                    continue
                await self._match({each.subscriber: each for each in found})
                await self._changed.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop; what is under way is done again later."""
        await self._match({})
        if MQTT in self._tasks:
            self._tasks.pop(MQTT).cancel()
        if self._follower is not None:
            self._follower.cancel()
            self._follower = None
        await self._poster.close()
        if self._broker is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._broker.close)
            self._broker = None

    def wake(self) -> None:
        """Say that there are new events, or other cameras."""
        for each in (*self._woken.values(), self._moved):
            each.set()

    def changed(self) -> None:
        """Say that there are more receivers, or fewer."""
        self._changed.set()

    def error(self, subscriber: str) -> str | None:
        """Return what is wrong with a receiver now."""
        waits = "the journal of events is away" if subscriber in self._away else None
        return waits or self._errors.get(subscriber)

    def forget(self, gallery: str, ident: str | None = None) -> None:
        """Remove what a broker retains of somebody who was erased, or of everybody of a gallery."""
        self._presence.forget(gallery, ident)
        self._moved.set()

    async def retry(self, webhook: Webhook) -> int:
        """Try the dead letters of a webhook once more, until one is not taken or 15 s are over; return how many were."""
        taken, end = 0, time.monotonic() + RETRY_SECONDS
        while page := await asyncio.to_thread(self._journal.dead_letters, webhook.subscriber):
            for letter in page:
                if time.monotonic() > end:
                    return taken
                if not payloads.is_blank(letter.event):
                    outcome = await self._poster.post(webhook, letter.event)
                    if not outcome.taken:
                        self._errors[letter.subscriber] = outcome.detail
                        return taken
                    taken += 1
                await asyncio.to_thread(self._journal.forget_dead_letters, letter.subscriber, [letter.event.seq])
        return taken

    async def _match(self, hooks: dict[str, Webhook]) -> None:
        """Have a task for each of these, and for no other."""
        # One that was removed and made again under its name is another.
        for name in [name for name in self._tasks if name != MQTT and self._hooks[name] != hooks.get(name)]:
            task = self._tasks.pop(name)
            del self._hooks[name]
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._woken.pop(name, None)
            self._errors.pop(name, None)
            self._away.discard(name)
        for name, hook in hooks.items():
            if name not in self._tasks:
                self._hooks[name] = hook
                self._begin(name, self._posts(hook), _wants(hook))
        if self._broker is not None and MQTT not in self._tasks:
            self._begin(MQTT, self._publishes(self._broker), lambda event: True)
            self._follower = asyncio.get_running_loop().create_task(self._follow(self._broker), name="presence")

    def _begin(self, name: str, send: Send, wants: Callable[[Event], bool]) -> None:
        self._woken[name] = asyncio.Event()
        self._tasks[name] = asyncio.get_running_loop().create_task(self._deliver(name, send, wants), name=name)

    async def _deliver(self, name: str, send: Send, wants: Callable[[Event], bool]) -> None:
        cursor: int | None = None
        while True:
            try:
                if cursor is None:
                    cursor = await self._start(name)
                self._woken[name].clear()
                events = await asyncio.to_thread(self._journal.events, cursor, _PAGE)
                if not events:
                    oldest, newest = await asyncio.to_thread(self._journal.span)
                    if oldest > newest > cursor:  # nothing is left of what it was to be told
                        cursor = await self._missed(name, send, cursor, newest)
                        continue
                    self._away.discard(name)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_SECONDS):
                            await self._woken[name].wait()
                    continue
                self._away.discard(name)
                for event in events:
                    if event.seq > cursor + 1:
                        await self._missed(name, send, cursor, event.seq - 1)
                    if wants(event):
                        await asyncio.to_thread(
                            self._journal.advance, name, event.seq, await self._one(name, send, event)
                        )
                    cursor = event.seq
                if not wants(events[-1]):
                    await asyncio.to_thread(self._journal.advance, name, cursor)
            except FacegroupError as error:
                if name not in self._away:
                    log.warning("%s: %s", name, error.detail)
                self._away.add(name)
                await asyncio.sleep(FIRST)
            except Exception:
                log.exception("%s: its delivery broke, which is a bug", name)
                self._errors[name] = "its delivery broke, which is a bug: see the log"
                await asyncio.sleep(LONGEST)

    async def _start(self, name: str) -> int:
        known = await asyncio.to_thread(self._journal.cursor, name)
        newest = (await asyncio.to_thread(self._journal.span))[1]
        if name == MQTT:
            self._began = newest
        if known is None:
            await asyncio.to_thread(self._journal.advance, name, newest)
        return newest if known is None else min(known, newest)

    async def _missed(self, name: str, send: Send, cursor: int, last: int) -> int:
        """Tell a receiver which events were erased before it was told of them; return the number of the last."""
        gap = Gap(cursor + 1, last)
        log.warning("%s: events %d to %d were erased before they were delivered", name, gap.first, gap.last)
        tries = 0
        while not (outcome := await send(gap)).taken and not outcome.final:
            tries += 1
            await self._pause(name, outcome, tries)
        self._errors.pop(name, None)
        await asyncio.to_thread(self._journal.advance, name, last)
        return last

    async def _one(self, name: str, send: Send, event: Event) -> DeadLetter | None:
        """Deliver an event, however long it takes; return it as a dead letter where it was not taken."""
        tries = 0
        while True:
            # As it is now: whoever was erased meanwhile is not told of.
            current = await asyncio.to_thread(self._journal.events, event.seq - 1, 1)
            if not current or current[0].seq != event.seq:
                await self._missed(name, send, event.seq - 1, event.seq)
                return None
            if payloads.is_blank(current[0]):
                return None
            outcome = await send(current[0])
            tries += 1
            if outcome.taken:
                self._errors.pop(name, None)
                return None
            old = time.time() - event.at > self._settings.give_up_hours * 3600
            if name != MQTT and (outcome.final or old):
                self._note(name, outcome)
                return DeadLetter(name, current[0], time.time(), tries, outcome.detail)
            await self._pause(name, outcome, tries)

    async def _pause(self, name: str, outcome: Outcome, tries: int) -> None:
        """Leave a receiver alone for a while."""
        self._note(name, outcome)
        pause = min(LONGEST, FIRST * 2.0 ** min(tries - 1, 20)) * random.uniform(0.5, 1.0)
        await asyncio.sleep(max(pause, outcome.wait))

    def _note(self, name: str, outcome: Outcome) -> None:
        if self._errors.get(name) != outcome.detail:
            log.warning("%s: %s", name, outcome.detail)
        self._errors[name] = outcome.detail

    def _posts(self, hook: Webhook) -> Send:
        async def send(event: Event | Gap) -> Outcome:
            return await self._poster.post(hook, event)

        return send

    def _publishes(self, broker: Broker) -> Send:
        async def send(event: Event | Gap) -> Outcome:
            # Who is where is told all the same; subscribers see that numbers are missing.
            if isinstance(event, Gap):
                return Outcome(True)
            tell = partial(broker.tell, event, until=await self._news_until(event))
            wrong = await asyncio.get_running_loop().run_in_executor(None, tell)
            return Outcome(wrong is None, detail=wrong or "")

        return send

    async def _news_until(self, event: Event) -> float:
        """Return until when, by `time.monotonic`, an event is news; then it is history, as some are at once.

        That is what is of before the start, was written long ago, or is of what a camera saw long ago.
        """
        seen = event.sighting
        try:
            camera = await asyncio.to_thread(self._journal.camera, seen.camera)
        except UnknownCamera:
            return -math.inf
        if event.seq <= self._began or not camera.realtime:
            return -math.inf
        # Somebody who has left was not seen for as long as that is waited for.
        unseen = max(camera.cooldown, seen.patience) if event.kind == "ended" else 0.0
        now = time.time()
        return time.monotonic() + LATE_SECONDS - max(abs(now - event.at), now - seen.last_seen - unseen)

    async def _follow(self, broker: Broker) -> None:
        """Have the broker retain what is so now, whatever it was told of before."""
        while True:
            self._moved.clear()
            try:
                await self._bring_up_to_date(broker)
            except FacegroupError as error:
                log.debug("who is there is not known: %s", error.detail)  # `_deliver` says so
                await self._show(broker, self._presence.lost())
            except Exception:
                log.exception("what MQTT retains could not be brought up to date, which is a bug")
                self._errors[MQTT] = "what is retained could not be brought up to date, which is a bug: see the log"
                with suppress(Exception):
                    await self._show(broker, self._presence.lost())
                await asyncio.sleep(LONGEST)
            with suppress(TimeoutError):
                async with asyncio.timeout(_STATE_SECONDS):
                    await self._moved.wait()

    async def _bring_up_to_date(self, broker: Broker) -> None:
        looking = asyncio.get_running_loop().create_task(self._presence.look())
        try:
            await asyncio.wait((looking,), timeout=LATE_SECONDS)
            if not looking.done():  # what was so is not known to be so any more
                await self._show(broker, self._presence.lost())
            await self._show(broker, await looking)
        finally:
            looking.cancel()

    async def _show(self, broker: Broker, now: Now | None) -> None:
        if now is not None:
            await asyncio.get_running_loop().run_in_executor(None, broker.show, broker.topics.retained(now))


def _wants(hook: Webhook) -> Callable[[Event], bool]:
    def wants(event: Event) -> bool:
        seen = event.sighting
        return (not hook.cameras or seen.camera in hook.cameras) and hook.gallery in (None, seen.gallery)

    return wants
