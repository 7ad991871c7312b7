"""Measure what encryption costs when enrolling, identifying and loading: plain and encrypted in turn, in both stores."""

import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import cast

import numpy as np

from benchmarks import crowd
from benchmarks.gallery import redis_server
from benchmarks.report import Options, Report, run
from facegroup.gallery.snapshot import Snapshot
from facegroup.store import open_store
from facegroup.store.audit import Event
from facegroup.store.contract import Store
from facegroup.store.encryption import SecretKeys
from facegroup.store.staging import StagingStore, import_copy
from facegroup.types import Gallery, Person, Sample

_CROP = 20_000  # bytes, about those of a face of VGGFace2 as JPEG
_ENROL, _LOAD = 1.10, 2.0


def measure(options: Options) -> Report:
    """Fill two galleries of each store alike, one of them with a key."""
    report = Report("encryption: the same with and without a key")
    report.says.append("made-up people (benchmarks/crowd.py); medians of rounds in turn; ratio: encrypted to plain")
    people, rounds = (1_000, 3) if options.quick else (100_000, 5)
    dimension = 512
    with tempfile.TemporaryDirectory() as folder:
        _compared(report, "SQLite", lambda name: f"sqlite:///{folder}/{name}.db", people, dimension, rounds)
    if shutil.which("redis-server") is None:
        report.absent("Redis", "no redis-server")
        return report
    disk = ("--appendonly", "yes", "--appendfsync", "always")
    with redis_server(*disk) as (_, first), redis_server(*disk) as (_, second):
        urls = {"plain": first, "encrypted": second}
        _compared(report, "Redis", urls.__getitem__, people, dimension, rounds)
    return report


def _compared(report: Report, kind: str, url: Callable[[str], str], people: int, dimension: int, rounds: int) -> None:
    keys = {"plain": SecretKeys(), "encrypted": SecretKeys([secrets.token_bytes(32)])}
    stores: dict[str, Store] = {name: open_store(url(name), keys=key) for name, key in keys.items()}
    for store in stores.values():
        _fill(store, people, dimension)
    snapshots = {name: Snapshot.load(store, "group") for name, store in stores.items()}
    probes = np.asarray(crowd.strangers(32, dimension), np.float32)
    photos = np.arange(len(probes))
    number = people

    def enrol(name: str) -> None:
        for each in crowd.strangers(50, dimension):
            sample = Sample(f"{secrets.randbits(256):064x}", each, secrets.token_bytes(_CROP))
            stores[name].add_samples("group", f"p{secrets.randbelow(people)}", [sample], "made-up")

    tasks: tuple[tuple[str, Callable[[str], object], float], ...] = (
        ("enrol 50 photos", enrol, _ENROL),
        ("identify 32 faces", lambda name: snapshots[name].match(probes, photos), 1.05),
        ("load", lambda name: Snapshot.load(stores[name], "group"), _LOAD),
    )
    for what, task, most in tasks:
        times: dict[str, list[float]] = {name: [] for name in stores}
        for turn in range(rounds + 1):
            for name in sorted(stores, reverse=bool(turn % 2)):
                start = time.perf_counter()
                task(name)
                times[name] += [time.perf_counter() - start] if turn else []  # the first warms up
        plain, encrypted = (statistics.median(times[name]) for name in ("plain", "encrypted"))
        about = f"{what}, {number:,} people × {dimension}, {kind}"
        report.add(f"{about}, encrypted", encrypted * 1e3, "ms", against="plain", base=plain * 1e3, most=most)
    for store in stores.values():
        store.close()


def _fill(store: Store, people: int, dimension: int) -> None:
    """Write people with one photo each, as an import does, which is faster than enrolling."""
    place, copy, number = cast(StagingStore, store), import_copy("group"), 0
    store.create_gallery(Gallery(copy, "made-up", dimension, 0.4))
    for rows in crowd.people(people, dimension):
        for start in range(0, len(rows), 500):
            page: list[tuple[Person, list[Sample]]] = []
            for each in rows[start : start + 500]:
                who = Person(f"p{number}", "somebody", {}, 0, 1.0, 1.0)
                page.append((who, [Sample(f"{number:064x}", each, None, 1.0)]))
                number += 1
            place.put_people(copy, page)
    place.switch_gallery("group", copy, None, place.gallery(copy).version, Event("imported"))


if __name__ == "__main__":
    run(measure)
