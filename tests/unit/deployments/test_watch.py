"""Replicas that hang are passed over, and only those."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from deployments import watch as module
from deployments.watch import AHEAD, Watch, ordered

STUCK_SECONDS = 0.4


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_SECONDS", 0.02)
    monkeypatch.setattr(module, "EJECTED_SECONDS", 5.0)


class Process:
    """A replica: answers pings while it is up, and calls while it works."""

    def __init__(self) -> None:
        self.up, self.works = asyncio.Event(), asyncio.Event()
        self.up.set()
        self.works.set()
        self.pings = 0

    async def ping(self) -> None:
        self.pings += 1
        await self.up.wait()


class Caller:
    """What a router does for each call: it offers the call to replicas in order, and once more if the first one hangs."""

    def __init__(self, count: int) -> None:
        self.processes = [Process() for _ in range(count)]
        self.watches = [
            Watch(str(index), each.ping, partial(self._alone, index), STUCK_SECONDS)
            for index, each in enumerate(self.processes)
        ]
        self.asked = [0] * count

    def _alone(self, index: int) -> bool:
        return all(each.silent for other, each in enumerate(self.watches) if other != index)

    async def call(self) -> int:
        """Return which replica answered."""
        for last in (False, True):
            index = ordered(self.watches)[0]
            self.asked[index] += 1
            call = object()
            self.watches[index].sent(call)
            try:
                async with self.watches[index].answer():
                    await self.processes[index].up.wait()
                    await self.processes[index].works.wait()
                    return index
            except TimeoutError:
                if last:
                    raise
            finally:
                self.watches[index].ended(call)
        raise AssertionError

    async def many(self, count: int, at_once: int = 4) -> list[int]:
        slots = asyncio.Semaphore(at_once)

        async def one() -> int:
            async with slots:
                await asyncio.sleep(0.001)
                return await self.call()

        return await asyncio.gather(*(one() for _ in range(count)))


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.005)


def test_calls_go_on_and_those_of_a_silent_replica_are_made_elsewhere() -> None:
    async def scenario() -> None:
        caller = Caller(2)
        await caller.many(20)
        caller.processes[0].up.clear()
        # Two calls hang at most, since a replica with more calls under way than the other one is not chosen.
        assert set(await caller.many(200)) == {1}
        assert caller.watches[0].silent
        asked = caller.asked[0]
        await caller.many(200)
        assert caller.asked[0] == asked
        caller.processes[0].up.set()
        await until(lambda: not caller.watches[0].silent)
        assert set(await caller.many(50)) == {0, 1}

    run(scenario)


def test_a_replica_that_holds_every_call_is_passed_over_for_a_while() -> None:
    async def scenario() -> None:
        caller = Caller(3)
        caller.processes[1].works.clear()
        hung = [asyncio.ensure_future(caller.many(6, 6))]
        answered = await caller.many(60)
        assert set(answered) == {0, 2}, "the others answer while some calls hang"
        assert set((await asyncio.gather(*hung))[0]) == {0, 2}
        assert not caller.watches[1].silent
        assert 0 < caller.watches[1].ejected <= 5
        asked = caller.asked[1]
        await caller.many(60)
        assert caller.asked[1] == asked

    run(scenario)


def test_the_time_grows_until_a_call_is_answered() -> None:
    async def scenario() -> None:
        caller = Caller(2)
        caller.processes[0].works.clear()
        for round_ in (1, 2, 3):
            caller.watches[0]._until = 0.0
            await caller.many(4)
            assert 5 * (round_ - 1) < caller.watches[0].ejected <= 5 * round_
        caller.watches[0]._until = 0.0
        caller.processes[0].works.set()
        assert set(await caller.many(20)) == {0, 1}
        caller.processes[0].works.clear()
        await caller.many(4)
        assert 0 < caller.watches[0].ejected <= 5

    run(scenario)


def test_at_most_half_are_passed_over_because_they_are_stuck() -> None:
    async def scenario() -> None:
        caller = Caller(4)
        for process in caller.processes:
            process.works.clear()
        calls = [asyncio.ensure_future(caller.call()) for _ in range(8)]
        await asyncio.gather(*calls, return_exceptions=True)
        assert all(each.ejected > 0 for each in caller.watches)
        longest = sorted(range(4), key=lambda index: caller.watches[index].ejected)[2:]
        assert set(ordered(caller.watches)) == set(range(4)) - set(longest)

    run(scenario)


def test_the_last_replica_is_waited_for_when_all_are_silent() -> None:
    async def scenario() -> None:
        caller = Caller(2)
        for process in caller.processes:
            process.up.clear()
        calls = [asyncio.ensure_future(caller.call()) for _ in range(4)]
        await until(lambda: any(watch.silent for watch in caller.watches))
        await asyncio.sleep(STUCK_SECONDS)
        assert sum(watch.silent for watch in caller.watches) == 1
        assert not any(call.done() for call in calls)
        for process in caller.processes:
            process.up.set()
        assert len(await asyncio.gather(*calls)) == 4

    run(scenario)


@pytest.mark.parametrize("hangs", ["up", "works"])
def test_the_only_replica_is_waited_for(hangs: str) -> None:
    async def scenario() -> None:
        caller = Caller(1)
        event: asyncio.Event = getattr(caller.processes[0], hangs)
        event.clear()
        calls = [asyncio.ensure_future(caller.call()) for _ in range(3)]
        await asyncio.sleep(STUCK_SECONDS * 2)
        assert not any(call.done() for call in calls)
        assert caller.processes[0].pings == 0
        event.set()
        assert await asyncio.gather(*calls) == [0] * 3

    run(scenario)


def test_a_slow_replica_that_answers_something_is_not_stuck() -> None:
    async def scenario() -> None:
        caller = Caller(2)
        for process in caller.processes:
            process.works.clear()
        calls = [asyncio.ensure_future(caller.call()) for _ in range(2)]
        for _ in range(20):
            await asyncio.sleep(STUCK_SECONDS / 10)
            for watch in caller.watches:
                async with watch.answer():
                    pass
        assert not any(call.done() for call in calls)
        assert all(watch.ejected <= 0 for watch in caller.watches)
        for call in calls:
            call.cancel()

    run(scenario)


def test_nothing_looks_when_no_call_is_under_way() -> None:
    async def scenario() -> None:
        caller = Caller(2)
        await caller.many(4)
        await until(lambda: all(watch._task is None for watch in caller.watches))
        caller.processes[0].up.clear()
        hung = [asyncio.ensure_future(caller.call()) for _ in range(2)]
        await until(lambda: caller.watches[0].silent)
        for call in hung:
            with suppress(TimeoutError):
                await call
        assert caller.watches[0]._task is not None, "a silent replica is pinged until it answers"
        caller.processes[0].up.set()
        await until(lambda: caller.watches[0]._task is None)

    run(scenario)


def made(*states: tuple[bool, int]) -> list[Watch]:
    watches = []
    for near, under_way in states:
        watch = Watch("", Process().ping, lambda: False, 1, near=near)
        watch._sent = {object(): 0.0 for _ in range(under_way)}
        watches.append(watch)
    return watches


def first(watches: list[Watch], count: int) -> list[int]:
    return [ordered(watches)[0] for _ in range(count)]


def test_near_replicas_come_first_while_they_have_room() -> None:
    async def scenario() -> None:
        assert first(made((False, 0), (True, 0)), 3) == [1] * 3
        assert first(made((False, 0), (True, AHEAD - 1)), 3) == [1] * 3
        assert first(made((False, 0), (True, AHEAD)), 3) == [0] * 3
        assert first(made((False, AHEAD + 1), (True, AHEAD)), 3) == [1] * 3
        assert sorted(first(made((True, 0), (True, 0), (False, 0)), 4)) == [0, 0, 1, 1]
        watches = made((False, 0), (True, 0))
        watches[1].silent = True
        assert first(watches, 3) == [0] * 3

    run(scenario)


def test_equal_replicas_take_turns_and_the_less_busy_one_comes_first() -> None:
    async def scenario() -> None:
        assert sorted(first(made((True, 0), (True, 0), (True, 0)), 6)) == [0, 0, 1, 1, 2, 2]
        assert first(made((True, 3), (True, 2), (True, 4)), 3) == [1] * 3
        assert ordered([]) == []


def test_a_replica_that_is_passed_over_is_not_offered_at_all() -> None:
    """Serve goes down the list also for a second call, when it gave the first place to another one."""

    async def scenario() -> None:
        watches = made((True, 0), (True, 5), (True, 7))
        watches[0].silent = True
        assert ordered(watches) == [1, 2]
        watches[1]._until = watches[1]._clock() + 9
        assert ordered(watches) == [2]
        watches[2].silent = True
        assert ordered(watches) == [1], "half of those that answer pings is none of one"
        watches[1].silent = True
        watches[1]._until = 0.0
        assert ordered(watches) == [0, 1, 2]

    run(scenario)


def test_a_process_that_was_stopped_itself_takes_no_other_for_stuck() -> None:
    async def scenario() -> None:
        now = [0.0]
        watch = Watch("", Process().ping, lambda: False, STUCK_SECONDS, clock=lambda: now[0])
        watch.sent(call := object())

        async def work() -> None:
            async with watch.answer():
                await asyncio.sleep(0.3)

        working = asyncio.ensure_future(work())
        await asyncio.sleep(0.03)
        now[0] += 100
        await working
        assert watch.ejected <= 0
        watch.ended(call)

    run(scenario)
