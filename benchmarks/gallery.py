"""The gallery alone: how long it takes to decide who a face is, exactly, by people, dimension and batch; memory; loading.

Made-up descriptors: the time does not depend on whose they are.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.report import Options, Report, run
from facegroup.gallery import Snapshot
from facegroup.store.sqlite import SqliteStore
from facegroup.types import Floats, Gallery, Sample

_DIMENSIONS = (256, 2048)
_BATCHES = (1, 32)


def measure(options: Options) -> Report:
    """Match in galleries of every size, and load one from SQLite."""
    report = Report("gallery: descriptors in, decisions out")
    report.says.append("made-up descriptors, exact comparison, one process; numpy's own threads; median")
    for people in (1_000, 10_000) if options.quick else (1_000, 10_000, 100_000):
        for dimension in _DIMENSIONS:
            matrix = _unit(people, dimension)
            names = tuple(f"person {number}" for number in range(people))
            ids = tuple(f"{number:08}" for number in range(people))
            snapshot = Snapshot("group", 1, "made-up", 0.4, ids, names, matrix)
            for batch in _BATCHES:
                probes = matrix[:batch].copy()
                took = _median(partial(snapshot.match, probes, np.arange(batch)), 0.3 if options.quick else 1)
                report.add(f"match, {people:,} people × {dimension}, batch of {batch}", took * 1e3, "ms")
            report.add(f"centroids of {people:,} people × {dimension}", matrix.nbytes / 1e6, "MB")
    _loading(report, 2_000 if options.quick else 10_000)
    return report


def _loading(report: Report, people: int) -> None:
    for dimension in _DIMENSIONS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "gallery.db"
            _fill(path, people, dimension)
            store = SqliteStore(path)
            start = time.perf_counter()
            snapshot = Snapshot.load(store, "group")
            took = time.perf_counter() - start
            person = snapshot.ids[0]
            _more(store, person, 1, dimension)
            start = time.perf_counter()
            snapshot.caught_up(store)
            again = time.perf_counter() - start
            store.close()
            assert len(snapshot) == people
        report.add(f"load {people:,} people × {dimension} from SQLite", took * 1e3, "ms")
        report.add(f"catch up with one change of {people:,} people × {dimension}", again * 1e3, "ms")


def _fill(path: Path, people: int, dimension: int) -> None:
    """Make a gallery of one photo a person: one the usual way, then copies of its row; each write waits for the disk."""
    store = SqliteStore(path)
    store.create_gallery(Gallery("group", "made-up", dimension, 0.4))
    first = store.create_person("group", "person", person_id="person-0").id
    _more(store, first, 0, dimension)
    store.close()
    with sqlite3.connect(path) as db:
        _copies(db, people - 1, dimension)
    db.close()


def _copies(db: sqlite3.Connection, count: int, dimension: int) -> None:
    columns = [row[1] for row in db.execute("PRAGMA table_info(people)")]
    row = dict(zip(columns, db.execute("SELECT * FROM people").fetchone(), strict=True))
    vectors = [name for name, value in row.items() if isinstance(value, bytes) and len(value) == 4 * dimension]
    del row["key"]
    matrix = _unit(count, dimension)
    places = ", ".join("?" * len(row))
    db.executemany(
        f"INSERT INTO people ({', '.join(row)}) VALUES ({places})",
        (
            tuple({**row, "id": f"copy-{number}", **dict.fromkeys(vectors, each.tobytes())}.values())
            for number, each in enumerate(matrix)
        ),
    )


def _more(store: SqliteStore, person: str, number: int, dimension: int) -> None:
    store.add_samples("group", person, [Sample(f"{number:064x}", _unit(1, dimension, number)[0])], "made-up")


def _unit(count: int, dimension: int, seed: int = 0) -> Floats:
    rows = np.random.default_rng(seed).standard_normal((count, dimension), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _median(call: Callable[[], object], seconds: float) -> float:
    call()
    took: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(took) < 3:
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return float(np.median(took))


if __name__ == "__main__":
    run(measure)
