"""A semaphore whose size changes."""

import asyncio

import pytest

from facegroup.pipeline.slots import Slots


@pytest.mark.parametrize(("most", "at_once"), [(1, 1), (3, 3), (0, 1)])
def test_no_more_than_the_limit_at_once(most: int, at_once: int) -> None:
    async def scenario() -> int:
        slots, now, highest = Slots(most), 0, 0

        async def work() -> None:
            nonlocal now, highest
            async with slots:
                now += 1
                highest = max(highest, now)
                await asyncio.sleep(0)
                now -= 1

        await asyncio.gather(*(work() for _ in range(20)))
        return highest

    assert asyncio.run(scenario()) == at_once


def test_the_limit_may_change() -> None:
    async def scenario() -> None:
        most = 1
        slots = Slots(lambda: most)
        await slots.acquire()
        waiting = [asyncio.ensure_future(slots.acquire()) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert [each.done() for each in waiting] == [False] * 3
        most = 3
        slots.release()
        await asyncio.wait_for(asyncio.gather(*waiting), 10)
        most = 1
        late = asyncio.ensure_future(slots.acquire())
        for _ in range(2):
            slots.release()
            await asyncio.sleep(0.01)
            assert not late.done()
        slots.release()
        await asyncio.wait_for(late, 10)

    asyncio.run(scenario())


def test_who_stops_waiting_takes_none() -> None:
    async def scenario() -> None:
        slots = Slots(1)
        await slots.acquire()
        waiting = asyncio.ensure_future(slots.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        slots.release()
        await asyncio.wait_for(slots.acquire(), 10)

    asyncio.run(scenario())
