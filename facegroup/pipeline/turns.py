"""Queue items so that their owners take turns, in proportion to the cost of their items.

The items of one owner are served in order of arrival. Items without an owner (an empty name) share a queue. The method is
start-time fair queueing (Goyal, Vin and Cheng, 1996) with a clock that advances by the cost of each served item divided by
the number of waiting owners. Several owners of one client, as ``CLIENT/OWNER``, share one turn: each has its part of the
client's weight.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

_REMEMBERED = 1000


class Turns(Generic[Item]):
    """The queues of all owners."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Item]] = {}
        self._clients: Counter[str] = Counter()  # how many owners of each have a queue
        # The start of each owner's turn on the clock, and the number of its last served item.
        self._begins: dict[str, tuple[float, int]] = {}
        self._clock = 0.0
        self._taken = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        for queue in self._queues.values():
            yield from queue

    def add(self, owner: str, item: Item) -> None:
        """Append an item to its owner's queue."""
        queue = self._queues.get(owner)
        if queue is None:
            queue = self._queues[owner] = deque()
            self._clients[_client(owner)] += 1
            self._begins[owner] = max((self._clock, 0), self._begins.get(owner, (0.0, 0)))
        queue.append(item)
        self._count += 1

    def owner(self) -> str:
        """Return the owner whose turn it is, or an empty string if nothing waits."""
        return min(self._queues, key=self._begins.__getitem__, default="")

    def first(self, owner: str) -> Item | None:
        """Return the owner's next item, or None if there is none."""
        queue = self._queues.get(owner)
        return queue[0] if queue else None

    def take(self, owner: str, cost: float) -> Item:
        """Remove and return the owner's next item, and charge its cost."""
        queue = self._queues[owner]
        item = queue.popleft()
        self._count -= 1
        begins, _ = self._begins[owner]
        self._taken += 1
        self._begins[owner] = (begins + cost * self._clients[_client(owner)], self._taken)
        self._clock = max(self._clock + cost / len(self._clients), begins)
        if not queue:
            self._leave(owner)
        return item

    def keep(self, wanted: Callable[[Item], bool]) -> int:
        """Remove all items that are not wanted, and return how many were removed."""
        before = self._count
        for owner, queue in list(self._queues.items()):
            present = [item for item in queue if wanted(item)]
            self._count -= len(queue) - len(present)
            queue.clear()
            queue.extend(present)
            if not queue:
                self._leave(owner)
        return before - self._count

    def _leave(self, owner: str) -> None:
        """Remove the owner's empty queue, but remember its charge for a while, since more items may come."""
        del self._queues[owner]
        client = _client(owner)
        self._clients[client] -= 1
        if not self._clients[client]:
            del self._clients[client]
        if len(self._begins) > _REMEMBERED:
            waiting = self._queues.keys()
            self._begins = {
                each: begins for each, begins in self._begins.items() if each in waiting or begins[0] > self._clock
            }


def _client(owner: str) -> str:
    """Return whose turn an owner shares: one without a client has its own."""
    client, slash, _ = owner.rpartition("/")
    return client if slash else owner
