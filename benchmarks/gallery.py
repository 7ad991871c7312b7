"""Measure the gallery alone: time of a comparison, exact and by code; recall; memory; loading; enrolling.

A million people take minutes and 6 GB, and have a benchmark of their own: `python -m benchmarks.million`.
"""

import re
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import redis

from benchmarks import crowd, deciding
from benchmarks.comparing import add, compared
from benchmarks.report import Options, Report, cores, run
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.index.products import Products
from facegroup.gallery.snapshot import Snapshot
from facegroup.store import open_store
from facegroup.store.contract import Store
from facegroup.store.redis.keys import Keys
from facegroup.store.redis.rows import Record
from facegroup.types import Gallery, Sample

_DIMENSIONS = (256, 2048)


def measure(options: Options) -> Report:
    """Match in galleries of every size, and load one from each store."""
    report = Report("gallery: descriptors in, decisions out")
    report.says.append(
        "made-up people (benchmarks/crowd.py); a process each; as many threads as cores; best of 5 rounds or 1.5 s of them"
    )
    for people in (2_000,) if options.quick else (10_000, 100_000):
        for dimension in _DIMENSIONS:
            for index in ("exact", "compact"):
                bounds = {"wall 32": 3.0, "change": 100.0} if people == 100_000 and index == "exact" else {}
                add(report, people, dimension, index, compared(people, dimension, index), bounds)
    for dimension in _DIMENSIONS[:1] if options.quick else _DIMENSIONS:
        for index in ("exact",) if options.quick else ("exact", "compact"):
            deciding.add(report, 2_000 if options.quick else 10_000, dimension, index, None if options.quick else 1.15)
    for dimension in _DIMENSIONS:
        plan = Plan("exact", products=Products(cores()))
        loaded(report, 1_000 if options.quick else 100_000, dimension, plan, most=None if options.quick else 20)
    return report


def loaded(report: Report, people: int, dimension: int, plan: Plan, most: float | None) -> None:
    """Load a gallery from each store, enrol once, and see when it is known; `most`: seconds that loading may take."""
    size = 4 * dimension * people
    disk, held = 2 * (size + 1_000 * people) / 1e9, size * (0.6 if plan.compact(size) else 1.0) / 1e9
    memory = (1.25 * size + 1_000 * people) / 1e9 + held + 0.5  # Redis' blocks are larger than what is in them
    with tempfile.TemporaryDirectory() as folder:
        what = f"{people:,} people × {dimension}"
        if shutil.disk_usage(folder).free / 1e9 < disk:
            report.absent(f"load {what} from SQLite", f"no {disk:.0f} GB of disk")
        else:
            path = Path(folder) / "gallery.db"
            store = open_store(f"sqlite:///{path}")
            _begin(store, dimension)
            _fill_sqlite(path, people, dimension)
            _load(report, store, "SQLite", people, dimension, plan, most)
    if shutil.which("redis-server") is None:
        report.absent(f"load {what} from Redis", "no redis-server")
    elif _available() < memory:
        report.absent(f"load {what} from Redis", f"no {memory:.0f} GB of memory")
    else:
        with redis_server() as (client, url):
            store = open_store(url)
            _begin(store, dimension)
            _fill_redis(client, people, dimension)
            _load(report, store, "Redis", people, dimension, plan, most)


def _available() -> float:
    """Return the available memory in GB."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / 1e9 if found else 0.0


def _load(report: Report, store: Store, kind: str, people: int, dimension: int, plan: Plan, most: float | None) -> None:
    start = time.perf_counter()
    snapshot = Snapshot.load(store, "group", plan)
    took = time.perf_counter() - start
    assert len(snapshot) == people
    way = "" if plan.index == "exact" else ", exact" if snapshot.people.exact else ", compact"
    what = f"{people:,} people × {dimension}{way}"
    report.add(f"load {what}, from {kind}", took, "s", most=most)
    sample = Sample(f"{1:064x}", crowd.strangers(1, dimension)[0])
    store.add_samples("group", "first", [sample], "made-up")
    start = time.perf_counter()
    snapshot = snapshot.caught_up(store)
    caught = time.perf_counter() - start
    (match,) = snapshot.match(sample.descriptor[None], np.zeros(1, np.intp))
    named = time.perf_counter() - start
    assert match.person_id == "first"
    report.add(f"catch up with an enrolment, {what}, {kind}", caught * 1e3, "ms", most=100)
    report.add(f"from an enrolment's answer until it is named, {what}, {kind}", named * 1e3, "ms", most=100)
    store.close()


def _begin(store: Store, dimension: int) -> None:
    store.create_gallery(Gallery("group", "made-up", dimension, 0.4))
    store.create_person("group", "person", person_id="first")
    row = crowd.strangers(2, dimension)[1]
    store.add_samples("group", "first", [Sample(f"{0:064x}", row)], "made-up")


def _fill_sqlite(path: Path, people: int, dimension: int) -> None:
    """Copy the first person's row, because usual writes wait for the disk."""
    with sqlite3.connect(path) as db:
        db.row_factory = sqlite3.Row
        row = dict(db.execute("SELECT * FROM people").fetchone())
        del row["key"]
        places = ", ".join("?" * len(row))
        number = 0
        for rows in crowd.people(people - 1, dimension):
            copies = [
                tuple({**row, "id": f"{number + place:08}", "centroid": each.tobytes()}.values())
                for place, each in enumerate(rows)
            ]
            db.executemany(f"INSERT INTO people ({', '.join(row)}) VALUES ({places})", copies)
            number += len(rows)
            db.commit()  # else all of it is in the log before it is in the file
    db.close()


def _fill_redis(client: redis.Redis, people: int, dimension: int) -> None:
    keys = Keys.of("group")
    record = Record("person", {}, (), 0.0, 0.0).to_bytes()
    number = 0
    for rows in crowd.people(people - 1, dimension):
        ids = [f"{number + place:08}" for place in range(len(rows))]
        client.hset(keys.people, mapping=dict.fromkeys(ids, record))
        client.hset(keys.centroids, mapping={key: row.tobytes() for key, row in zip(ids, rows, strict=True)})
        number += len(rows)


@contextmanager
def redis_server(*options: str) -> Iterator[tuple[redis.Redis, str]]:
    """Start a Redis of its own, and give a client and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", *options]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            with redis.Redis(port=port) as client:
                for _ in range(200):
                    try:
                        client.ping()
                        break
                    except redis.ConnectionError:
                        time.sleep(0.05)
                yield client, f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    run(measure)
