"""The batcher, on a real event loop: what it does in which order, never how long it takes."""

import asyncio
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from facegroup.errors import NotAnImage, Overloaded, StageUnavailable
from facegroup.pipeline.batcher import Batch, Batcher, own

Item = int


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario; one that hangs fails."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


async def settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


class Bench:
    """A worker that notes its batches, and works and delivers when it is told to."""

    def __init__(self, **options: Any) -> None:
        self.batches: list[list[Item]] = []
        self.delivered: list[list[Item]] = []
        self.ended: list[list[Item]] = []
        self.open, self.road = asyncio.Event(), asyncio.Event()
        self.open.set()
        self.road.set()
        self.busy = 0
        self.waits: list[list[float]] = []
        given: dict[str, Any] = {"limit": 100, "queue": 100, "observe": self._observe} | options
        self.batcher: Batcher[Item, str, str] = Batcher("bench", self._work, self._deliver, **given)

    def _observe(self, waited: Sequence[float]) -> None:
        self.waits.append(list(waited))

    async def _work(self, items: Sequence[Item]) -> str:
        self.busy += 1
        assert self.busy == 1, "work never runs twice at once"
        self.batches.append(list(items))
        await self.open.wait()
        self.busy -= 1
        if -1 in items:
            raise NotAnImage("an item is bad")
        if -2 in items:
            raise RuntimeError("a bug")
        return "done"

    async def _deliver(self, items: Sequence[Item], done: str) -> list[str]:
        self.delivered.append(list(items))
        try:
            await self.road.wait()
        except asyncio.CancelledError:
            self.ended.append(list(items))
            raise
        if -3 in items:
            raise StageUnavailable("the next stage is away")
        return [f"{item} {done}" for item in items if item != -4]

    def ask(self, *items: Item) -> list[asyncio.Task[str]]:
        return [asyncio.ensure_future(self.batcher(item)) for item in items]


def test_an_item_alone_is_worked_on_at_once() -> None:
    async def scenario() -> None:
        bench = Bench()
        assert await bench.batcher(1) == "1 done"
        assert await bench.batcher(2) == "2 done"
        assert bench.batches == [[1], [2]]
        assert [len(each) for each in bench.waits] == [1, 1]
        assert (bench.batcher.fill.batches, bench.batcher.fill.items) == (2, 2)


def test_how_long_each_item_waited_is_told() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.open.clear()
        first = bench.ask(1)
        await settle()
        second = bench.ask(2, 3)
        await asyncio.sleep(0.05)
        bench.open.set()
        await asyncio.gather(*first, *second)
        assert [len(each) for each in bench.waits] == [1, 2]
        assert min(bench.waits[1]) >= 0.05
        assert bench.waits[0][0] >= 0

    run(scenario)


def test_what_comes_at_one_moment_is_one_batch() -> None:
    async def scenario() -> None:
        bench = Bench()
        assert await asyncio.gather(*bench.ask(1, 2, 3)) == ["1 done", "2 done", "3 done"]
        assert bench.batches == [[1, 2, 3]]

    run(scenario)


def test_a_batch_is_formed_when_the_worker_is_free() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.open.clear()
        asked = bench.ask(1)
        await settle()
        for item in range(2, 9):  # they come one by one, while the worker is busy
            asked += bench.ask(item)
            await settle()
        assert bench.batches == [[1]]
        assert bench.batcher.fill.waiting == 7
        bench.open.set()
        await asyncio.gather(*asked)
        assert bench.batches == [[1], [2, 3, 4, 5, 6, 7, 8]]
        assert bench.batcher.fill.waiting == 0

    run(scenario)


@pytest.mark.parametrize(
    ("items", "options", "expected"),
    [
        ([4, 4, 4, 4], {"limit": 8}, [[4, 4], [4, 4]]),
        ([4, 5, 4, 4], {"limit": 8}, [[4], [5], [4, 4]]),
        ([50, 1, 1], {"limit": 8}, [[50], [1, 1]]),
        ([1, 50, 1], {"limit": 8}, [[1], [50], [1]]),
        ([0, 0, 8, 0], {"limit": 8}, [[0, 0, 8, 0]]),
        ([1, 1, 1, 1, 1], {"limit": 8, "size": 2}, [[1, 1], [1, 1], [1]]),
        ([9, 9], {"limit": 8}, [[9], [9]]),
    ],
)
def test_the_limits_of_a_batch(items: list[Item], options: dict[str, Any], expected: list[list[Item]]) -> None:
    async def scenario() -> None:
        bench = Bench(cost=float, **options)
        assert len(await asyncio.gather(*bench.ask(*items))) == len(items)
        assert bench.batches == expected
        fill = bench.batcher.fill
        assert (fill.batches, fill.items, fill.cost) == (len(expected), len(items), sum(items))

    run(scenario)


@pytest.mark.parametrize("item", [1, -1])
def test_the_seconds_of_work_are_counted_and_no_others(item: int) -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.open.clear()
        bench.road.clear()
        (asked,) = bench.ask(item)
        await settle()  # it works now, so that all of the sleep is its
        await asyncio.sleep(0.05)
        assert bench.batcher.fill.seconds == 0
        bench.open.set()
        await settle()
        worked = bench.batcher.fill.seconds
        assert worked >= 0.049
        await asyncio.sleep(0.05)
        bench.road.set()
        await asyncio.gather(asked, return_exceptions=True)
        assert bench.batcher.fill.seconds == worked

    run(scenario)


def test_a_full_queue_sheds() -> None:
    async def scenario() -> None:
        bench = Bench(queue=2)
        bench.open.clear()
        asked = bench.ask(1)
        await settle()
        asked += bench.ask(2, 3)
        await settle()
        assert not bench.batcher.has_room(1)
        with pytest.raises(Overloaded):
            await bench.batcher(4)
        assert bench.batcher.fill.shed == 1
        bench.open.set()
        assert await asyncio.gather(*asked) == ["1 done", "2 done", "3 done"]
        assert bench.batcher.has_room(2)
        assert await bench.batcher(5) == "5 done"

    run(scenario)


def test_callers_who_have_gone_cost_nothing() -> None:
    async def scenario() -> None:
        bench = Bench(queue=3, limit=2)
        bench.open.clear()
        first = bench.ask(1)
        await settle()
        gone, stays = bench.ask(2, 3), bench.ask(4)
        await settle()
        for task in gone:
            task.cancel()
        await settle()
        more = bench.ask(5)  # there is room again
        await settle()
        bench.open.set()
        assert await asyncio.gather(*first, *stays, *more) == ["1 done", "4 done", "5 done"]
        assert bench.batches == [[1], [4, 5]]
        assert (bench.batcher.fill.gone, bench.batcher.fill.items, bench.batcher.fill.shed) == (2, 3, 0)

    run(scenario)


def test_a_caller_who_goes_while_worked_for_harms_nobody() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.open.clear()
        one, two = bench.ask(1, 2)
        await settle()
        one.cancel()
        await settle()
        bench.open.set()
        assert await two == "2 done"
        assert await bench.batcher(3) == "3 done"

    run(scenario)


@pytest.mark.parametrize("count", [1, 3])
def test_the_last_waiting_caller_may_go(count: int) -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.open.clear()
        first = bench.ask(1)
        await settle()
        others = bench.ask(*range(2, 2 + count))
        await settle()
        for task in others:
            task.cancel()
        await settle()
        bench.open.set()
        assert await first[0] == "1 done"
        await settle()
        assert await bench.batcher(9) == "9 done"
        assert bench.batches == [[1], [9]]

    run(scenario)


def test_the_only_caller_may_go_before_the_worker_wakes() -> None:
    async def scenario() -> None:
        bench = Bench()
        (task,) = bench.ask(1)
        await asyncio.sleep(0)
        task.cancel()
        await settle()
        assert bench.batches == []
        assert await bench.batcher(2) == "2 done"

    run(scenario)


@pytest.mark.parametrize(
    ("bad", "error"),
    [(-1, NotAnImage), (-2, RuntimeError), (-3, StageUnavailable), (-4, RuntimeError)],
    ids=["work", "work, a bug", "deliver", "too few answers"],
)
def test_a_failing_batch_fails_its_items_only(bad: Item, error: type[Exception]) -> None:
    async def scenario() -> None:
        bench = Bench(size=2)
        answers = await asyncio.gather(*bench.ask(1, 2, bad, 3, 4, 5), return_exceptions=True)
        assert [type(answer) for answer in answers] == [str, str, error, error, str, str]
        assert await bench.batcher(6) == "6 done"

    run(scenario)


def test_a_worker_that_is_cancelled_leaves_nobody_waiting() -> None:
    """As when an executor is shut down, or the call to the next stage is given up."""

    async def scenario() -> None:
        async def work(items: Sequence[Item]) -> str:
            if items[0] == 1:
                raise asyncio.CancelledError
            return "done"

        async def deliver(items: Sequence[Item], done: str) -> list[str]:
            if items[0] == 2:
                raise asyncio.CancelledError
            return [done for _ in items]

        batcher: Batcher[Item, str, str] = Batcher("bench", work, deliver, limit=1, queue=9)
        for item in (1, 2):
            with pytest.raises(StageUnavailable):
                await batcher(item)
            (answer,) = await batcher.many([item])
            assert isinstance(answer, StageUnavailable)
        assert await batcher(3) == "done"

    run(scenario)


def test_many_gives_errors_as_values() -> None:
    async def scenario() -> None:
        bench = Bench(size=1, queue=4)
        answers = await bench.batcher.many([1, -1, 2, -3, 3, 4])
        assert [type(answer) for answer in answers] == [str, NotAnImage, str, StageUnavailable, Overloaded, Overloaded]
        assert await bench.batcher.many([]) == []
        with pytest.raises(RuntimeError, match="a bug"):
            await bench.batcher.many([1, -2])

    run(scenario)


def test_many_that_is_cancelled_leaves_the_queue() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.open.clear()
        first = bench.ask(1)
        await settle()
        many = asyncio.ensure_future(bench.batcher.many([2, 3]))
        await settle()
        many.cancel()
        await settle()
        bench.open.set()
        await asyncio.gather(*first)
        assert await bench.batcher(4) == "4 done"
        assert bench.batches == [[1], [4]]

    run(scenario)


@pytest.mark.parametrize("ahead", [1, 2])
def test_a_delivery_that_is_cancelled_before_it_begins_is_in_nobodys_way(ahead: int) -> None:
    """Two callers leave around the moment at which their delivery is made: what it holds is given back all the same."""

    async def scenario() -> None:
        bench = Bench(ahead=ahead)
        loop = asyncio.get_running_loop()
        for _ in range(ahead):
            bench.open.clear()
            one, other = bench.ask(1, 2)
            await settle()
            # In the next turn of the loop: the work ends, `other` is cancelled, and `one` leaves as the last.
            bench.open.set()
            loop.call_soon(other.cancel)
            one.cancel()
            await settle()
            assert one.cancelled()
            assert other.cancelled()
            assert bench.delivered == []
        assert await bench.batcher(9) == "9 done"

    run(scenario)


@pytest.mark.parametrize("ahead", [1, 2, 3])
def test_slow_deliveries_block_work_only_beyond_ahead(ahead: int) -> None:
    async def scenario() -> None:
        bench = Bench(size=1, ahead=ahead)
        bench.road.clear()
        asked = bench.ask(*range(6))
        await settle()
        assert len(bench.delivered) == len(bench.batches) == ahead
        assert bench.batcher.fill.waiting == 6 - ahead
        bench.road.set()
        assert await asyncio.gather(*asked) == [f"{item} done" for item in range(6)]

    run(scenario)


def test_a_batch_is_formed_no_earlier_than_it_can_be_worked_on() -> None:
    """While deliveries are held up, what comes joins the batch that waits for them."""

    async def scenario() -> None:
        bench = Bench(ahead=1)
        bench.road.clear()
        asked = bench.ask(1)
        await settle()
        asked += bench.ask(2)
        await settle()
        asked += bench.ask(3)
        await settle()
        bench.road.set()
        await asyncio.gather(*asked)
        assert bench.batches == [[1], [2, 3]]

    run(scenario)


def test_a_thousand_callers_are_answered_each_their_own() -> None:
    async def scenario() -> None:
        bench = Bench(limit=32, queue=2000)

        async def ask(item: Item) -> str:
            for _ in range(item % 7):
                await asyncio.sleep(0)
            return await bench.batcher(item)

        answers = await asyncio.gather(*(ask(item) for item in range(1000)))
        assert answers == [f"{item} done" for item in range(1000)]
        assert sorted(item for batch in bench.batches for item in batch) == list(range(1000))
        assert max(map(len, bench.batches)) == 32

    run(scenario)


class Two(Bench):
    """A worker for whom items of 100 and more are in the background."""

    def __init__(self, **options: Any) -> None:
        super().__init__(background=lambda item: item >= 100, **options)


@pytest.mark.parametrize(
    ("share", "batches"),
    [
        (0.0, [[1, 2, 3, 4], [5, 6, 7, 8], [9, 100, 101, 102]]),
        (0.25, [[1, 2, 3, 100], [4, 5, 6, 101], [7, 8, 9, 102]]),
        (0.5, [[1, 2, 100, 101], [3, 4, 102, 5], [6, 7, 8, 9]]),
        (1.0, [[1, 100, 101, 102], [2, 3, 4, 5], [6, 7, 8, 9]]),
    ],
)
def test_the_background_has_its_share_and_what_is_left(share: float, batches: list[list[Item]]) -> None:
    async def scenario() -> None:
        bench = Two(limit=4, share=share, ahead=1)
        bench.open.clear()
        first = bench.ask(0)
        await settle()
        rest = bench.ask(100, 101, 102, *range(1, 10))
        await settle()
        assert bench.batcher.fill.waiting == 12
        bench.open.set()
        await asyncio.gather(*first, *rest)
        assert bench.batches == [[0], *batches]

    run(scenario)


def test_the_background_alone_fills_batches() -> None:
    async def scenario() -> None:
        bench = Two(limit=3, share=0.25)
        bench.open.clear()
        first = bench.ask(0)
        await settle()
        rest = bench.ask(*range(100, 105))
        await settle()
        bench.open.set()
        await asyncio.gather(*first, *rest)
        assert bench.batches == [[0], [100, 101, 102], [103, 104]]

    run(scenario)


def test_the_background_never_takes_the_others_place() -> None:
    async def scenario() -> None:
        bench = Two(limit=1, queue=4)
        bench.open.clear()
        first = bench.ask(0)
        await settle()
        patient = bench.ask(100, 101, 102)
        await settle()
        assert [each.done() for each in patient] == [False, False, True]
        with pytest.raises(Overloaded):
            patient[2].result()
        assert bench.batcher.has_room(4)
        others = bench.ask(1, 2, 3, 4)
        patient[0].cancel()  # gone, so that there is room for another
        await settle()
        late = bench.ask(103)
        await settle()
        assert not late[0].done()
        bench.open.set()
        await asyncio.gather(*first, patient[1], *others, *late)
        assert bench.batches == [[0], [1], [2], [3], [4], [101], [103]]
        assert bench.batcher.fill.shed == 1
        assert bench.batcher.fill.gone == 1

    run(scenario)


def owners(batches: list[list[Item]]) -> list[int]:
    """Return whose each batch is; items are their owner's number times 100, and more."""
    assert all(len({item // 100 for item in batch}) == 1 for batch in batches)
    return [batch[0] // 100 for batch in batches]


class Owned(Bench):
    """A worker for whom the hundreds of an item are its owner."""

    def __init__(self, **options: Any) -> None:
        super().__init__(owner=lambda item: str(item // 100), **options)


@pytest.mark.parametrize(
    ("asked", "options", "expected"),
    [
        ({1: 9, 2: 1, 3: 1}, {"limit": 1}, [1, 2, 3, 1, 1, 1, 1, 1, 1, 1, 1]),
        ({1: 4, 2: 4}, {"limit": 1}, [1, 2, 1, 2, 1, 2, 1, 2]),
        ({1: 6, 2: 3, 3: 1}, {"limit": 2}, [1, 2, 3, 1, 2, 1]),
        ({1: 5}, {"limit": 3}, [1, 1]),
    ],
)
def test_owners_take_turns(asked: dict[int, int], options: dict[str, Any], expected: list[int]) -> None:
    async def scenario() -> None:
        bench = Owned(ahead=1, **options)
        bench.open.clear()
        first = bench.ask(0)
        await settle()
        rest = [task for owner, count in asked.items() for task in bench.ask(*range(owner * 100, owner * 100 + count))]
        await settle()
        bench.open.set()
        await asyncio.gather(*first, *rest)
        assert owners(bench.batches[1:]) == expected

    run(scenario)


def test_what_comes_later_passes_who_has_had_much() -> None:
    """One asks for a thousand times as much as eight others, who come one after the other: each is next but one."""

    async def scenario() -> None:
        cost = {1: 1000.0}
        bench = Owned(ahead=1, limit=1, cost=lambda item: cost.get(item // 100, 1.0))
        bench.open.clear()
        large = bench.ask(*range(100, 120))
        await settle()
        small = []
        for owner in range(2, 10):
            small += bench.ask(owner * 100)
            await settle()
        bench.open.set()
        await asyncio.gather(*small)
        assert owners(bench.batches)[:9] == [1, *range(2, 10)]
        assert sum(task.done() for task in large) < 3
        assert await asyncio.gather(*large) == [f"{item} done" for item in range(100, 120)]

    run(scenario)


def test_who_is_always_there_has_its_share_beside_who_comes_again_and_again() -> None:
    async def scenario() -> None:
        bench = Owned(ahead=1, limit=1)
        large = bench.ask(*range(100, 120))
        for owner in range(2, 42):
            await asyncio.gather(*bench.ask(owner * 100))
        assert owners(bench.batches).count(1) >= 10
        await asyncio.gather(*large)

    run(scenario)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([4, 4, 4, 4], [[4, 4], [4, 4]]),
        ([4, 5, 4, 4], [[4], [5], [4, 4]]),
        ([50, 1, 1], [[50], [1, 1]]),
        ([9, 9], [[9], [9]]),
    ],
)
def test_the_bytes_of_a_batch(items: list[Item], expected: list[list[Item]]) -> None:
    async def scenario() -> None:
        bench = Bench(weigh=lambda item: item, size_bytes=8)
        assert len(await asyncio.gather(*bench.ask(*items))) == len(items)
        assert bench.batches == expected

    run(scenario)


def test_the_bytes_of_a_queue() -> None:
    async def scenario() -> None:
        bench = Bench(weigh=lambda item: item, queue_bytes=10, limit=1)
        bench.open.clear()
        first = bench.ask(1)
        await settle()
        assert bench.batcher.has_room(1, 50), "what is larger than the queue is taken where nothing waits"
        waiting = bench.ask(4, 5)
        await settle()
        assert bench.batcher.has_room(1, 1)
        assert not bench.batcher.has_room(1, 2)
        with pytest.raises(Overloaded):
            await bench.batcher(2)
        waiting[0].cancel()  # gone, so that there is room for another
        await settle()
        waiting += bench.ask(3)
        await settle()
        bench.open.set()
        assert await asyncio.gather(*first, *waiting[1:]) == ["1 done", "5 done", "3 done"]
        bench.open.clear()
        again = bench.ask(1)
        await settle()
        assert bench.batcher.has_room(1, 10), "nothing of what was answered is left in the count"
        again += bench.ask(10)
        await settle()
        bench.open.set()
        assert await asyncio.gather(*again) == ["1 done", "10 done"]

    run(scenario)


@pytest.mark.parametrize("item", [-1, -2, -3])
def test_each_item_of_a_failed_batch_has_an_exception_of_its_own(item: Item) -> None:
    async def scenario() -> None:
        bench = Bench()
        errors = await asyncio.gather(*bench.ask(*range(20), item), return_exceptions=True)
        assert bench.batches == [[*range(20), item]]
        assert len({id(error) for error in errors}) == 21
        assert len({(type(error), str(error)) for error in errors}) == 1
        for error in errors:
            assert isinstance(error, Exception)
            frames = traceback.extract_tb(error.__traceback__)
            assert len(frames) < 8, "another's way up is not in it"

    run(scenario)


def test_an_exception_that_cannot_be_copied_is_told_all_the_same() -> None:
    class Odd(Exception):
        def __init__(self, one: int, other: int) -> None:
            super().__init__(f"{one} and {other}")

    made = own(Odd(1, 2))
    assert (type(made), str(made)) == (RuntimeError, "Odd: 1 and 2")


def test_what_is_done_for_a_batch_ends_when_all_who_waited_have_gone() -> None:
    async def scenario() -> None:
        bench = Bench(limit=2)
        bench.road.clear()
        many = asyncio.ensure_future(bench.batcher.many([1, 2]))
        await settle()
        one, two = bench.ask(3, 4)
        await settle()
        assert bench.delivered == [[1, 2], [3, 4]]
        assert bench.ended == []
        many.cancel()
        one.cancel()
        await settle()
        assert bench.ended == [[1, 2]], "somebody waits for the other one"
        bench.road.set()
        assert await two == "4 done"
        assert await asyncio.gather(*bench.ask(5, 6, 7)) == ["5 done", "6 done", "7 done"]

    run(scenario)


def test_work_hears_who_has_gone_and_nothing_is_delivered_for_nobody() -> None:
    async def scenario() -> None:
        heard: list[list[bool]] = []
        gone, stays = asyncio.Event(), asyncio.Event()

        async def work(items: Batch[Item]) -> None:
            gone.set()
            await stays.wait()
            heard.append([items.wanted(index) for index in range(len(items))])

        async def deliver(items: Sequence[Item], done: None) -> Sequence[Item]:
            delivered.append(list(items))
            return items

        delivered: list[list[Item]] = []
        batcher: Batcher[Item, None, Item] = Batcher("bench", work, deliver, limit=2, queue=9)
        tasks = [asyncio.ensure_future(batcher(item)) for item in (1, 2, 3, 4)]
        await gone.wait()
        for task in (tasks[0], tasks[1], tasks[2]):
            task.cancel()
        await settle()
        stays.set()
        assert await tasks[3] == 4
        assert heard == [[False, False], [True]]
        assert delivered == [[4]]

    run(scenario)
