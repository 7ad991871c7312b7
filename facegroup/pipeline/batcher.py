"""Form batches of single items when the worker becomes free, and return an answer to each caller.

Without load, an item is processed at once and alone. Under load, the items that arrived meanwhile form the next batch. There
is no timer: one that formed batches while the worker was busy turned 100 requests on a 200 ms model into 100 batches.
The queue is limited in items and in bytes; callers beyond the limit get `Overloaded` at once. Items whose callers have left
are skipped, and the work on a batch ends when all of its callers have left. Owners of many items take turns
(`facegroup/pipeline/turns.py`). The design follows text-embeddings-inference's queue (its core/src/queue.rs).
"""

import asyncio
import contextvars
import copy
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from facegroup.errors import FacegroupError, Overloaded, StageUnavailable
from facegroup.pipeline.slots import Slots
from facegroup.pipeline.turns import Turns

In = TypeVar("In")
Mid = TypeVar("Mid")
Out = TypeVar("Out")


@dataclass(slots=True, eq=False)
class Fill:
    """Counters of a batcher, for metrics.

    Attributes:
        batches: batches processed so far.
        items: items in them.
        cost: their total cost.
        waiting: items in the queue now.
        shed: items refused because the queue was full.
        gone: items skipped because their callers had left.
        seconds: total working time.
    """

    batches: int = 0
    items: int = 0
    cost: float = 0
    waiting: int = 0
    shed: int = 0
    gone: int = 0
    seconds: float = 0


@dataclass(slots=True, eq=False)
class _Waiting(Generic[In, Out]):
    item: In
    cost: float
    size: int
    since: float
    answer: "asyncio.Future[Out]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    batch: "Batch[In] | None" = None


class Batch(list[In], Generic[In]):
    """Items that are processed together.

    Args:
        waiting: the items with their pending answers.
    """

    def __init__(self, waiting: "Sequence[_Waiting[In, Any]]") -> None:
        super().__init__(each.item for each in waiting)
        self._answers = [each.answer for each in waiting]
        self.delivery: asyncio.Task[None] | None = None

    def wanted(self, index: int) -> bool:
        """Return whether a caller still waits for the answer to an item. Any thread may call this."""
        return not self._answers[index].done()

    def any_wanted(self) -> bool:
        """Return whether a caller still waits for any answer."""
        return not all(answer.done() for answer in self._answers)


class Batcher(Generic[In, Mid, Out]):
    """Class that queues items for a worker that processes them in batches.

    Args:
        name: name of the worker, for messages and metrics.
        work: processes a batch; never runs twice at once. It may ask the batch which of its items are still wanted.
        deliver: passes the result of `work` to the next stage and returns one answer per item. It may overlap the work on
            the next batch, up to `ahead` times. It is cancelled when no caller waits for its answers.
        limit: most cost in one batch; a single item may cost more.
        size: most items in one batch.
        size_bytes: most bytes in one batch; a single item may have more.
        queue: most items waiting.
        queue_bytes: most bytes of waiting items.
        cost: returns the cost of an item.
        weigh: returns the bytes of an item.
        owner: returns the owner of an item. Owners take turns, and a batch has items of one owner. Items with an empty owner
            take no turns.
        ahead: most concurrent deliveries, or a function that returns it. At the limit no new batch is formed, so a slow next
            stage fills this queue instead of its own.
        observe: called when a batch is formed, with the seconds that each of its items has waited.
        background: returns whether an item may wait for the others, in a queue of its own that is half as long.
        share: share of a batch for background items while others wait; 0 puts the others first.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Batch[In]], Awaitable[Mid]],
        deliver: Callable[[Sequence[In], Mid], Awaitable[Sequence[Out]]],
        *,
        limit: float,
        queue: int,
        size: int = 1 << 30,
        size_bytes: int = 1 << 62,
        queue_bytes: int = 1 << 62,
        cost: Callable[[In], float] = lambda item: 1,
        weigh: Callable[[In], int] = lambda item: 0,
        owner: Callable[[In], str] = lambda item: "",
        ahead: int | Callable[[], int] = 2,
        observe: Callable[[Sequence[float]], None] = lambda waited: None,
        background: Callable[[In], bool] = lambda item: False,
        share: float = 0,
    ) -> None:
        self.fill = Fill()
        self._name = name
        self._work = work
        self._deliver = deliver
        self._limit = limit
        self._size = size
        self._size_bytes = size_bytes
        self._queue = queue
        self._queue_bytes = queue_bytes
        self._cost = cost
        self._weigh = weigh
        self._owner = owner
        self._observe = observe
        self._ahead = Slots(ahead)
        self._background = background
        self._share = share
        self._waiting: Turns[_Waiting[In, Out]] = Turns()
        self._background_items: Turns[_Waiting[In, Out]] = Turns()
        self._bytes = 0  # of all waiting items
        self._left = False  # whether callers of queued items may have left
        self._worker: asyncio.Task[None] | None = None
        self._deliveries: set[asyncio.Task[None]] = set()

    async def __call__(self, item: In) -> Out:
        """Return the answer for one item.

        Raises:
            Overloaded: the queue is full. Nothing was done.
            Exception: the worker's error for the whole batch, as a copy for this item.
        """
        waiting = self._accept(item)
        try:
            return await waiting.answer
        finally:
            self._leave([waiting])

    async def many(self, items: Sequence[In]) -> list[Out | FacegroupError]:
        """Return the answer for each item in order, or its error if it failed or did not fit into the queue."""
        accepted = [self._offer(item) for item in items]
        waiting = [each for each in accepted if isinstance(each, _Waiting)]
        try:
            await asyncio.gather(*(each.answer for each in waiting), return_exceptions=True)
        finally:
            self._leave(waiting)
        return [each if isinstance(each, FacegroupError) else _outcome(each.answer) for each in accepted]

    def has_room(self, count: int, size: int = 0) -> bool:
        """Return whether the queue has room for `count` items of `size` bytes in total."""
        if self._is_full(count, size):
            self._tidy()
        return not self._is_full(count, size)

    def _is_full(self, count: int, size: int) -> bool:
        # An empty queue accepts one item of any size.
        over = self._bytes + size > self._queue_bytes and self._bytes > 0
        return len(self._waiting) + count > self._queue or over

    def _offer(self, item: In) -> "_Waiting[In, Out] | FacegroupError":
        try:
            return self._accept(item)
        except Overloaded as error:
            return error

    def _accept(self, item: In) -> _Waiting[In, Out]:
        background = self._background(item)
        size = self._weigh(item)
        if not (self._has_background_room(size) if background else self.has_room(1, size)):
            self.fill.shed += 1
            raise Overloaded(
                f"The {self._name} is overloaded: {self._queue} items are already waiting. Try again later."
            )
        waiting: _Waiting[In, Out] = _Waiting(item, self._cost(item), size, time.perf_counter())
        (self._background_items if background else self._waiting).add(self._owner(item), waiting)
        self._bytes += size
        self.fill.waiting = len(self._waiting) + len(self._background_items)
        if self._worker is None:
            # In an empty context, because Ray Serve cancels everything called in the context of a cancelled request.
            self._worker = asyncio.get_running_loop().create_task(self._run(), context=contextvars.Context())
        return waiting

    async def _run(self) -> None:
        # One turn of the loop, so that items that arrive at the same moment form one batch.
        await asyncio.sleep(0)
        try:
            while self._waiting or self._background_items:
                await self._ahead.acquire()
                batch = self._take()
                if not batch:
                    self._ahead.release()
                    continue
                items = Batch(batch)
                for each in batch:
                    each.batch = items
                begun = time.perf_counter()
                try:
                    done = await self._work(items)
                except (Exception, asyncio.CancelledError) as error:
                    self._ahead.release()
                    self._fail(batch, error)
                    continue
                finally:
                    self.fill.seconds += time.perf_counter() - begun
                if not items.any_wanted():
                    self._ahead.release()
                    continue
                items.delivery = asyncio.get_running_loop().create_task(self._answer(batch, items, done))
                self._deliveries.add(items.delivery)
                items.delivery.add_done_callback(self._delivered)
        finally:
            self._worker = None

    async def _answer(self, batch: list[_Waiting[In, Out]], items: Batch[In], done: Mid) -> None:
        try:
            answers = await self._deliver(items, done)
            if len(answers) != len(batch):
                raise RuntimeError(f"Bug: {self._name} returned {len(answers)} answers for {len(batch)} items.")
        except (Exception, asyncio.CancelledError) as error:
            self._fail(batch, error)
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)

    def _delivered(self, delivery: asyncio.Task[None]) -> None:
        """Allow the next delivery. This is a callback because a task cancelled before its first step runs no code."""
        self._deliveries.discard(delivery)
        self._ahead.release()

    def _fail(self, batch: list[_Waiting[In, Out]], error: BaseException) -> None:
        """Answer a whole batch with an error, so that no caller waits for ever.

        Raises:
            CancelledError: the batcher's own task is being cancelled.
        """
        cancelled = isinstance(error, asyncio.CancelledError)
        if cancelled:
            # An executor was shut down, or the call to the next stage was cancelled. A cancelled future would look like a
            # caller who has left.
            error = StageUnavailable(f"The {self._name} cancelled the work. Try again later.")
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_exception(own(error))
        task = asyncio.current_task()
        if cancelled and task is not None and task.cancelling():
            raise asyncio.CancelledError

    def _take(self) -> list[_Waiting[In, Out]]:
        """Form the next batch within the limits, from the owner whose turn it is, the oldest items first."""
        batch: list[_Waiting[In, Out]] = []
        kept = self._share if self._background_items else 0.0
        turn, next_turn = self._waiting.owner(), self._background_items.owner()
        most = (self._limit * (1 - kept), max(1, round(self._size * (1 - kept))))
        cost = self._move(self._waiting, turn, batch, 0.0, *most)
        cost = self._move(self._background_items, next_turn, batch, cost, self._limit, self._size)
        cost = self._move(self._waiting, turn, batch, cost, self._limit, self._size)
        self.fill.waiting = len(self._waiting) + len(self._background_items)
        if batch:
            self.fill.batches += 1
            self.fill.items += len(batch)
            self.fill.cost += cost
            now = time.perf_counter()
            self._observe([now - each.since for each in batch])
        return batch

    def _move(
        self,
        queue: "Turns[_Waiting[In, Out]]",
        owner: str,
        batch: "list[_Waiting[In, Out]]",
        cost: float,
        limit: float,
        size: int,
    ) -> float:
        """Move the owner's items that fit from a queue to the batch, and return the batch's cost."""
        weight = sum(each.size for each in batch)
        while len(batch) < size and (first := queue.first(owner)) is not None:
            if first.answer.done():
                queue.take(owner, 0)
                self._bytes -= first.size
                self.fill.gone += 1
                continue
            if batch and (cost + first.cost > limit or weight + first.size > self._size_bytes):
                break
            cost += first.cost
            weight += first.size
            self._bytes -= first.size
            batch.append(queue.take(owner, first.cost))
        return cost

    def _has_background_room(self, size: int) -> bool:
        most = max(1, self._queue // 2)
        if len(self._background_items) >= most or self._is_full(0, size):
            self._tidy()
        return len(self._background_items) < most and not self._is_full(0, size)

    def _leave(self, callers: "Sequence[_Waiting[In, Out]]") -> None:
        """Cancel the work for callers who leave. For answered callers it does nothing."""
        for each in callers:
            each.answer.cancel()
        if not any(each.answer.cancelled() for each in callers):
            return
        self._left = True
        for batch in _distinct(each.batch for each in callers):
            if batch.delivery is not None and not batch.any_wanted():
                batch.delivery.cancel()

    def _tidy(self) -> None:
        """Remove items whose callers have left. It runs only after a caller left, not for each of thousands of refusals."""
        if not self._left:
            return
        self._left = False
        for queue in (self._waiting, self._background_items):
            self.fill.gone += queue.keep(lambda each: not each.answer.done())
        self._bytes = sum(each.size for queue in (self._waiting, self._background_items) for each in queue)


async def gather(items: Sequence[object]) -> None:
    """Do nothing, as the work of a batcher that only forms batches."""


def own(error: BaseException) -> BaseException:
    """Return a copy of an exception for one item, because each raise of a shared one adds to its traceback."""
    try:
        made = copy.copy(error)
    except Exception:  # it cannot be rebuilt from its arguments
        made = RuntimeError(f"{type(error).__name__}: {error}")
    made.__cause__ = error.__cause__
    return made.with_traceback(error.__traceback__)


def _distinct(batches: "Iterable[Batch[In] | None]") -> "list[Batch[In]]":
    return list({id(each): each for each in batches if each is not None}.values())


def _outcome(answer: "asyncio.Future[Any]") -> Any:
    error = answer.exception()
    if error is None:
        return answer.result()
    if isinstance(error, FacegroupError):
        return error
    raise error
