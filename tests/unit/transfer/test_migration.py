"""Migrations on both stores, with the simulated network: complete, resumed after a kill, level with writers, undone."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from facegroup.errors import (
    MalformedRequest,
    MigrationIncomplete,
    NetworkMismatch,
    SwitchConflict,
    UnknownGallery,
    UnknownPerson,
)
from facegroup.networks.registry import spec
from facegroup.settings import load
from facegroup.store import open_store
from facegroup.store.audit_check import Head, verify
from facegroup.store.cohort import LEAST
from facegroup.store.staging import StagingStore, migration_copy, previous_copy
from facegroup.transfer.migration import Migration
from facegroup.transfer.reembedding import Fault, Reembedder
from facegroup.types import DecisionRule, Floats, Gallery, Sample
from tests.unit.store.conftest import url  # noqa: F401 (a fixture)
from tests.unit.store.samples import CALIBRATION, descriptor, photo_id, strangers

OLD, NEW = spec("retail-0095"), spec("dlib-resnet29")
ROOT = Path(__file__).parents[3]
ONE, TWO = "1" * 64, "2" * 64
COPY = Gallery(migration_copy("group"), NEW.name, NEW.dimension, NEW.threshold, fingerprint=ONE)


def sample(number: int, crop: bytes | None = b"") -> Sample:
    return Sample(photo_id(number), descriptor(number, OLD.dimension), b"crop %d" % number if crop == b"" else crop)


@pytest.fixture
def place(url: str) -> StagingStore:  # noqa: F811
    """A store with a gallery of 60 people, each with one sample."""
    store = cast(StagingStore, open_store(url))
    store.create_gallery(Gallery("group", OLD.name, OLD.dimension, 0.4))
    for number in range(60):
        store.create_person("group", f"P{number}", {"n": number}, f"p{number:02d}")
        store.add_samples("group", f"p{number:02d}", [sample(number)], OLD.name)
    return store


def migration(store: StagingStore, tell: Callable[[int], None] = lambda n: None, back: bool = False) -> Migration:
    target = OLD if back else NEW
    part = {"engine": "simulated", "simulated_ms": 0}
    settings = load(network=target.name, detector=part, embedder=part)
    new = Gallery("group", target.name, target.dimension, target.threshold)
    return Migration(store, "group", new, lambda: Reembedder(settings), tell)


def test_all_are_embedded_anew_and_nothing_else_changes(place: StagingStore) -> None:
    before = place.people("group")
    done = migration(place).run()
    assert (done.before, done.embedded, done.missing) == (OLD.name, 60, ())
    assert (done.gallery.network, done.gallery.threshold) == (NEW.name, NEW.threshold)
    assert place.people("group") == before
    assert place.centroids("group").matrix.shape == (60, NEW.dimension)
    assert [each.crop for each in place.samples("group", "p07", crops=True)] == [b"crop 7"]
    with pytest.raises(MalformedRequest):
        migration(place).run()


def test_the_cohort_is_left_behind_and_a_rollback_has_it_again(place: StagingStore) -> None:
    place.add_cohort("group", strangers(1001, 1002, dimension=OLD.dimension), OLD.name)
    done = migration(place).run()
    assert (done.cohort_left, done.gallery.cohort_size) == (2, 0)
    assert place.audit("group", limit=1000)[-1].event.detail["cohort_left"] == 2
    place.add_cohort("group", strangers(1003, dimension=NEW.dimension), NEW.name)
    place.erase_cohort("group", [photo_id(1001)])  # who is on the copy only
    moved = verify(place, "group")
    assert (moved.fault, moved.entries) == (None, len(place.audit("group", limit=1000)))
    back = migration(place, back=True).back()
    assert verify(place, "group", [Head.read(moved.head)]).fault is None
    assert (back.cohort_left, back.gallery.cohort_size) == (1, 1)
    assert place.cohort("group").ids == (photo_id(1002),)
    np.testing.assert_array_equal(place.cohort("group").matrix[0], descriptor(1002, OLD.dimension))


def test_a_cohort_that_decides_must_be_large_enough_afterwards(place: StagingStore) -> None:
    place.add_cohort("group", strangers(1001, dimension=OLD.dimension), OLD.name)
    place.update_gallery("group", decision="cohort")
    for number in range(9, 60):
        place.delete_person("group", f"p{number:02d}")
    place.create_person("group", "Without photos")
    for drop in (False, True):
        with pytest.raises(MigrationIncomplete, match=r"only 9 would be left.*cosine"):
            migration(place).run(drop_missing=drop)
    with pytest.raises(UnknownGallery):  # refused before anything is embedded
        place.gallery(migration_copy("group"))
    assert (place.gallery("group").network, place.cohort("group").ids) == (OLD.name, (photo_id(1001),))
    place.update_gallery("group", decision="cosine")
    assert migration(place).run().gallery.decision == "cosine"


def test_a_decision_that_is_set_meanwhile_counts(place: StagingStore) -> None:
    for number in range(LEAST - 1, 60):
        place.delete_person("group", f"p{number:02d}")

    def meanwhile(count: int) -> None:
        place.update_gallery("group", decision="cohort")

    with pytest.raises(MigrationIncomplete, match="cohort"):
        migration(place, meanwhile).run()
    place.create_person("group", "New", person_id="a-new")
    place.add_samples("group", "a-new", [sample(200)], OLD.name)
    assert migration(place).run().gallery.decision == "cohort"


class Pinned:
    """The simulated network, with a fingerprint."""

    def __init__(self, network: str, fingerprint: str, detector: str = "mine") -> None:
        part = {"engine": "simulated", "simulated_ms": 0}
        made = Reembedder(load(network=network, detector=part, embedder=part))
        self.spec, self._embed, self.fingerprint = made.spec, made.embed, fingerprint
        self.detector, self.embedded = detector, 0

    def embed(self, crops: Sequence[bytes]) -> list[Floats | Fault]:
        self.embedded += len(crops)
        return self._embed(crops)


def pinned(
    store: StagingStore, fingerprint: str, tell: Callable[[int], None] = lambda n: None, back: bool = False
) -> tuple[Migration, Pinned]:
    target = OLD if back else NEW
    network = Pinned(target.name, fingerprint)
    new = Gallery("group", target.name, target.dimension, target.threshold)
    return Migration(store, "group", new, lambda: network, tell), network


def test_a_migrated_gallery_is_pinned_to_the_network_that_embedded_it(place: StagingStore) -> None:
    place.pin_gallery("group", fingerprint=ONE)
    assert pinned(place, TWO)[0].run().gallery.fingerprint == TWO
    assert place.gallery(previous_copy("group")).fingerprint == ONE


def test_a_migrated_gallery_has_the_detector_that_found_its_faces_again(place: StagingStore) -> None:
    place.add_samples("group", "p03", [replace(sample(300), detector="mtcnn", counter=True)], OLD.name)
    place.pin_gallery("group", "mtcnn")
    assert pinned(place, ONE)[0].run().gallery.detector == "mine"
    found_by = {each.id: each.detector for each in place.samples("group", "p03", counter=None)}
    assert found_by == {photo_id(3): "mine", photo_id(300): "mine"}
    late = Sample(photo_id(900), descriptor(9, NEW.dimension), b"late", detector="yunet")
    place.add_samples("group", "p03", [late], NEW.name)
    assert pinned(place, TWO, back=True)[0].back().gallery.detector == "mtcnn"
    found_by = {each.id: each.detector for each in place.samples("group", "p03", counter=None)}
    assert found_by == {photo_id(3): "", photo_id(300): "mtcnn", photo_id(900): "mine"}
    again = pinned(place, ONE)[0].back().gallery
    assert (again.network, again.detector, again.fingerprint) == (NEW.name, "mine", ONE)
    found_by = {each.id: each.detector for each in place.samples("group", "p03", counter=None)}
    assert found_by == {photo_id(3): "mine", photo_id(300): "mine", photo_id(900): "yunet"}


def test_what_other_weights_began_is_begun_anew(place: StagingStore) -> None:
    place.add_samples("group", "p03", [sample(300, None)], OLD.name)
    for fingerprint, embedded in ((ONE, 60), (ONE, 0), (TWO, 60), ("", 60), ("", 0), (ONE, 60)):
        work, network = pinned(place, fingerprint)
        with pytest.raises(MigrationIncomplete):
            work.run()
        assert network.embedded == embedded
        assert place.gallery(migration_copy("group")).fingerprint == fingerprint
    assert pinned(place, ONE)[0].run(drop_missing=True).gallery.fingerprint == ONE


def test_an_empty_gallery_opens_no_network_until_there_is_something_to_embed(place: StagingStore) -> None:
    for number in range(60):
        place.delete_person("group", f"p{number:02d}")
    assert migration(place).run().gallery.fingerprint == ""
    migration(place, back=True).back()

    def meanwhile(count: int) -> None:
        if "late" not in place.centroids("group").ids:
            place.create_person("group", "Late", person_id="late")
            place.add_samples("group", "late", [sample(900)], OLD.name)

    assert pinned(place, ONE, meanwhile)[0].run().gallery.fingerprint == ONE


def test_a_rollback_embeds_with_the_weights_of_before_or_not_at_all(place: StagingStore) -> None:
    place.pin_gallery("group", fingerprint=ONE)
    pinned(place, TWO)[0].run()
    place.add_samples("group", "p03", [Sample(photo_id(900), descriptor(9, NEW.dimension), b"late")], NEW.name)
    with pytest.raises(NetworkMismatch, match="other weights"):
        pinned(place, TWO, back=True)[0].back()
    assert (place.gallery("group").network, place.gallery("group").fingerprint) == (NEW.name, TWO)
    done = pinned(place, ONE, back=True)[0].back()
    assert (done.gallery.fingerprint, done.embedded) == (ONE, 1)


@pytest.mark.parametrize("other", [replace(COPY, network="another"), replace(COPY, fingerprint=TWO)])
def test_a_copy_that_another_migration_began_anew_is_not_switched_to(place: StagingStore, other: Gallery) -> None:
    told = 0

    def meanwhile(count: int) -> None:
        nonlocal told
        told += count
        if told >= 60:
            place.delete_gallery(migration_copy("group"))
            place.create_gallery(other)

    with pytest.raises(SwitchConflict):
        pinned(place, ONE, meanwhile)[0].run()
    assert (place.gallery("group").network, place.gallery("group").people) == (OLD.name, 60)


@pytest.mark.parametrize("other", [replace(COPY, network="another"), replace(COPY, fingerprint=TWO), None])
def test_nobody_is_written_to_the_copy_of_another_migration(place: StagingStore, other: Gallery | None) -> None:
    work, network = pinned(place, ONE)
    embed = network.embed

    def meanwhile(crops: Sequence[bytes]) -> list[Floats | Fault]:
        if network.embedded == 32:
            place.delete_gallery(COPY.name)
            if other is not None:
                place.create_gallery(other)
        return embed(crops)

    network.embed = meanwhile  # type: ignore[method-assign]
    with pytest.raises(SwitchConflict, match="Another process migrates"):
        work.run()
    assert place.gallery("group").network == OLD.name
    if other is not None:
        assert place.gallery(COPY.name).people == 0


def test_a_threshold_never_goes_without_its_decision(place: StagingStore) -> None:
    def meanwhile(count: int) -> None:
        place.update_gallery("group", decision="cohort", threshold=0.2)

    with pytest.raises(MigrationIncomplete, match=r'set to "cohort" during .* one of the decision "cosine"'):
        migration(place, meanwhile).run()
    unchanged = place.gallery("group")
    assert (unchanged.network, unchanged.decision, unchanged.threshold) == (OLD.name, "cohort", 0.2)
    with pytest.raises(MigrationIncomplete, match='set to "cosine"'):
        migration(place, lambda count: cast(None, place.update_gallery("group", decision="cosine"))).run()


def test_a_default_threshold_is_that_of_the_decision_that_is_migrated(place: StagingStore) -> None:
    thresholds = {"cosine": 0.9, "cohort": 0.1}.__getitem__
    for decision, wanted in (("cohort", 0.1), ("cosine", 0.9)):
        place.update_gallery("group", decision=cast(DecisionRule, decision))
        new = Gallery("group", NEW.name, NEW.dimension, 0.5)
        work = Migration(place, "group", new, lambda: Pinned(NEW.name, ONE), threshold=thresholds)
        done = work.run().gallery
        assert (done.decision, done.threshold) == (decision, wanted)
        migration(place, back=True).back()


@pytest.mark.parametrize(("before", "after"), [("cosine", "cohort"), ("cohort", "cosine")])
def test_a_rollback_has_the_decision_of_its_threshold(
    place: StagingStore, before: DecisionRule, after: DecisionRule
) -> None:
    made = replace(CALIBRATION, network=OLD.name, decision=before)
    place.update_gallery("group", decision=before, threshold=0.3, calibration=made)
    migration(place).run()
    place.update_gallery("group", decision=after, threshold=0.7)

    def meanwhile(count: int) -> None:
        place.update_gallery("group", threshold=0.8, decision=after)

    back = migration(place, meanwhile, back=True).back().gallery
    assert (back.network, back.decision, back.threshold, back.calibration) == (OLD.name, before, 0.3, made)


def test_a_rollback_to_a_cohort_that_is_too_small_by_now_is_refused(place: StagingStore) -> None:
    place.update_gallery("group", decision="cohort", threshold=0.3)
    migration(place).run()
    place.update_gallery("group", decision="cosine", threshold=0.7)
    for number in range(9, 60):
        place.delete_person("group", f"p{number:02d}")
    with pytest.raises(MigrationIncomplete, match=r"earlier version .* only 9 .* Enrol more people"):
        migration(place, back=True).back()
    assert (place.gallery("group").network, place.gallery("group").threshold) == (NEW.name, 0.7)


def test_of_two_migrations_at_once_each_switches_with_its_own_threshold(place: StagingStore) -> None:
    def other(count: int) -> None:
        place.update_gallery(migration_copy("group"), threshold=0.1, quality="strict")

    done = migration(place, other).run().gallery
    assert (done.threshold, done.quality) == (NEW.threshold, "off")


def test_who_changes_meanwhile_is_in_it(place: StagingStore) -> None:
    told = 0

    def meanwhile(count: int) -> None:
        nonlocal told
        told += count
        if told == count:
            assert place.gallery("group").network == OLD.name  # it serves on
            place.delete_person("group", "p00")
            place.update_person("group", "p01", name="Renamed")
            place.add_samples("group", "p02", [sample(102)], OLD.name)
            place.create_person("group", "New", person_id="a-new")
            place.add_samples("group", "a-new", [sample(200)], OLD.name)

    migration(place, meanwhile).run()
    assert place.gallery("group").people == 60
    assert place.person("group", "p01").name == "Renamed"
    assert place.person("group", "p02").samples == 2
    assert "a-new" in place.centroids("group").ids
    with pytest.raises(UnknownPerson):
        place.person("group", "p00")


def test_policies_are_those_of_the_last_moment_there_and_back(place: StagingStore) -> None:
    def meanwhile(count: int) -> None:
        place.update_gallery("group", probe_quality="standard")

    migration(place, meanwhile).run()
    assert place.gallery("group").probe_quality == "standard"
    place.update_gallery("group", quality="strict", keep_crops=False)
    place.update_gallery("group", probe_quality="off", keep_crops=True)
    migration(place, back=True).back(drop_missing=True)
    back = place.gallery("group")
    assert (back.network, back.quality, back.probe_quality, back.keep_crops) == (OLD.name, "strict", "off", True)


def test_killed_it_goes_on_where_it_was(place: StagingStore, url: str) -> None:  # noqa: F811
    command = [sys.executable, "-m", "tests.unit.transfer.migrating", url, "group"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.kill()
    assert place.gallery("group").network == OLD.name
    done_before = place.gallery(migration_copy("group")).people
    assert 0 < done_before < 60
    place.delete_person("group", "p00")
    done = migration(place).run()
    assert done.embedded <= 60 - done_before
    assert place.gallery("group").people == 59
    assert place.centroids("group").matrix.shape == (59, NEW.dimension)


def test_samples_without_a_crop_are_listed_and_never_lost_unasked(place: StagingStore) -> None:
    place.add_samples("group", "p03", [sample(300, None)], OLD.name)
    for _ in range(2):  # a second try lists them too
        work = migration(place)
        with pytest.raises(MigrationIncomplete):
            work.run()
        assert [(each.person_id, each.sample_id, each.why) for each in work.missing] == [
            ("p03", photo_id(300), "no_crop")
        ]
        assert place.gallery("group").network == OLD.name
    assert len(migration(place).run(drop_missing=True).missing) == 1
    assert place.person("group", "p03").samples == 1
    migration(place, back=True).back()
    assert [each.id for each in place.samples("group", "p03")] == [photo_id(3), photo_id(300)]


def test_a_gallery_that_keeps_no_crops_is_refused_at_once(place: StagingStore) -> None:
    place.update_gallery("group", keep_crops=False)
    with pytest.raises(MigrationIncomplete):
        migration(place).run()


def test_a_rollback_brings_back_the_descriptors_and_keeps_what_came_since(place: StagingStore) -> None:
    before = place.samples("group", "p05")[0].descriptor
    with pytest.raises(MalformedRequest):
        migration(place, back=True).back()
    migration(place).run()
    place.delete_person("group", "p01")
    place.create_person("group", "Late", person_id="late")
    late = np.asarray(descriptor(9, NEW.dimension))
    place.add_samples("group", "late", [Sample(photo_id(900), late, b"late")], NEW.name)
    done = migration(place, back=True).back()
    assert (done.gallery.network, done.gallery.threshold, done.embedded) == (OLD.name, 0.4, 1)
    np.testing.assert_array_equal(place.samples("group", "p05")[0].descriptor, before)
    assert place.gallery("group").people == 60
    assert "late" in place.centroids("group").ids
    assert "p01" not in place.centroids("group").ids
    assert place.gallery(previous_copy("group")).network == NEW.name
