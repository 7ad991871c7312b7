"""A steady load through the HTTP servers of several machines, and what each request was answered."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import httpx

from tests.cluster.traffic import descriptor, photo
from tests.hosts.cluster import Cluster
from tests.hosts.machines import Machine

PEOPLE = {"ann": 20, "ben": 40, "cho": 60, "dan": 80, "eve": 100}
"""People, and the kind of photo that shows each: tests/cluster/traffic.py."""

WINDOW = 5.0
"""Seconds after and before an event in which errors are not counted."""

_PAUSE = 0.1
_RETRIED = {429, 503}
_PATH = "/v1/galleries/default"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes:
        machine: whose HTTP server was asked.
        start: when, by `time.monotonic`.
        end: of its answer.
        status: of the answer; 0: nobody answered.
        code: of the problem, or what went wrong with the connection.
    """

    machine: str
    start: float
    end: float
    status: int
    code: str = ""


class Load:
    """Readers and writers, two for each machine, until they are told to stop.

    Attributes:
        asked: all requests, in the order of their answers.
        acknowledged: ids of the photos that each person must have.
        wrong: answers with a wrong name.
    """

    def __init__(self, cluster: Cluster, machines: Sequence[Machine]) -> None:
        self.asked: list[Asked] = []
        self.acknowledged: dict[str, list[str]] = {person: [] for person in PEOPLE}
        self.wrong: list[str] = []
        self._cluster = cluster
        self._numbers = count(1)
        self._stop = threading.Event()
        work = [(each, machine) for machine in machines for each in (self._read, self._write)]
        self._threads = [threading.Thread(target=self._go_on, args=pair, daemon=True) for pair in work]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each end what it does."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def answered(self, machine: Machine, since: float) -> float | None:
        """Return how long after `since` a request that began after it was answered well through a machine."""
        good = (each.end - since for each in list(self.asked) if each.machine == machine.name and each.status == 200)
        return min((seconds for seconds in good if seconds > 0), default=None)

    def errors(self, events: Sequence[tuple[float, float]]) -> list[Asked]:
        """Return the requests that failed outside the windows around events, each from when to when."""
        return [
            each
            for each in self.asked
            if each.status != 200
            and not any(each.end > start - WINDOW and each.start < end + WINDOW for start, end in events)
        ]

    def told(self) -> str:
        """Return how often each answer was given."""
        counted = Counter((each.machine, each.status, each.code) for each in self.asked)
        return ", ".join(f"{count} × {' '.join(map(str, what))}" for what, count in sorted(counted.items()))

    def _go_on(self, work: object, machine: Machine) -> None:
        assert callable(work)
        with self._cluster.client(machine) as client:
            while not self._stop.wait(_PAUSE):
                work(client, machine)

    def _read(self, client: httpx.Client, machine: Machine) -> None:
        body = {"descriptors": [descriptor(kind) for kind in PEOPLE.values()]}
        answer = self._ask(client, machine, f"{_PATH}/identify", json=body)
        if answer is not None:
            names = [face["name"] for face in answer.json()["faces"]]
            if names != list(PEOPLE):
                self.wrong.append(f"{machine.name}: {names}")

    def _write(self, client: httpx.Client, machine: Machine) -> None:
        number = next(self._numbers)
        person = list(PEOPLE)[number % len(PEOPLE)]
        files = [("photos", photo(PEOPLE[person], number))]
        answer = self._ask(client, machine, f"{_PATH}/people/{person}/photos", files=files)
        if answer is not None:
            self.acknowledged[person] += [each["photo_id"] for each in answer.json()["enrolled"]]

    def _ask(self, client: httpx.Client, machine: Machine, path: str, **request: object) -> httpx.Response | None:
        start = time.monotonic()
        try:
            answer = client.post(path, **request)  # type: ignore[arg-type]
        except httpx.TransportError as error:
            self.asked.append(Asked(machine.name, start, time.monotonic(), 0, type(error).__name__))
            return None
        good = answer.status_code == 200
        code = "" if good else str(answer.json().get("code"))
        self.asked.append(Asked(machine.name, start, time.monotonic(), answer.status_code, code))
        return answer if good else None


@contextmanager
def load(cluster: Cluster, machines: Sequence[Machine]) -> Iterator[Load]:
    """Enrol each person once, and give a steady load until the block ends."""
    running = Load(cluster, machines)
    with cluster.client(machines[0]) as client:
        for person, kind in PEOPLE.items():
            answer = client.post(f"{_PATH}/people/{person}/photos", files=[("photos", photo(kind, 0))])
            assert answer.status_code == 200, answer.text
            running.acknowledged[person] += [each["photo_id"] for each in answer.json()["enrolled"]]
    running.start()
    try:
        yield running
    finally:
        running.stop()
        print(f"\n{running.told()}", end="")
