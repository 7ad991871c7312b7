"""Measure a probe decided by the cosine and by a cohort, side by side in one process, in rounds that take turns."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks import crowd
from benchmarks.report import Report, cores
from facegroup.gallery.cohort import MOST
from facegroup.gallery.index.people import People
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.index.products import Products
from facegroup.gallery.normalization import begin
from facegroup.gallery.snapshot import Snapshot
from facegroup.types import Floats

Times = tuple[float, float, float, float]
"""Wall time by the cosine and by a cohort, then the CPU time of both, in milliseconds."""

BATCHES = (1, 32)
_SECONDS = 3.0


def add(report: Report, people: int, dimension: int, index: str, most: float | None) -> None:
    """Add the time of a probe by both decisions, in a fresh process; `most` bounds the ratio."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        took, begun = pool.submit(_measured, people, dimension, index).result()
    what = f"{people:,} people × {dimension}, {index}"
    for batch, (cosine, cohort, cosine_cpu, cohort_cpu) in took.items():
        cohort_of = f"{what}: by a cohort of {MOST}, batch of {batch}"
        report.add(f"{what}: a match by the cosine, batch of {batch}", cosine, "ms")
        report.add(cohort_of, cohort, "ms", against="cosine", base=cosine, most=most)
        report.add(f"{cohort_of}, CPU time", cohort_cpu, "ms", against="cosine", base=cosine_cpu)
    report.add(f"{what}: the cohort of a gallery that is loaded", begun, "ms")


def _measured(people: int, dimension: int, index: str) -> tuple[dict[int, Times], float]:
    rows = np.concatenate([*crowd.people(people, dimension)])
    ids = [f"{number:08}" for number in range(people)]
    kept = People.of(ids, ids, rows, Plan(index, products=Products(cores())))
    given = {f"{number:064x}": row for number, row in enumerate(crowd.strangers(MOST // 2, dimension))}
    start = time.perf_counter()
    compared, normalized = begin(kept, given)
    begun = time.perf_counter() - start
    cosine = Snapshot("group", 1, "made-up", 0.4, kept)
    cohort = Snapshot("group", 1, "made-up", 0.2, normalized, decision="cohort", cohort=compared)
    probes = crowd.members(rows[: max(BATCHES)])
    found = {}
    for batch in BATCHES:
        few, images = probes[:batch], np.arange(batch)
        found[batch] = _side_by_side(_match(cosine, few, images), _match(cohort, few, images))
    return found, begun * 1e3


def _match(snapshot: Snapshot, probes: Floats, images: np.ndarray) -> Callable[[], object]:
    return lambda: snapshot.match(probes, images)


def _side_by_side(first: Callable[[], object], second: Callable[[], object]) -> Times:
    """Return the least milliseconds of both; each round runs both, so that other work slows both alike."""
    wall: tuple[list[float], list[float]] = ([], [])
    cpu: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end or len(wall[0]) < 20:
        for place, call in enumerate((first, second)):
            start, began = time.perf_counter(), time.process_time()
            call()
            wall[place].append(time.perf_counter() - start)
            cpu[place].append(time.process_time() - began)
    found = [min(times) * 1e3 for times in (*wall, *cpu)]
    return found[0], found[1], found[2], found[3]
