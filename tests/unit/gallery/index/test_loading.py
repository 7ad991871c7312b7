"""A gallery read page by page, from both stores, also while others write."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from facegroup.errors import UnknownGallery
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.snapshot import Snapshot
from facegroup.store import open_store, validation
from facegroup.store.contract import Store
from facegroup.types import Floats, Gallery, Sample

D = 8
PLANS = {"exact": Plan(segment_bytes=320), "compact": Plan("compact", segment_bytes=320)}


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(validation, "PAGE", 7)
    url = str(request.getfixturevalue("redis_url")) if request.param == "redis" else f"sqlite:///{tmp_path}/g.db"
    store = open_store(url)
    yield store
    store.close()


def row(seed: int, dimension: int = D) -> Floats:
    found = np.random.default_rng(seed).normal(size=dimension)
    return np.asarray(found / np.linalg.norm(found), np.float32)


def enrol(store: Store, person: str, number: int, dimension: int = D) -> None:
    store.add_samples("group", person, [Sample(f"{number:064x}", row(number, dimension))], "net")


def fill(store: Store, people: int, dimension: int = D) -> None:
    store.create_gallery(Gallery("group", "net", dimension, 0.4))
    for number in range(people):
        store.create_person("group", f"Name {number}", person_id=f"p{number:03}")
        enrol(store, f"p{number:03}", number, dimension)


def same_as_the_store(snapshot: Snapshot, store: Store) -> None:
    whole = store.centroids("group")
    assert (snapshot.version, snapshot.ids, snapshot.names) == (whole.version, whole.ids, whole.names)
    assert_allclose(snapshot.matrix, whole.matrix, atol=0 if snapshot.people.exact else 1.6e-5)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("people", [0, 1, 45])
def test_all_pages_are_the_gallery(store: Store, plan: Plan, people: int) -> None:
    fill(store, people)
    store.create_person("group", "Without photos")
    same_as_the_store(Snapshot.load(store, "group", plan), store)


def test_there_must_be_a_gallery(store: Store) -> None:
    with pytest.raises(UnknownGallery):
        list(store.centroid_pages("group"))
    with pytest.raises(UnknownGallery):
        Snapshot.load(store, "group")


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_what_is_written_between_two_pages_is_in_the_snapshot(
    store: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 40)
    pages = store.centroid_pages

    def while_reading(gallery: str) -> Iterator[object]:
        for number, page in enumerate(pages(gallery)):
            yield page
            yield page  # as HSCAN may
            enrol(store, f"p{number:03}", 1000 + number)
            store.delete_person("group", f"p{39 - number:03}")
            store.create_person("group", "New", person_id=f"new{number}")
            enrol(store, f"new{number}", 2000 + number)

    monkeypatch.setattr(store, "centroid_pages", while_reading)
    snapshot = Snapshot.load(store, "group", plan)
    same_as_the_store(snapshot, store)
    assert "new0" in snapshot.ids
    assert "p039" not in snapshot.ids


@pytest.mark.parametrize("dimension", [D, 2 * D])
def test_a_gallery_made_anew_between_two_pages_is_read_anew(
    store: Store, dimension: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 40)
    pages = store.centroid_pages
    done: list[bool] = []

    def while_reading(gallery: str) -> Iterator[object]:
        for page in pages(gallery):
            yield page
            if not done:
                done.append(True)
                store.delete_gallery("group")
                fill(store, 3, dimension)

    monkeypatch.setattr(store, "centroid_pages", while_reading)
    same_as_the_store(Snapshot.load(store, "group"), store)
    assert len(Snapshot.load(store, "group")) == 3


def test_loading_while_others_write_misses_nothing(store: Store) -> None:
    fill(store, 60)
    end = threading.Event()
    faults: list[Exception] = []

    def write(first: int) -> None:
        try:
            number = first
            while not end.is_set():
                number += 1
                enrol(store, f"p{number % 30:03}", number)
                if number % 5 == 0:
                    store.create_person("group", "Late", person_id=f"late{number}")
                    enrol(store, f"late{number}", number)
                    store.delete_sample("group", f"late{number}", f"{number:064x}")
        except Exception as error:
            faults.append(error)

    writers = [threading.Thread(target=write, args=(first,)) for first in (10_000, 20_000)]
    for writer in writers:
        writer.start()
    try:
        loaded = [Snapshot.load(store, "group", plan) for plan in PLANS.values() for _ in range(8)]
    finally:
        end.set()
        for writer in writers:
            writer.join()
    assert not faults
    for snapshot in loaded:
        same_as_the_store(snapshot.caught_up(store), store)
