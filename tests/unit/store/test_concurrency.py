"""Many writers at once, and writers that die: nothing acknowledged is lost, and nothing is half done."""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from numpy.testing import assert_allclose

from facegroup.errors import NotFound
from facegroup.gallery.snapshot import Snapshot
from facegroup.store import open_store
from facegroup.store.contract import Store
from facegroup.types import Gallery
from tests.conftest import RedisProcess
from tests.unit.store.samples import NETWORK, D, mean_of, photo_id, sample

ROOT = Path(__file__).parents[3]


def writer(url: str, gallery: str, person: str, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.unit.store.writer", url, gallery, person, str(first), str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str]) -> list[int]:
    """Return what a writer said that it has enrolled, to its end."""
    assert process.stdout is not None
    with process.stdout as lines:
        numbers = [int(line) for line in lines if line.endswith("\n")]
    process.wait()
    return numbers


def together(works: Sequence[Callable[[], None]]) -> None:
    """Run all at the same moment, each in its own thread, and let none fail unseen."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        gate.wait()
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(run, work) for work in works]:
            done.result()


def numbers(store: Store, gallery: str) -> list[int]:
    return [int(one.id, 16) for one in store.samples(gallery, "ann")]


def check(store: Store, gallery: str, expected: dict[str, list[int]]) -> None:
    read = store.centroids(gallery)
    assert read.ids == tuple(sorted(expected))
    for person, row in zip(read.ids, read.matrix, strict=True):
        kept = [one.id for one in store.samples(gallery, person)]
        assert sorted(kept) == [photo_id(number) for number in sorted(expected[person])]
        assert store.person(gallery, person).samples == len(kept)
        assert_allclose(row, mean_of(expected[person]), atol=1e-6)


def test_threads_and_processes_write_at_once(store: Store, url: str, gallery: str) -> None:
    people = ("ann", "bo")
    for person in people:
        store.create_person(gallery, person, person_id=person)
    processes = [writer(url, gallery, people[n % 2], 1000 * (n + 1), 12) for n in range(4)]
    stop = threading.Event()

    def read() -> None:
        snapshot = Snapshot.load(store, gallery)
        while not stop.is_set():
            newer = snapshot.caught_up(store)
            assert newer.version >= snapshot.version
            snapshot = newer

    def enrol(n: int) -> None:
        for number in range(10 * n, 10 * n + 8):
            store.add_samples(gallery, people[n % 2], [sample(number)], NETWORK)

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            together([partial(enrol, n) for n in range(6)])
            said = [acknowledged(process) for process in processes]
        finally:
            stop.set()
        reader.result()
    assert [process.returncode for process in processes] == [0] * 4
    expected: dict[str, list[int]] = {"ann": [], "bo": []}
    for n in range(6):
        expected[people[n % 2]] += range(10 * n, 10 * n + 8)
    for n, numbers in enumerate(said):
        assert len(numbers) == 12
        expected[people[n % 2]] += numbers
    check(store, gallery, expected)
    assert store.version(gallery) == 2 + 6 * 8 + 4 * 12


def test_the_same_photos_from_everywhere_are_enrolled_once(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    added: list[str] = []
    versions: list[int] = []

    def enrol() -> None:
        for first in (0, 3, 6):
            done = store.add_samples(gallery, "ann", [sample(number) for number in range(first, first + 5)], NETWORK)
            added.extend(done.added)
            versions.extend([done.version] if done.added else [])

    together([enrol] * 8)
    assert sorted(added) == [photo_id(number) for number in range(11)]
    assert sorted(versions) == list(range(2, 2 + len(versions)))
    assert store.version(gallery) == 1 + len(versions)
    check(store, gallery, {"ann": list(range(11))})


def test_a_gallery_is_created_and_erased_from_everywhere(store: Store) -> None:
    def churn() -> None:
        for _ in range(5):
            store.create_gallery(Gallery("churn", NETWORK, D, 0.4))
            try:
                person = store.create_person("churn", "Ann")
                store.add_samples("churn", person.id, [sample(1)], NETWORK)
                store.delete_gallery("churn")
            except NotFound:
                pass  # another thread erased it

    together([churn] * 4)
    store.create_gallery(Gallery("churn", NETWORK, D, 0.4))
    assert [gallery.name for gallery in store.galleries()] == ["churn"]
    read = store.centroids("churn")
    assert len(read.ids) <= store.gallery("churn").people


def test_a_killed_writer_leaves_all_that_it_acknowledged(store: Store, url: str, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    said: list[int] = []
    for first in (0, 100_000):
        process = writer(url, gallery, "ann", first, 100_000)
        said += [int(process.stdout.readline()) for _ in range(15) if process.stdout]
        process.kill()
        said += acknowledged(process)
    store.close()
    again = open_store(url)
    kept = numbers(again, gallery)
    assert len(said) >= 30
    assert set(said) <= set(kept)
    check(again, gallery, {"ann": kept})
    assert again.version(gallery) == 1 + len(kept)
    again.close()


def test_a_killed_redis_keeps_all_that_was_acknowledged(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path)
    server.start()
    try:
        store = open_store(server.url)
        store.create_gallery(Gallery("group", NETWORK, D, 0.4))
        store.create_person("group", "Ann", person_id="ann")
        process = writer(server.url, "group", "ann", 0, 100_000)
        said = [int(process.stdout.readline()) for _ in range(15) if process.stdout]
        server.kill()
        said += acknowledged(process)
        assert process.returncode != 0
        server.start()
        kept = numbers(store, "group")
        assert set(said) <= set(kept)
        check(store, "group", {"ann": kept})
        store.close()
    finally:
        server.kill()
