"""Measure one gallery in memory, in a process of its own: times, recall and memory for a size, dimension and method."""

import multiprocessing
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import crowd
from benchmarks.report import Report, cores
from facegroup.gallery.index.people import People, empty
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.index.products import Products
from facegroup.gallery.index.segment import Segment
from facegroup.types import Descriptors

BATCHES = (1, 32)
_CANDIDATES = 3
_SECONDS = 1.5  # that rounds last at least
_PROBES = 256  # members, and as many strangers


@dataclass(frozen=True, slots=True)
class Compared:
    """The figures of one gallery.

    Attributes:
        wall: milliseconds per probe, by batch size; the best of some rounds.
        cpu: the same in CPU time of all threads.
        members: how often the best match of a member's noisy copy is the best of the exact product.
        strangers: the same for people who are in no gallery.
        megabytes: memory of the whole process (PSS).
        change: ms until a changed person is among those compared: median and worst of enough to seal twice; and the worst
            of CPU time.
    """

    wall: dict[int, float]
    cpu: dict[int, float]
    members: float
    strangers: float
    megabytes: float
    change: tuple[float, float, float]


def compared(people: int, dimension: int, index: str, rounds: int = 5) -> Compared:
    """Measure in a fresh process, on as many threads as there are cores."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_compared, people, dimension, index, rounds).result()


def add(report: Report, people: int, dimension: int, index: str, found: Compared, bounds: dict[str, float]) -> None:
    """Add the rows of one gallery. `bounds` may have `wall 1`, `wall 32`, `recall`, `MB` and `change`."""
    what = f"{people:,} people × {dimension}, {index}"
    for batch in BATCHES:
        report.add(f"{what}: a probe, batch of {batch}", found.wall[batch], "ms", most=bounds.get(f"wall {batch}"))
        report.add(f"{what}: CPU time of a probe, batch of {batch}", found.cpu[batch], "ms")
    report.add(f"{what}: recall@1, members", found.members, least=bounds.get("recall"))
    report.add(f"{what}: recall@1, strangers", found.strangers)
    report.add(f"{what}: memory of the process", found.megabytes, "MB", most=bounds.get("MB"))
    report.add(f"{what}: a change, median", found.change[0], "ms")
    report.add(f"{what}: a change, worst", found.change[1], "ms", most=bounds.get("change"))
    report.add(f"{what}: CPU time of a change, worst", found.change[2], "ms")


def _compared(people: int, dimension: int, index: str, rounds: int) -> Compared:
    gallery, probes, truth = _made(people, dimension, Plan(index, products=Products(cores())))
    wall, cpu = {}, {}
    for batch in BATCHES:
        wall[batch], cpu[batch] = _best(lambda few=probes[:batch]: gallery.nearest(few, _CANDIDATES), rounds, batch)
    right = np.concatenate([_right(gallery, probes, truth, start) for start in range(0, len(probes), max(BATCHES))])
    half = len(probes) // 2
    megabytes = _megabytes()
    took, worked = [], []
    for number in range(min(people, 2 * gallery.plan.fresh(dimension) + 3)):
        start, began = time.perf_counter(), time.process_time()
        gallery = gallery.changed([f"{number:08}"], ["again"], probes[:1], ())
        took.append((time.perf_counter() - start) * 1e3)
        worked.append((time.process_time() - began) * 1e3)
    return Compared(
        *(wall, cpu, float(right[:half].mean()), float(right[half:].mean()), megabytes),
        (float(np.median(took)), max(took), max(worked)),
    )


def _made(people: int, dimension: int, plan: Plan) -> tuple[People, Descriptors, np.ndarray]:
    """Return a gallery, probes (members first), and the best match of each by the exact product."""
    members = crowd.members(next(crowd.people(_PROBES, dimension))[:_PROBES])
    probes = np.concatenate([members, crowd.strangers(_PROBES, dimension)])
    best, truth = np.full(len(probes), -2, np.float32), np.zeros(len(probes), np.int64)
    size = plan.rows(dimension)
    compact = plan.compact(0)
    sealed: list[Segment] = []
    waiting: list[np.ndarray] = []
    done = 0
    for rows in crowd.people(people, dimension):
        scores = rows @ probes.T
        better = scores.max(axis=0) > best
        truth[better] = done + sum(map(len, waiting)) + scores.argmax(axis=0)[better]
        best = np.maximum(best, scores.max(axis=0))
        waiting.append(rows)
        here = sum(map(len, waiting))
        if here >= size or done + here == people:
            names = [f"{number:08}" for number in range(done, done + here)]
            sealed.append(
                Segment.of(names, [f"person {name}" for name in names], np.concatenate(waiting), compact=compact)
            )
            waiting, done = [], done + here
    return People(plan, dimension, tuple(sealed), empty(dimension)), probes, truth


def _right(gallery: People, probes: Descriptors, truth: np.ndarray, start: int) -> np.ndarray:
    part = slice(start, start + max(BATCHES))
    found = gallery.nearest(probes[part], _CANDIDATES)
    return np.array([int(found.ids[best]) for best in found.people[:, 0]]) == truth[part]


def _best(call: Callable[[], object], rounds: int, probes: int) -> tuple[float, float]:
    """Return the fastest of some rounds, which take a while, since a kernel may first leave two threads on one core."""
    call()
    wall, cpu = [], []
    end = time.perf_counter() + _SECONDS
    while len(wall) < rounds or time.perf_counter() < end:
        start, began = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - began)
    return min(wall) * 1e3 / probes, min(cpu) * 1e3 / probes


def _megabytes() -> float:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{os.getpid()}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0
