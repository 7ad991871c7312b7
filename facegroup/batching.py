"""Single items → batches, formed at the moment when the worker is free, and answers back to whoever asked.

Under no load an item is worked on at once and alone; under load whatever has come meanwhile is the next batch. There is
no timer: one that cuts batches while the worker is busy turned 100 requests on a 200 ms model into 100 batches.
The queue is bounded; beyond it callers get `Overloaded` at once. Callers who have gone are skipped.
The form is that of text-embeddings-inference's queue (its core/src/queue.rs).
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from facegroup.errors import FacegroupError, Overloaded, StageUnavailable

In = TypeVar("In")
Mid = TypeVar("Mid")
Out = TypeVar("Out")


@dataclass(slots=True, eq=False)
class Fill:
    """What a batcher does, for metrics: read by whoever exports them.

    Attributes:
        batches: batches worked on so far.
        items: items in them.
        cost: their cost.
        waiting: items in the queue now.
        shed: items refused because the queue was full.
        gone: items skipped because nobody waited for them any more.
        seconds: that the work took, of all batches.
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
    answer: "asyncio.Future[Out]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batcher(Generic[In, Mid, Out]):
    """A queue in front of a worker that likes batches.

    Args:
        name: of the worker, for messages and metrics.
        work: does a batch; never runs twice at once.
        deliver: takes what `work` gave to the next stage and returns one answer per item; it may overlap the work on the
            next batch, up to `ahead` times.
        limit: most cost in one batch; a single item may cost more.
        size: most items in one batch.
        queue: most items waiting.
        cost: of one item.
        ahead: deliveries under way at once; when all are taken no new batch is formed, so a slow next stage fills this
            queue and not its own.
        observe: told the counters after each batch is formed.
        background: whether an item may wait for the others: it has a queue of its own, half as long.
        share: part of a batch that is left to those while others wait; 0: others first.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[In]], Awaitable[Mid]],
        deliver: Callable[[Sequence[In], Mid], Awaitable[Sequence[Out]]],
        *,
        limit: float,
        queue: int,
        size: int = 1 << 30,
        cost: Callable[[In], float] = lambda item: 1,
        ahead: int = 2,
        observe: Callable[[Fill], None] = lambda fill: None,
        background: Callable[[In], bool] = lambda item: False,
        share: float = 0,
    ) -> None:
        self.fill = Fill()
        self._name = name
        self._work = work
        self._deliver = deliver
        self._limit = limit
        self._size = size
        self._queue = queue
        self._cost = cost
        self._observe = observe
        self._ahead = asyncio.Semaphore(ahead)
        self._background = background
        self._share = share
        self._waiting: deque[_Waiting[In, Out]] = deque()
        self._patient: deque[_Waiting[In, Out]] = deque()
        self._left = False  # whether somebody in the queues may have gone
        self._worker: asyncio.Task[None] | None = None
        self._deliveries: set[asyncio.Task[None]] = set()

    async def __call__(self, item: In) -> Out:
        """Return the answer for one item.

        Raises:
            Overloaded: the queue is full; nothing was done.
            Exception: whatever the worker raised for the whole batch.
        """
        waiting = self._accept(item)
        try:
            return await waiting.answer
        finally:
            self._leave([waiting])

    async def many(self, items: Sequence[In]) -> list[Out | FacegroupError]:
        """Return the answer for each item, in order; one that failed, or had no place in the queue, is its error."""
        accepted = [self._offer(item) for item in items]
        waiting = [each for each in accepted if isinstance(each, _Waiting)]
        try:
            await asyncio.gather(*(each.answer for each in waiting), return_exceptions=True)
        finally:
            self._leave(waiting)
        return [each if isinstance(each, FacegroupError) else _outcome(each.answer) for each in accepted]

    def has_room(self, count: int) -> bool:
        """Say whether the queue would take so many items now."""
        if len(self._waiting) + count > self._queue:
            self._tidy()
        return len(self._waiting) + count <= self._queue

    def _offer(self, item: In) -> "_Waiting[In, Out] | FacegroupError":
        try:
            return self._accept(item)
        except Overloaded as error:
            return error

    def _accept(self, item: In) -> _Waiting[In, Out]:
        patient = self._background(item)
        if not (self._has_room_behind() if patient else self.has_room(1)):
            self.fill.shed += 1
            raise Overloaded(f"{self._name}: {self._queue} items are waiting already; try again later")
        waiting: _Waiting[In, Out] = _Waiting(item, self._cost(item))
        (self._patient if patient else self._waiting).append(waiting)
        self.fill.waiting = len(self._waiting) + len(self._patient)
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._run())
        return waiting

    async def _run(self) -> None:
        # One turn of the loop, so that items that come at the same moment are seen together.
        await asyncio.sleep(0)
        try:
            while self._waiting or self._patient:
                await self._ahead.acquire()
                batch = self._take()
                if not batch:
                    self._ahead.release()
                    continue
                items = [each.item for each in batch]
                begun = time.perf_counter()
                try:
                    done = await self._work(items)
                except (Exception, asyncio.CancelledError) as error:
                    self._ahead.release()
                    self._fail(batch, error)
                    continue
                finally:
                    self.fill.seconds += time.perf_counter() - begun
                delivery = asyncio.get_running_loop().create_task(self._answer(batch, items, done))
                self._deliveries.add(delivery)
                delivery.add_done_callback(self._deliveries.discard)
        finally:
            self._worker = None

    async def _answer(self, batch: list[_Waiting[In, Out]], items: list[In], done: Mid) -> None:
        try:
            answers = await self._deliver(items, done)
            if len(answers) != len(batch):
                raise RuntimeError(f"{self._name} gave {len(answers)} answers to {len(batch)} items: this is a bug")
        except (Exception, asyncio.CancelledError) as error:
            self._fail(batch, error)
            return
        finally:
            self._ahead.release()
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)

    def _fail(self, batch: list[_Waiting[In, Out]], error: BaseException) -> None:
        """Answer a whole batch with an error, so that nobody waits for ever; be cancelled if it is we who are."""
        cancelled = isinstance(error, asyncio.CancelledError)
        if cancelled:
            # An executor was shut down, or the call to the next stage given up. A future that is cancelled would look
            # like a caller who has gone.
            error = StageUnavailable(f"{self._name}: the work was given up; try again later")
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
        task = asyncio.current_task()
        if cancelled and task is not None and task.cancelling():
            raise asyncio.CancelledError

    def _take(self) -> list[_Waiting[In, Out]]:
        """Form the next batch: the longest waiting first, up to the limits."""
        batch: list[_Waiting[In, Out]] = []
        kept = self._share if self._patient else 0.0
        cost = self._move(self._waiting, batch, 0.0, self._limit * (1 - kept), max(1, round(self._size * (1 - kept))))
        cost = self._move(self._patient, batch, cost, self._limit, self._size)
        cost = self._move(self._waiting, batch, cost, self._limit, self._size)
        self.fill.waiting = len(self._waiting) + len(self._patient)
        if batch:
            self.fill.batches += 1
            self.fill.items += len(batch)
            self.fill.cost += cost
            self._observe(self.fill)
        return batch

    def _move(
        self, queue: "deque[_Waiting[In, Out]]", batch: "list[_Waiting[In, Out]]", cost: float, limit: float, size: int
    ) -> float:
        """Move what fits from a queue into the batch; return what the batch costs."""
        while queue and len(batch) < size:
            first = queue[0]
            if first.answer.done():
                queue.popleft()
                self.fill.gone += 1
                continue
            if batch and cost + first.cost > limit:
                break
            cost += first.cost
            batch.append(queue.popleft())
        return cost

    def _has_room_behind(self) -> bool:
        most = max(1, self._queue // 2)
        if len(self._patient) >= most:
            self._tidy()
        return len(self._patient) < most

    def _leave(self, callers: "Sequence[_Waiting[In, Out]]") -> None:
        """Work no more for callers who are gone; on those who were answered it does nothing."""
        for each in callers:
            each.answer.cancel()
            self._left = self._left or each.answer.cancelled()

    def _tidy(self) -> None:
        """Take from the queues who has gone. They are not looked through for each of thousands who find them full."""
        if not self._left:
            return
        self._left = False
        for queue in (self._waiting, self._patient):
            present = [each for each in queue if not each.answer.done()]
            self.fill.gone += len(queue) - len(present)
            queue.clear()
            queue.extend(present)


async def gather(items: Sequence[object]) -> None:
    """Be the work of a batcher that only forms batches: nothing."""


def _outcome(answer: "asyncio.Future[Any]") -> Any:
    error = answer.exception()
    if error is None:
        return answer.result()
    if isinstance(error, FacegroupError):
        return error
    raise error
