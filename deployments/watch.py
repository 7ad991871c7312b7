"""Watch a replica that a process calls, so that one which hangs is passed over and its calls are made elsewhere.

This is outlier ejection as in Envoy (envoyproxy.io, "Outlier detection"). A replica is silent if its process does not answer
three pings in a row: it hangs, or its machine is cut off. It is stuck if its process answers, but no call does for many
seconds. A silent replica gets no calls until it answers a ping. A stuck one gets none for a time that grows, until a call is
answered. At most half of the replicas are passed over because they are stuck, since they may all be busy. The last replica
that is not silent is waited for: nobody else could answer.
"""

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

PING_SECONDS = 1.0
"""How long a call is under way before its replica is pinged, and how long the replica has to answer."""

PINGS = 3
"""Pings in a row without an answer, after which a replica is silent."""

EJECTED_SECONDS = 10.0
"""How long a stuck replica is passed over the first time. The second time it is twice that, and so on."""

MOST_EJECTED_SECONDS = 300.0

AHEAD = 2
"""Calls under way with which a replica is full: one that it works on, and the next."""

log = logging.getLogger("facegroup.watch")


class Watch:
    """What a process knows of one replica that it calls.

    Args:
        name: name of the replica, for messages.
        ping: returns when the process of the replica answers.
        alone: returns whether no other replica could answer.
        seconds: time without an answer to any call after which the replica is stuck.
        near: whether the replica is on the same machine.
        clock: returns seconds.

    Attributes:
        silent: whether the process of the replica does not answer.
        near: see above.
        turn: number of the choice in which the replica was last chosen.
    """

    def __init__(
        self,
        name: str,
        ping: Callable[[], Awaitable[object]],
        alone: Callable[[], bool],
        seconds: float,
        *,
        near: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.silent = False
        self.near = near
        self.turn = 0
        self._name = name
        self._ping = ping
        self._alone = alone
        self._seconds = seconds
        self._clock = clock
        self._sent: dict[object, float] = {}
        self._waits: dict[asyncio.Timeout, float] = {}
        self._answered = 0.0
        self._ejections = 0
        self._until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._pinging: asyncio.Future[object] | None = None

    @property
    def under_way(self) -> int:
        """Calls that were sent and have not ended."""
        return len(self._sent)

    @property
    def ejected(self) -> float:
        """Seconds for which the replica is to be passed over because it was stuck; 0 or less if it is not."""
        return self._until - self._clock()

    def sent(self, call: object) -> None:
        """Note a call that was sent."""
        self._sent[call] = self._clock()
        if self._task is None:
            # In an empty context, because Ray Serve cancels everything called in the context of a cancelled request.
            self._task = asyncio.get_running_loop().create_task(self._look(), context=contextvars.Context())

    def ended(self, call: object) -> None:
        """Note that a call was answered, failed or was cancelled. Any thread may call this."""
        self._sent.pop(call, None)

    @asynccontextmanager
    async def answer(self, *, counts: bool = True) -> AsyncIterator[None]:
        """Await the answer to a call in this context.

        Args:
            counts: whether an answer shows that the replica is not stuck.

        Raises:
            TimeoutError: the replica was found to hang.
        """
        async with asyncio.timeout(None) as wait:
            self._waits[wait] = self._clock() if counts else float("inf")
            try:
                yield
            finally:
                del self._waits[wait]
        if counts:
            self._answered = self._clock()
            self._ejections = 0

    async def _look(self) -> None:
        try:
            missed = 0
            while self._sent or (self.silent and not self._alone()):
                if missed == 0 or self.silent:
                    slept = self._clock()
                    await asyncio.sleep(PING_SECONDS)
                    if self._clock() - slept > 2 * PING_SECONDS:
                        self._answered = self._clock()  # this process itself hardly ran: nothing is known of others
                if self._alone():
                    missed, self.silent = 0, False
                elif self.silent or self._quiet(self._sent) > PING_SECONDS:
                    answered = await self._pinged()
                    if answered is not None and not self._alone():
                        missed = 0 if answered else missed + 1
                        self._judge(missed)
                else:
                    missed = 0
        finally:
            self._task = None

    def _judge(self, missed: int) -> None:
        was, self.silent = self.silent, missed >= PINGS
        if self.silent:
            if not was:
                log.warning("%s does not answer. It is passed over, and its calls are made elsewhere.", self._name)
            self._give_up()
        elif was:
            log.warning("%s answers again.", self._name)
        elif missed == 0 and self._quiet(self._waits) > self._seconds:
            self._ejections += 1
            self._until = self._clock() + min(EJECTED_SECONDS * self._ejections, MOST_EJECTED_SECONDS)
            log.warning("%s is stuck: no call was answered for %.0f s.", self._name, self._seconds)
            self._give_up()

    def _quiet(self, calls: Mapping[Any, float]) -> float:
        """Return for how many seconds no call was answered while some were under way."""
        began = min(calls.values(), default=float("inf"))
        return self._clock() - max(began, self._answered)

    async def _pinged(self) -> bool | None:
        """Return whether the process answers. None: this process itself hardly ran, so that the ping shows nothing.

        A ping that was not answered is waited for again instead of another one: Ray keeps each until it is answered.
        """
        began = self._clock()
        if self._pinging is None:
            self._pinging = asyncio.ensure_future(self._ping())
        await asyncio.wait({self._pinging}, timeout=PING_SECONDS)
        if self._pinging.done():
            answered = self._pinging.exception() is None
            self._pinging = None
            return answered
        return None if self._clock() - began > 2 * PING_SECONDS else False

    def _give_up(self) -> None:
        now = asyncio.get_running_loop().time()
        for wait in list(self._waits):
            if not wait.expired():
                wait.reschedule(now)


def ordered(watches: Sequence[Watch]) -> list[int]:
    """Return the indices of the replicas that may be called, in the order in which one call is to be offered to them.

    Near replicas with room come first, then all others by their calls under way. Replicas that are equal take turns.
    """
    answering = [index for index, each in enumerate(watches) if not each.silent] or list(range(len(watches)))
    stuck = sorted((index for index in answering if watches[index].ejected > 0), key=lambda i: -watches[i].ejected)
    passed_over = stuck[: len(answering) // 2]

    def rank(index: int) -> tuple[bool, int, int]:
        each = watches[index]
        near_with_room = each.near and each.under_way < AHEAD
        return not near_with_room, each.under_way, each.turn

    order = sorted((index for index in answering if index not in passed_over), key=rank)
    if order:
        watches[order[0]].turn = 1 + max(each.turn for each in watches)
    return order
