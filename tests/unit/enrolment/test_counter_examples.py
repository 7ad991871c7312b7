"""Which counter-examples are doubted, and that a gallery's file and its migration keep them."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from facegroup.enrolment import counter_examples
from facegroup.errors import ArchiveInvalid, Contradiction, LooksLikeOwn
from facegroup.store import open_store
from facegroup.store.staging import StagingStore
from facegroup.transfer import export_import
from facegroup.transfer.archive_reader import Archive
from facegroup.transfer.migration import Migration
from facegroup.transfer.reembedding import Embeds
from facegroup.types import Gallery, Sample
from tests.unit.store.samples import NETWORK, D, counter, descriptor, photo_id, sample

THRESHOLD = 0.4  # so a counter-example is doubted above 1 - 0.7 * 0.6 = 0.58


def at(cosine: float, name: str) -> Sample:
    vector = np.array([cosine, np.sqrt(1 - cosine * cosine)], np.float32)
    return Sample(name * 64, vector, counter=name in "cd")


OWN = Sample("a" * 64, np.array([1, 0], np.float32))


@pytest.mark.parametrize(
    ("cosine", "expected"), [(0.57, None), (0.59, LooksLikeOwn), (-1.0, None), (1.0, Contradiction)]
)
def test_one_that_is_near_the_person_is_doubted(cosine: float, expected: type[Exception] | None) -> None:
    new = at(cosine, "c")
    named = [("photo", new.id)]
    kept, refused, photos, told = counter_examples.judge([new], named, [OWN], THRESHOLD, strict=False)
    if expected is Contradiction:
        assert (kept, photos, [type(each.error) for each in refused]) == ([], (), [Contradiction])
        return
    assert (kept, refused, photos) == ([new], (), tuple(named))
    assert [type(each.error) for each in told] == ([expected] if expected else [])
    kept, refused, photos, told = counter_examples.judge([new], named, [OWN], THRESHOLD, strict=True)
    assert (len(kept), told) == (int(expected is None), ())
    assert [type(each.error) for each in refused] == ([expected] if expected else [])


def test_one_that_is_there_already_is_not_judged_again() -> None:
    new = at(0.9, "c")
    known = [OWN, new]
    assert counter_examples.judge([new], [("p", new.id)], known, THRESHOLD, strict=True)[0] == [new]
    alone = counter_examples.judge([new], [("p", new.id)], [at(0.95, "d")], THRESHOLD, strict=True)
    assert (alone[0], alone[3]) == ([new], ())  # no photo of the person is there to be like


def store_with(url: str) -> StagingStore:
    store = cast(StagingStore, open_store(url))
    store.create_gallery(Gallery("group", NETWORK, D, 0.4))
    store.create_person("group", "Ann", person_id="ann")
    store.add_samples("group", "ann", [sample(1), sample(2), counter(3)], NETWORK)
    store.create_person("group", "Bo", person_id="bo")
    store.add_samples("group", "bo", [counter(4)], NETWORK)
    return store


def same(store: StagingStore, gallery: str, other: StagingStore) -> None:
    for person in ("ann", "bo"):
        left, right = store.person(gallery, person), other.person("group", person)
        assert left == right
        for kind in (False, True):
            mine, theirs = (
                {each.id: each for each in one.samples(name, person, crops=True, counter=kind)}
                for one, name in ((store, gallery), (other, "group"))
            )
            assert mine.keys() == theirs.keys()
            for key, each in mine.items():
                assert_array_equal(each.descriptor, theirs[key].descriptor)
                assert (each.crop, each.created_at, each.counter) == (theirs[key].crop, theirs[key].created_at, kind)
    assert_array_equal(store.centroids(gallery).counters["ann"], other.centroids("group").counters["ann"])


def test_a_file_brings_them_into_either_store(tmp_path: Path, redis_url: str) -> None:
    store = store_with(f"sqlite:///{tmp_path}/g.db")
    manifest = export_import.export(store, "group", tmp_path / "group.zip")
    assert (manifest["people"], manifest["samples"], manifest["crops"]) == (2, 4, 4)
    other = cast(StagingStore, open_store(redis_url))
    with Archive(tmp_path / "group.zip") as archive:
        export_import.take_in(other, archive, "taken")
        export_import.take_in(store, archive, "taken")
    same(other, "taken", store)
    same(store, "taken", store)
    store.close()
    other.close()


def test_a_file_whose_flag_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_with(f"sqlite:///{tmp_path}/g.db")
    real = store.samples
    monkeypatch.setattr(
        store,
        "samples",
        lambda *given, **named: [replace(each, counter=cast(bool, 1)) for each in real(*given, **named)],
    )
    export_import.export(store, "group", tmp_path / "group.zip")
    with Archive(tmp_path / "group.zip") as archive, pytest.raises(ArchiveInvalid, match="sample"):
        list(archive.chunks())
    store.close()


class Shifted:
    """A network whose descriptor of "jpeg <n>" is that of n + 50."""

    fingerprint = detector = ""

    def embed(self, crops: list[bytes]) -> list[object]:
        return [descriptor(int(crop.split()[1]) + 50) for crop in crops]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_migration_embeds_them_too_and_a_rollback_brings_them_back(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/g.db" if kind == "sqlite" else str(request.getfixturevalue("redis_url"))
    store = store_with(url)

    def migration(network: str) -> Migration:
        return Migration(store, "group", Gallery("", network, D, 0.5), lambda: cast(Embeds, Shifted()))

    done = migration("other").run()
    assert (done.embedded, done.missing) == (4, ())
    assert store.person("group", "ann").counters == store.person("group", "bo").counters == 1
    assert_array_equal(store.centroids("group").counters["ann"], [descriptor(53)])
    store.add_samples("group", "ann", [replace(counter(5), descriptor=descriptor(55))], "other")
    store.delete_sample("group", "ann", photo_id(3), counter=True)
    migration(NETWORK).back()
    assert store.gallery("group").network == NETWORK
    (left,) = store.samples("group", "ann", counter=True)
    assert left.id == photo_id(5)
    assert_array_equal(left.descriptor, descriptor(55))  # the network of this test always shifts
    store.close()
