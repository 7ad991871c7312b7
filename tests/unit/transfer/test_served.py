"""A gallery that is served while it is moved: readers go on, nothing is taken for lost, and the log says what was done."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from facegroup.errors import MigrationIncomplete, NetworkMismatch
from facegroup.gallery.matching import Matcher
from facegroup.networks.registry import spec
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline.messages import Query
from facegroup.store import open_store
from facegroup.store.audit import Origin
from facegroup.store.contract import Store
from facegroup.store.guard import GuardedStore
from facegroup.store.staging import StagingStore
from facegroup.transfer.archive_reader import Archive
from facegroup.transfer.export_import import export, take_in
from facegroup.transfer.migration import Migration
from facegroup.transfer.reembedding import Fault
from facegroup.types import NOT_IN_DATASET, Floats, Gallery, Sample
from tests.unit.gallery.test_matching import PEOPLE, SPEC, fill, names

ASKED = [(Query("group"), 1)]
OTHER = spec("retail-0095")
ANN = Origin("ann")


class Axes:
    """A network that sees in each crop the axis of its number."""

    def __init__(self, of: NetworkSpec) -> None:
        self.spec = of
        self.fingerprint = self.detector = ""

    def embed(self, crops: Sequence[bytes]) -> list[Floats | Fault]:
        return [np.eye(4, self.spec.dimension, dtype=np.float32)[int(each)] for each in crops]


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StagingStore]:
    """A store with three people, the first with a crop and with an expiry far away."""
    url = f"sqlite:///{tmp_path}/g.db" if request.param == "sqlite" else request.getfixturevalue("redis_url")
    store = cast(StagingStore, open_store(url))
    fill(store)
    store.update_person("group", "p0", expires_at=4e9 + 0.123)
    for number in range(3):
        sample = Sample(f"{number + 50:064x}", PEOPLE[number], b"%d" % number)
        store.add_samples("group", f"p{number}", [sample], SPEC.name)
    yield store
    store.close()


def log(store: StagingStore) -> list[str]:
    return [each.event.what for each in store.audit("group") if each.origin == ANN]


def moved(store: StagingStore, to: NetworkSpec) -> Migration:
    return Migration(store, "group", Gallery("group", to.name, to.dimension, 0.5), lambda: Axes(to), by=ANN)


def test_an_import_in_its_place_is_no_loss(place: StagingStore, tmp_path: Path) -> None:
    galleries = Matcher(place, SPEC)
    guarded = GuardedStore(place, galleries.availability, galleries.losses)
    export(place, "group", tmp_path / "g.zip", by=ANN)
    before = place.people("group")
    guarded.call(Store.delete_person, "group", "p2")
    assert names(galleries.match(PEOPLE[[2]], ASKED)[0]) == [NOT_IN_DATASET]
    for _ in range(2):
        with Archive(tmp_path / "g.zip") as archive:
            take_in(place, archive, replaces=True, by=ANN)
        assert names(galleries.match(PEOPLE[[2]], ASKED)[0]) == ["group 2"]
        assert guarded.call(Store.people, "group") == before
    assert before[0].expires_at == 4e9 + 0.123
    guarded.call(Store.update_person, "group", "p2", name="Renamed")
    assert names(galleries.match(PEOPLE[[2]], ASKED)[0]) == ["Renamed"]
    galleries.losses.patrol()
    assert not galleries.losses.lost
    assert log(place) == ["exported", "imported", "imported"]
    assert place.audit("group")[-2].event.detail == {
        "people": 3,
        "samples": 6,
        "crops": 3,
        "network": SPEC.name,
        "replaced": 3,
    }


def test_a_migration_and_its_way_back_are_no_loss(place: StagingStore) -> None:
    old, new = Matcher(place, SPEC), Matcher(place, OTHER)
    axes = np.eye(4, OTHER.dimension, dtype=np.float32)
    guarded = GuardedStore(place, old.availability, old.losses)
    before = place.people("group")
    for _ in range(2):
        assert names(old.match(PEOPLE[[1]], ASKED)[0]) == ["group 1"]
        assert names(new.match(axes[[1]], ASKED)[0]) is NetworkMismatch
        moved(place, OTHER).run(drop_missing=True)
        assert names(old.match(PEOPLE[[1]], ASKED)[0]) is NetworkMismatch
        assert names(new.match(axes[[1]], ASKED)[0]) == ["group 1"]
        assert [each.expires_at for each in guarded.call(Store.people, "group")] == [4e9 + 0.123, None, None]
        moved(place, SPEC).back()
        assert guarded.call(Store.people, "group") == before
    assert guarded.call(Store.delete_person, "group", "p1").people == 1
    assert names(old.match(PEOPLE[[1]], ASKED)[0]) == [NOT_IN_DATASET]
    assert not old.losses.lost
    assert not new.losses.lost
    assert log(place) == ["migrated", "rolled_back"] * 2


def test_who_expired_meanwhile_is_no_reason_to_refuse_an_import(place: StagingStore, tmp_path: Path) -> None:
    place.update_person("group", "p1", expires_at=1.0)
    export(place, "group", tmp_path / "g.zip")

    def sweep(_: int) -> None:
        place.erase_expired("group")

    with Archive(tmp_path / "g.zip") as archive:
        made = take_in(place, archive, replaces=True, tell=sweep)
    assert made.people == 2


def test_damaged_values_are_not_left_behind_unasked(tmp_path: Path) -> None:
    store = cast(StagingStore, open_store(f"sqlite:///{tmp_path}/g.db"))
    fill(store, people=2)
    for number in range(2):
        store.add_samples(
            "group", f"p{number}", [Sample(f"{number + 50:064x}", PEOPLE[number], b"%d" % number)], SPEC.name
        )
        store.delete_sample("group", f"p{number}", f"{number:064x}")
    with closing(sqlite3.connect(tmp_path / "g.db")) as db, db:
        db.execute("UPDATE people SET metadata = 'no JSON' WHERE id = 'p1'")
    with pytest.raises(MigrationIncomplete, match="damaged"):
        moved(store, OTHER).run()
    assert store.gallery("group").network == SPEC.name
    moved(store, OTHER).run(drop_missing=True)
    assert [each.id for each in store.people("group")] == ["p0"]
    store.close()
