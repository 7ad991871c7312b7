"""Generate load on a server from a process of its own: `python -m benchmarks.load` reads a `Plan`, writes a `Result` (JSON).

It uses raw asyncio with keep-alive connections, so that it is not the bottleneck; its share of a core is in the result. With
`rate`, requests are sent at that mean rate regardless of the server; otherwise each client waits for its answer. Refused
requests are sent again first, so that all photos are answered equally often: one photo takes ten times the work of another.
Some seconds still have more of one kind, so a plan can state the work of each photo, and answers count by it.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from benchmarks.connection import Connection
from benchmarks.peers import ROOT

_MOST_CONNECTIONS = 4000
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The load to generate.

    Attributes:
        url: URL of the route.
        photos: paths of files, sent in turn.
        together: photos per request; one is sent raw, several as multipart.
        clients: number of clients that wait for answers at the same time.
        seconds: measured seconds.
        warm: seconds before them, which are not measured.
        rate: requests per second, instead of clients.
        work: work of each photo in any unit; without it, all are equal.
        headers: that every request has beside its own.
    """

    url: str
    photos: list[str]
    together: int = 1
    clients: int = 1
    seconds: float = 10
    warm: float = 2
    rate: float | None = None
    work: list[float] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Result:
    """The answers in the measured time.

    Attributes:
        statuses: number of answers by status; `0` is a broken connection.
        took_ms: milliseconds of the answers with status 200, sorted.
        answered: times of the answers with status 200 in seconds, in order, including those before the measured time.
        hinted: answers with status 429 that say when to retry.
        images: in the answers of status 200, each counted by its work: one of the mean work is one.
        seconds: between the last good answer before that time and the last one in it.
        cpu_share: of one core, taken by the generator.
        unsent: requests that were due, but for which there was no connection.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    took_ms: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    hinted: int = 0
    images: float = 0
    seconds: float = 0
    cpu_share: float = 0
    unsent: int = 0

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    def percentile(self, part: int) -> float:
        """Return the milliseconds within which so many percent of the good answers came."""
        return self.took_ms[min(len(self.took_ms) - 1, len(self.took_ms) * part // 100)] if self.took_ms else 0.0

    def longest(self, answers: int) -> float | None:
        """Return the most seconds that so many good answers in a row took, the last of them in the time that counts."""
        took = [last - first for first, last in zip(self.answered, self.answered[answers:], strict=False)]
        return max(took[-len(self.took_ms) :], default=None) if self.took_ms else None


class Generator:
    """Class that sends the requests of a plan.

    Args:
        plan: the plan.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._bodies = requests(plan)
        self._images = images(plan)
        self._sent = 0
        self._again: deque[int] = deque()  # of the bodies
        self._result = Result()
        self._from = self._to = 0.0
        self._first = self._last = 0.0
        self._idle: list[Connection] = []
        self._open = 0

    async def run(self) -> Result:
        """Send until the time is over; return what came back."""
        begun = time.perf_counter()
        self._from = begun + self._plan.warm
        self._to = self._from + self._plan.seconds
        cpu = time.process_time()
        if self._plan.rate is None:
            await asyncio.gather(*(self._client() for _ in range(self._plan.clients)))
        else:
            await self._stream(self._plan.rate)
        for connection in self._idle:
            connection.close()
        self._result.took_ms.sort()
        # Answers come in batches: what counts is from the last one before to the last one within.
        self._result.seconds = (self._last - (self._first or self._from)) if self._result.images else self._plan.seconds
        self._result.cpu_share = (time.process_time() - cpu) / (time.perf_counter() - begun)
        return self._result

    async def _client(self) -> None:
        while time.perf_counter() < self._to:
            await self._ask()

    async def _stream(self, rate: float) -> None:
        draw = random.Random(0)
        due, tasks = time.perf_counter(), set()
        while due < self._to:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if self._open - len(self._idle) < _MOST_CONNECTIONS:
                task = asyncio.create_task(self._ask())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            elif due > self._from:
                self._result.unsent += 1
            due += draw.expovariate(rate)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self) -> None:
        body = self._again.popleft() if self._again else self._next()
        start = time.perf_counter()
        connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                self._open += 1
                connection = await Connection.to(self._plan.url)
            status, hinted = await asyncio.wait_for(connection.ask(self._bodies[body]), _PATIENCE)
        except (OSError, TimeoutError):
            self._count(0, False, start, 0)
            await asyncio.sleep(0.05)
        else:
            self._count(status, hinted, start, self._images[body])
            if status == 429:
                self._again.append(body)
        if connection is not None and connection.reusable:
            self._idle.append(connection)
        else:
            self._open -= 1
            if connection is not None:
                connection.close()

    def _next(self) -> int:
        self._sent += 1
        return (self._sent - 1) % len(self._bodies)

    def _count(self, status: int, hinted: bool, start: float, images: float) -> None:
        now = time.perf_counter()
        if status == 200 and now < self._to:
            self._result.answered.append(now)
        if not self._from <= now < self._to:
            self._first = now if status == 200 and now < self._from else self._first
            return
        self._result.statuses[str(status)] = self._result.statuses.get(str(status), 0) + 1
        if status == 200:
            self._last = now
            self._result.images += images
            self._result.took_ms.append((now - start) * 1e3)
        elif status == 429:
            self._result.hinted += hinted


def requests(plan: Plan) -> list[bytes]:
    """Return the bytes of each request that the plan sends in turn."""
    at = urlsplit(plan.url)
    path = at.path + (f"?{at.query}" if at.query else "")
    photos = []
    for name in plan.photos:
        with open(name, "rb") as file:
            photos.append(file.read())
    made = []
    for start in range(len(photos)):
        chosen = [photos[(start + index) % len(photos)] for index in range(plan.together)]
        kind, body = ("image/jpeg", chosen[0]) if plan.together == 1 else _multipart(chosen)
        own = {"host": at.netloc, "content-type": kind, "content-length": str(len(body)), **plan.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        made.append(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
    return made


def images(plan: Plan) -> list[float]:
    """Return what each request that the plan sends in turn counts: its photos, by their work where that is known."""
    work = plan.work or [1.0] * len(plan.photos)
    mean = sum(work) / len(work)
    return [
        sum(work[(start + index) % len(work)] for index in range(plan.together)) / mean for start in range(len(work))
    ]


def _multipart(photos: list[bytes]) -> tuple[str, bytes]:
    line = "part-of-a-benchmark"
    parts = [
        f'--{line}\r\ncontent-disposition: form-data; name="photos"; filename="{number}.jpg"\r\n'
        f"content-type: image/jpeg\r\n\r\n".encode()
        + photo
        + b"\r\n"
        for number, photo in enumerate(photos)
    ]
    return f"multipart/form-data; boundary={line}", b"".join(parts) + f"--{line}--\r\n".encode()


def put(plan: Plan) -> Result:
    """Run a plan in another process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(asdict(plan)),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    read: dict[str, Any] = json.loads(done.stdout)
    return Result(**read)


def main() -> None:
    """Run as the other process."""
    plan = Plan(**json.loads(sys.stdin.read()))
    sys.stdout.write(json.dumps(asdict(asyncio.run(Generator(plan).run()))))


if __name__ == "__main__":
    main()
