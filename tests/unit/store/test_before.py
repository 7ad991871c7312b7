"""Stores and an archive written by the code before the folders: they open, answer the same, and go on.

`before/` was written by commit 5f8f106, on both stores: a gallery with everything that is kept of one and a migration of
it that was cut off in the middle; one that was migrated and can be rolled back; an import that was cut off; and
what that code answered. Descriptors are random, crops are drawn.
"""

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import redis

from facegroup.errors import UnknownGallery, UnknownPerson
from facegroup.gallery.matching import Matcher
from facegroup.networks.registry import spec
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline.messages import Query
from facegroup.settings import load
from facegroup.store import open_store, validation
from facegroup.store.audit import Event
from facegroup.store.audit_check import verify
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.staging import StagingStore, import_copy, migration_copy, previous_copy
from facegroup.transfer.archive_reader import Archive
from facegroup.transfer.export_import import take_in
from facegroup.transfer.migration import Migrated, Migration
from facegroup.transfer.reembedding import Reembedder
from facegroup.types import Gallery, Sample
from tests.unit.store.before.answers import answers, plain
from tests.unit.store.samples import descriptor, photo_id

BEFORE = Path(__file__).parent / "before"
OLD, NEW = spec("retail-0095"), spec("dlib-resnet29")
NAMES = ["group", "moved", migration_copy("group"), previous_copy("moved"), import_copy("brought")]
WRITTEN = 1795988655.0


@pytest.fixture(params=["sqlite", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def told(kind: str) -> Any:
    """What the code of before answered."""
    return json.loads((BEFORE / f"{kind}.json").read_text())


@pytest.fixture
def place(kind: str, told: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[StagingStore]:
    """The store that the code of before wrote."""
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path}/g.db"
        with closing(sqlite3.connect(tmp_path / "g.db")) as db:
            db.executescript((BEFORE / "store.sql").read_text())
    else:
        url = str(request.getfixturevalue("redis_url"))
        with redis.Redis.from_url(url) as client:
            for command, key, *words in told["commands"]:
                client.execute_command(command, key, *map(base64.b64decode, words))
    store = cast(StagingStore, open_store(url))
    yield store
    store.close()


def matches(store: StagingStore, network: NetworkSpec, gallery: str, person: str) -> Any:
    numbers = (1, 101, 102, 300, 999)
    rows = [descriptor(number, network.dimension) for number in numbers]
    rows.append(descriptor(5, network.dimension) * 0.8 + descriptor(6, network.dimension) * 0.6)
    probes = np.stack(rows) / np.linalg.norm(rows, axis=1, keepdims=True)
    found = {}
    for asked in (None, person):
        query = Query(gallery, person_id=asked)
        found[str(asked)] = plain(Matcher(store, network).match(probes.astype(np.float32), [(query, len(rows))])[0])
    return found


def near(found: Any, wanted: Any) -> bool:
    """Whether two answers are the same but for how numbers were rounded, and for what was added since, which is None."""
    if isinstance(wanted, dict):
        known = {key: value for key, value in found.items() if key in wanted or value is not None}
        return list(known) == list(wanted) and all(near(known[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(near, found, wanted))
    return bool(found == (pytest.approx(wanted, abs=1e-5) if isinstance(wanted, float) else wanted))


def migrate(store: StagingStore, gallery: str, to: NetworkSpec = NEW, *, back: bool = False) -> Migrated:
    part = {"engine": "simulated", "simulated_ms": 0}
    settings = load(network=to.name, detector=part, embedder=part)
    new = Gallery(gallery, to.name, to.dimension, to.threshold)
    work = Migration(store, gallery, new, lambda: Reembedder(settings))
    return (work.back if back else work.run)(drop_missing=True)


def complete(gallery: Any) -> Any:
    """Add what was added to the answers since, as it must be in a gallery of before."""
    gallery["gallery"] |= {"decision": "cosine", "liveness": "off", "detector": "", "fingerprint": ""}
    gallery["gallery"] |= {"cohort_size": 0, "cohort_version": 0}
    if gallery["gallery"]["calibration"]:
        gallery["gallery"]["calibration"] |= {"detector": "", "decision": "cosine"}
    for each in gallery["audit"]:
        each["origin"]["address"] = ""
        each |= {"result": "done", "number": 0, "previous": "", "hash": ""}
    for each in (each for samples in gallery["samples"].values() for each in samples):
        each["detector"] = ""
    return gallery


def test_people_samples_settings_changes_and_log_are_answered_the_same(place: StagingStore, told: Any) -> None:
    for name in NAMES:
        complete(told["store"]["galleries"][name])
    assert answers(place, NAMES) == told["store"]


def test_entries_of_before_begin_a_chain_at_an_anchor(place: StagingStore) -> None:
    older = place.audit("group", limit=1000)
    begun = place.audit_chain("group")
    assert (begun.number, begun.anchor.id, begun.anchor.number) == (0, older[-1].id, 0)
    assert verify(place, "group").fault is None
    place.note("group", Event("exported"))
    assert place.audit_chain("group").anchor == begun.anchor
    done = verify(place, "group")
    assert (done.older, done.entries, done.fault) == (len(older), 1, None)


def test_faces_are_matched_the_same(place: StagingStore, told: Any) -> None:
    assert near(matches(place, OLD, "group", "p01"), told["matches"]["group"])
    assert near(matches(place, NEW, "moved", "later"), told["matches"]["moved"])


def test_writes_go_on_above_what_was_written(place: StagingStore, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    version = place.version("group")
    one = Sample(photo_id(900), descriptor(900, OLD.dimension), b"crop")
    assert place.add_samples("group", "p05", [one], OLD.name).version == version + 1
    assert place.update_person("group", "p06", name="Other").name == "Other"
    assert place.delete_person("group", "p01").counters == 1
    assert place.centroids("group", since=version).gone == ("p01",)
    assert place.update_gallery("group", threshold=0.6).version == version + 4
    assert place.create_gallery(Gallery("gone", OLD.name, OLD.dimension, 0.5)).version > 0
    monkeypatch.setattr(validation, "now", lambda: WRITTEN + 60)
    repeated = place.create_person("group", "Person 0 曾é", once=IdempotencyKey("create 0", "body"))
    assert repeated.id == "p00"
    sent = [Sample(photo_id(number), descriptor(number, OLD.dimension)) for number in (0, 100)]
    again = place.add_samples("group", "p00", sent, OLD.name, once=IdempotencyKey("enrol", "photos"))
    assert (again.added, again.duplicates) == ((photo_id(100),), (photo_id(0),))


def test_a_migration_under_way_is_finished(place: StagingStore) -> None:
    people = {each.id: each for each in place.people("group")}
    counters = {each: place.samples("group", each, counter=True) for each in people}
    before = place.audit("group")
    copied = sum(len(place.samples(migration_copy("group"), each.id)) for each in place.people(migration_copy("group")))
    done = migrate(place, "group")
    assert (done.before, done.gallery.network) == (OLD.name, NEW.name)
    assert (copied, done.embedded) == (9, 4)  # those of the copy are not embedded again
    assert [(each.person_id, each.why) for each in done.missing] == [("p03", "no_crop")]
    after = {each.id: each for each in place.people("group")}
    assert after == people | {"p03": replace(people["p03"], samples=1)}
    assert {each: [one.id for one in place.samples("group", each, counter=True)] for each in after} == {
        each: [one.id for one in rows] for each, rows in counters.items()
    }
    assert place.centroids("group").matrix.shape[1] == NEW.dimension
    assert place.audit("group")[: len(before)] == before
    with pytest.raises(UnknownGallery):
        place.gallery(migration_copy("group"))
    assert migrate(place, "group", OLD, back=True).gallery.network == OLD.name
    assert {each.id: each for each in place.people("group")} == people


def test_a_migration_that_was_finished_is_rolled_back(place: StagingStore) -> None:
    done = migrate(place, "moved", OLD, back=True)
    assert (done.gallery.network, done.embedded) == (OLD.name, 1)
    assert [each.id for each in place.people("moved")] == ["later", "m0", "m1", "m2"]
    np.testing.assert_array_equal(place.samples("moved", "m1")[0].descriptor, descriptor(201, OLD.dimension))


def test_who_is_erased_is_erased_from_the_copies_of_before(place: StagingStore) -> None:
    place.delete_person("moved", "m1")
    place.merge_people("moved", "m0", "m2")
    place.delete_sample("group", "p05", photo_id(5))
    assert [each.id for each in place.people(previous_copy("moved"))] == ["m0"]
    assert place.samples(migration_copy("group"), "p05") == []
    place.update_gallery("group", keep_crops=False)
    copies = place.people(migration_copy("group"))
    assert copies
    assert all(
        each.crop is None for one in copies for each in place.samples(migration_copy("group"), one.id, crops=True)
    )
    place.delete_gallery("moved")
    with pytest.raises(UnknownGallery):
        place.gallery(previous_copy("moved"))
    with pytest.raises(UnknownPerson):
        place.person("group", "p33")


def test_the_archive_is_imported_over_an_import_that_was_cut_off(
    place: StagingStore, kind: str, told: Any, tmp_path: Path
) -> None:
    path = tmp_path / "group.facegroup"
    path.write_bytes(base64.b64decode((BEFORE / "archive.b64").read_text()))
    with Archive(path) as archive:
        made = take_in(place, archive, "brought")
    assert made.people == place.gallery("group").people
    with pytest.raises(UnknownGallery):
        place.gallery(import_copy("brought"))
    brought = answers(place, ["brought"])["galleries"]["brought"]
    written = complete(json.loads((BEFORE / "sqlite.json").read_text())["store"]["galleries"]["group"])
    for part in ("named", "samples") if kind == "redis" else ("people", "named", "samples"):
        assert brought[part] == written[part]
    assert [brought["centroids"][field] for field in ("ids", "names")] == [
        written["centroids"][field] for field in ("ids", "names")
    ]
    assert {each["id"]: each["metadata"] for each in brought["people"]} == {
        each["id"]: each["metadata"] for each in written["people"]
    }
