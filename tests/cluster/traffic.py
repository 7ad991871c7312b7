"""Readers and writers that never stop while things die, and what each of them was told.

A photo is a few bytes: the server's devices are simulated, so the photo's checksum decides whose face it shows, its
`kind`. A client asks again once after a 503, as it was told to; where nobody answers at all, until somebody does.
"""

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx
import numpy as np

from facegroup.networks.embedder import unit
from facegroup.networks.registry import spec
from facegroup.networks.simulated import SimulatedEngine

NETWORK = "retail-0095"
SPEC = spec(NETWORK)
CODES = {"stage_unavailable", "store_unavailable", "store_went_back", "timed_out", "overloaded"}
"""What may be said while something is replaced, or lost its data."""


def photo(kind: int, number: int) -> bytes:
    """Return the bytes of the `number`-th photo of a kind; no two are the same."""
    tries = (b"%d of %d, %d" % (number, kind, salt) for salt in count())
    return next(data for data in tries if zlib.crc32(data) & 255 == kind)


def descriptor(kind: int) -> list[float]:
    """Return the descriptor that the server gives the face of a photo of this kind."""
    crop = np.full((1, SPEC.size, SPEC.size, 3), kind, np.uint8)
    numbers: list[float] = unit(SimulatedEngine(SPEC, 1, 0).run(crop))[0].tolist()
    return numbers


class Caller:
    """One client of a server.

    Attributes:
        retried: the codes after which it asked again.
        longest: seconds that the longest answer took, with asking again.
        patience: seconds to wait for somebody who answers at all.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/v1/galleries/", timeout=90, trust_env=False)
        self.retried: list[str] = []
        self.longest = 0.0
        self.patience = 60.0

    def once(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Return the first answer of the server itself, be it an error; nobody's and a proxy's are waited over."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                answer = self._http.request(method, path, **request)
                if "x-request-id" in answer.headers:
                    return answer
                reason = str(answer.status_code)
            except httpx.TransportError as error:
                reason = type(error).__name__
            self.retried.append("nobody")
            assert time.monotonic() < deadline, f"nobody answers {method} {path}: {reason}"
            time.sleep(0.2)

    def __call__(self, method: str, path: str, *, tries: int = 2, **request: Any) -> Any:
        """Return what is answered, having asked again after a 503, as often as `tries` says."""
        start = time.monotonic()
        for left in reversed(range(tries)):
            answer = self.once(method, path, **request)
            if answer.status_code not in (429, 503) or left == 0:
                break
            assert answer.json()["code"] in CODES, answer.text
            self.retried.append(answer.json()["code"])
            time.sleep(float(answer.headers["retry-after"]))
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        self.longest = max(self.longest, time.monotonic() - start)
        return answer.json()

    def identify(self, gallery: str, *kinds: int, **request: Any) -> Any:
        """Identify descriptors of these kinds."""
        probes = {"descriptors": [descriptor(kind) for kind in kinds]}
        return self("POST", f"{gallery}/identify", json=probes, **request)

    def enrol(self, gallery: str, person: str, *photos: bytes, **request: Any) -> Any:
        """Enrol photos, all in one request."""
        files = [("photos", data) for data in photos]
        return self("POST", f"{gallery}/people/{person}/photos", files=files, **request)

    def close(self) -> None:
        self._http.close()


class Traffic:
    """Work that goes on, each in a thread with a client of its own, until it is told to stop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(16)
        self._work: list[Future[None]] = []
        self.callers: list[Caller] = []

    def go(self, work: Callable[[Caller], None]) -> None:
        """Do `work` again and again."""
        caller = Caller(self._url)
        self.callers.append(caller)

        def repeat() -> None:
            while not self._stop.is_set():
                work(caller)

        self._work.append(self._pool.submit(repeat))

    def goes_on(self) -> bool:
        """Return true, or raise what went wrong until now."""
        for work in self._work:
            if work.done():
                work.result()
        return True

    def stop(self) -> None:
        """Let each end what it does; raise what went wrong."""
        self._stop.set()
        self._pool.shutdown()
        for caller in self.callers:
            caller.close()
        for work in self._work:
            work.result()


@contextmanager
def traffic(url: str) -> Iterator[Traffic]:
    """Give traffic to a server, which ends with the block; what went wrong in it is raised."""
    running = Traffic(url)
    try:
        yield running
    finally:
        running.stop()
