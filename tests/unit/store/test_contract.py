"""What `facegroup.store.contract` promises, asked of every store."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from numpy.testing import assert_allclose

from facegroup.errors import (
    Conflict,
    FacegroupError,
    GalleryExists,
    InvalidDescriptor,
    InvalidName,
    MalformedRequest,
    NetworkMismatch,
    PersonExists,
    UnknownGallery,
    UnknownPerson,
    UnknownPhoto,
)
from facegroup.store import validation
from facegroup.store.contract import Changes, Store, VersionGone
from facegroup.types import Gallery, Sample
from tests.unit.store.samples import CALIBRATION, NETWORK, D, descriptor, mean_of, photo_id, sample
from tests.unit.store.with_key import pytest_generate_tests  # noqa: F401 (pytest calls it)

ODD_NAMES = [
    "曾宏鈞",
    "\U0001f469\u200d\U0001f680",
    "محمد",
    "a b",
    "{a}",
    "a:b",
    "100%",
    "C*?[x]",
    "'; DROP TABLE people",
]


def test_a_gallery_is_created_once(store: Store) -> None:
    made = store.create_gallery(Gallery("group", NETWORK, D, 0.25, keep_crops=False, version=7, people=3))
    assert made == replace(made, name="group", network=NETWORK, dimension=D, threshold=0.25, version=0, people=0)
    assert not made.keep_crops
    assert made.created_at > 1.7e9
    assert store.create_gallery(Gallery("group", NETWORK, D, 0.5)) == made == store.gallery("group")
    for network, dimension in ((NETWORK, D + 1), ("another", D)):
        with pytest.raises(GalleryExists) as caught:
            store.create_gallery(Gallery("group", network, dimension, 0.25))
        assert caught.value.status == 409


@pytest.mark.parametrize(
    ("gallery", "error"),
    [
        (Gallery("a/b", NETWORK, D, 0.4), InvalidName),
        (Gallery("", NETWORK, D, 0.4), InvalidName),
        (Gallery("a", NETWORK, D, float("nan")), MalformedRequest),
        (Gallery("a", NETWORK, D, 1.5), MalformedRequest),
        (Gallery("a", NETWORK, 0, 0.4), MalformedRequest),
    ],
)
def test_a_gallery_that_cannot_be_is_refused(store: Store, gallery: Gallery, error: type[FacegroupError]) -> None:
    with pytest.raises(error):
        store.create_gallery(gallery)
    assert store.galleries() == []


@pytest.mark.parametrize("name", ["nobody's", "", "a/b", "\ud800", "x\0y", "a" * 300])
def test_what_is_not_there_is_not_found(store: Store, gallery: str, name: str) -> None:
    in_no_gallery: list[Callable[[], Any]] = [
        lambda: store.gallery(name),
        lambda: store.version(name),
        lambda: store.centroids(name),
        lambda: store.people(name),
        lambda: store.create_person(name, "Ann"),
        lambda: store.update_gallery(name, threshold=0.1),
        lambda: store.delete_gallery(name),
        lambda: store.add_samples(name, "ann", [], NETWORK),
    ]
    for ask in in_no_gallery:
        with pytest.raises(UnknownGallery):
            ask()
    of_nobody: list[Callable[[], Any]] = [
        lambda: store.person(gallery, name),
        lambda: store.samples(gallery, name),
        lambda: store.update_person(gallery, name, name="Bo"),
        lambda: store.delete_person(gallery, name),
        lambda: store.delete_sample(gallery, name, photo_id(1)),
        lambda: store.add_samples(gallery, name, [sample(1)], NETWORK),
    ]
    for ask in of_nobody:
        with pytest.raises(UnknownPerson):
            ask()
    store.create_person(gallery, "Ann", person_id="ann")
    with pytest.raises(UnknownPhoto):
        store.delete_sample(gallery, "ann", name)
    assert store.people(gallery, name=name) == []
    assert store.version(gallery) == 1


def test_names_in_any_script_are_kept_found_and_sorted(store: Store) -> None:
    for name in ODD_NAMES:
        store.create_gallery(Gallery(name, NETWORK, D, 0.4))
        person = store.create_person(name, name)
        assert store.people(name, name=name) == [person]
    assert [gallery.name for gallery in store.galleries()] == sorted(ODD_NAMES)
    assert [gallery.people for gallery in store.galleries()] == [1] * len(ODD_NAMES)
    assert [gallery.name for gallery in store.galleries(sorted(ODD_NAMES)[2], 2)] == sorted(ODD_NAMES)[3:5]
    store.create_gallery(Gallery("Zoe\u0308 ", NETWORK, D, 0.4))
    assert store.gallery("Zoë") == store.gallery("Zoe\u0308")
    for name in [*ODD_NAMES, "Zoë"]:
        store.delete_gallery(name)
    assert store.galleries() == []


def test_galleries_do_not_touch_each_other(store: Store) -> None:
    for name in ("a", "b"):
        store.create_gallery(Gallery(name, NETWORK, D, 0.4))
        store.create_person(name, "Ann", person_id="ann")
    store.add_samples("a", "ann", [sample(1)], NETWORK)
    store.delete_gallery("a")
    assert store.person("b", "ann").samples == 0
    assert store.version("b") == 1


def test_people_are_kept_paged_and_found_by_name(store: Store, gallery: str) -> None:
    made = [store.create_person(gallery, name, {"n": n}) for n, name in enumerate(["Bo", "Ann", "Bo", "Cy", "Bo"])]
    by_id = sorted(made, key=lambda person: person.id)
    assert store.people(gallery) == by_id
    assert store.people(gallery, limit=2) == by_id[:2]
    assert store.people(gallery, by_id[1].id, 2) == by_id[2:4]
    assert store.people(gallery, by_id[4].id) == []
    assert store.people(gallery, limit=0) == store.people(gallery, limit=-1) == []
    bos = [person for person in by_id if person.name == "Bo"]
    assert store.people(gallery, name=" Bo") == bos
    assert store.people(gallery, after=bos[0].id, limit=1, name="Bo") == bos[1:2]
    store.update_person(gallery, bos[0].id, name="Ann")
    assert store.people(gallery, name="Bo") == bos[1:]
    assert len(store.people(gallery, name="Ann")) == 2


def test_ids_are_unique_and_may_be_given(store: Store, gallery: str) -> None:
    assert store.create_person(gallery, "Ann", person_id="ann-1").id == "ann-1"
    with pytest.raises(PersonExists):
        store.create_person(gallery, "Bo", person_id="ann-1")
    with pytest.raises(InvalidName):
        store.create_person(gallery, "Bo", person_id="Bo!")
    with pytest.raises(InvalidName):
        store.create_person(gallery, "not in the dataset")
    assert store.version(gallery) == store.gallery(gallery).people == 1


def test_metadata_is_any_json_object(store: Store, gallery: str) -> None:
    notes: dict[str, Any] = {"曾": [1, 2.5, None, {"x": True}], "long": "y" * 10_000, "half": "\ud800"}
    person = store.create_person(gallery, "Ann", notes)
    assert store.person(gallery, person.id).metadata == notes
    assert store.update_person(gallery, person.id, metadata={}).metadata == {}
    wrong: tuple[Any, ...] = ({"a": float("nan")}, {"a": object()}, ["a"])
    for metadata in wrong:
        with pytest.raises(MalformedRequest):
            store.create_person(gallery, "Bo", metadata)
        with pytest.raises(MalformedRequest):
            store.update_person(gallery, person.id, metadata=metadata)
    assert store.version(gallery) == 2


def test_updates_change_what_is_given_and_nothing_else(store: Store, gallery: str) -> None:
    person = store.create_person(gallery, "Ann", {"a": 1}, "ann")
    renamed = store.update_person(gallery, "ann", name="Ann B.")
    assert renamed == replace(person, name="Ann B.", updated_at=renamed.updated_at)
    assert renamed.updated_at >= person.updated_at
    assert store.update_person(gallery, "ann") == renamed
    with pytest.raises(InvalidName):
        store.update_person(gallery, "ann", name="..")
    assert store.update_gallery(gallery, threshold=0.7).threshold == store.gallery(gallery).threshold == 0.7
    assert store.update_gallery(gallery).version == store.version(gallery) == 3
    with pytest.raises(MalformedRequest):
        store.update_gallery(gallery, threshold=float("nan"))


def test_policies_and_a_calibration_are_kept(store: Store, gallery: str) -> None:
    before = store.gallery(gallery)
    assert (before.quality, before.probe_quality, before.calibration) == ("off", "off", None)
    store.update_gallery(gallery, quality="strict")
    changed = store.update_gallery(gallery, threshold=0.55, probe_quality="standard", calibration=CALIBRATION)
    assert changed == store.gallery(gallery) == store.galleries()[0]
    assert (changed.quality, changed.probe_quality, changed.calibration) == ("strict", "standard", CALIBRATION)
    read = store.centroids(gallery)
    assert (read.version, read.threshold, read.probe_quality, read.calibration) == (2, 0.55, "standard", CALIBRATION)
    last = store.audit(gallery)[-1].event
    assert (last.what, last.detail) == ("calibrated", {"threshold": 0.55, "probe_quality": "standard"})
    store.create_gallery(Gallery("other", NETWORK, D, 0.4, quality="standard", calibration=CALIBRATION))
    assert store.gallery("other").calibration == CALIBRATION


def test_whether_a_person_is_named_once_is_kept(store: Store, gallery: str) -> None:
    assert store.gallery(gallery).unique is store.centroids(gallery).unique is True
    assert store.update_gallery(gallery, unique=False).unique is False
    assert store.centroids(gallery).unique is False
    assert store.audit(gallery)[-1].event.detail == {"unique": False}
    assert store.update_gallery(gallery, threshold=0.5).unique is False
    store.create_gallery(Gallery("other", NETWORK, D, 0.4, unique=False))
    assert store.gallery("other").unique is False


def test_the_decision_rule_and_the_liveness_policy_are_kept(store: Store, gallery: str) -> None:
    before = store.gallery(gallery)
    assert (before.decision, before.liveness) == ("cosine", "off")
    changed = store.update_gallery(gallery, decision="cohort", liveness="both")
    assert (changed.decision, changed.liveness, changed.version) == ("cohort", "both", 1)
    assert changed == store.gallery(gallery) == store.galleries()[0]
    read = store.centroids(gallery)
    assert (read.decision, read.liveness) == ("cohort", "both")
    assert store.audit(gallery)[-1].event.detail == {"decision": "cohort", "liveness": "both"}
    changed = store.update_gallery(gallery, liveness="probe")
    assert (changed.decision, changed.liveness) == ("cohort", "probe")
    store.create_gallery(Gallery("other", NETWORK, D, 0.4, decision="cohort", liveness="enrol"))
    made = store.gallery("other")
    assert (made.decision, made.liveness) == ("cohort", "enrol")


def test_a_gallery_is_pinned_once_to_a_detector_and_a_fingerprint(store: Store, gallery: str) -> None:
    before = store.gallery(gallery)
    assert (before.detector, before.fingerprint) == ("", "")
    assert store.pin_gallery(gallery) == before
    pinned = store.pin_gallery(gallery, "mtcnn")
    assert (pinned.detector, pinned.fingerprint, pinned.version) == ("mtcnn", "", 1)
    assert store.audit(gallery)[-1].event.detail == {"detector": "mtcnn"}
    pinned = store.pin_gallery(gallery, "yunet", photo_id(7))
    assert (pinned.detector, pinned.fingerprint, pinned.version) == ("mtcnn", photo_id(7), 2)
    assert store.pin_gallery(gallery, "yunet", photo_id(8)) == pinned == store.gallery(gallery) == store.galleries()[0]
    read = store.centroids(gallery)
    assert (read.detector, read.fingerprint) == ("mtcnn", photo_id(7))
    moved = store.update_gallery(gallery, detector="yunet", fingerprint="")
    assert (moved.detector, moved.fingerprint) == ("yunet", "")
    made = store.create_gallery(Gallery("other", NETWORK, D, 0.4, detector="mine", fingerprint=photo_id(9)))
    assert (made.detector, made.fingerprint) == ("mine", photo_id(9))
    with pytest.raises(UnknownGallery):
        store.pin_gallery("nobody's", "mtcnn")


@pytest.mark.parametrize(
    "wrong",
    [
        {"detector": "a\0b"},
        {"detector": "x" * 101},
        {"detector": "\udc80"},
        {"detector": 1},
        {"fingerprint": "mtcnn"},
        {"fingerprint": photo_id(1)[1:]},
        {"fingerprint": photo_id(10).upper()},
        {"fingerprint": photo_id(1) + "\n"},
    ],
)
def test_a_detector_or_fingerprint_that_is_none_is_refused(store: Store, gallery: str, wrong: Any) -> None:
    before = store.gallery(gallery)
    for write in (store.pin_gallery, store.update_gallery):
        with pytest.raises(MalformedRequest):
            write(gallery, **wrong)
    with pytest.raises(MalformedRequest):
        store.create_gallery(Gallery("other", NETWORK, D, 0.4, **wrong))
    if "detector" in wrong:
        store.create_person(gallery, "Ann", person_id="ann")
        with pytest.raises(MalformedRequest):
            store.add_samples(gallery, "ann", [replace(sample(1), **wrong)], NETWORK)
        assert store.person(gallery, "ann").samples == 0
        with pytest.raises(MalformedRequest):
            store.update_gallery(gallery, calibration=replace(CALIBRATION, **wrong))
    assert replace(store.gallery(gallery), version=0, people=0) == before


def test_a_sample_and_a_calibration_keep_their_detector(store: Store, gallery: str) -> None:
    for person in ("ann", "bo"):
        store.create_person(gallery, person, person_id=person)
    by_yunet = replace(sample(2), detector="yunet")
    store.add_samples(gallery, "ann", [replace(sample(1), detector="mtcnn"), by_yunet, sample(3)], NETWORK)
    store.add_samples(gallery, "bo", [by_yunet, replace(sample(4), detector="mine", counter=True)], NETWORK)
    assert found_by(store, gallery, "ann") == {1: "mtcnn", 2: "yunet", 3: ""}
    assert [each.detector for each in store.samples(gallery, "ann", crops=True)] == ["mtcnn", "yunet", ""]
    store.delete_sample(gallery, "ann", photo_id(2))
    store.add_samples(gallery, "ann", [sample(5)], NETWORK)
    assert found_by(store, gallery, "ann") == {1: "mtcnn", 3: "", 5: ""}
    store.merge_people(gallery, "ann", "bo")
    assert found_by(store, gallery, "ann") == {1: "mtcnn", 2: "yunet", 3: "", 4: "mine", 5: ""}
    made = replace(CALIBRATION, detector="yunet", decision="cohort")
    assert store.update_gallery(gallery, decision="cohort", calibration=made).calibration == made
    with pytest.raises(MalformedRequest):
        store.update_gallery(gallery, calibration=replace(CALIBRATION, decision=cast(Any, "euclid")))


def found_by(store: Store, gallery: str, person: str) -> dict[int, str]:
    return {int(each.id, 16): each.detector for each in store.samples(gallery, person, counter=None)}


@pytest.mark.parametrize("wrong", ["", "Cosine", "on", "off\0", None, 1, ["cosine"]])
def test_a_gallery_of_another_rule_or_policy_is_refused(store: Store, wrong: Any) -> None:
    for name in ("decision", "liveness", "quality", "probe_quality"):
        settings: dict[str, Any] = {name: wrong}
        with pytest.raises(MalformedRequest):
            store.create_gallery(Gallery("group", NETWORK, D, 0.4, **settings))
    assert store.galleries() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"decision": "Cohort"},
        {"liveness": "on"},
        {"liveness": ["off"]},
        {"quality": "good"},
        {"probe_quality": ""},
        {"calibration": replace(CALIBRATION, fpir=1.5)},
        {"calibration": replace(CALIBRATION, tpir_interval=(0.1, float("nan")))},
        {"calibration": replace(CALIBRATION, curve=((0.5, 0.1), (0.4, 0.2)))},
        {"calibration": replace(CALIBRATION, threshold=2.0)},
    ],
)
def test_a_policy_or_calibration_that_is_none(store: Store, gallery: str, changes: Any) -> None:
    before = store.gallery(gallery)
    with pytest.raises(MalformedRequest):
        store.update_gallery(gallery, **changes)
    with pytest.raises(NetworkMismatch):
        store.update_gallery(gallery, calibration=replace(CALIBRATION, network="another"))
    assert store.gallery(gallery) == before


def test_a_calibration_is_of_the_decision_of_its_gallery(store: Store, gallery: str) -> None:
    made = replace(CALIBRATION, decision="cohort")
    before = store.gallery(gallery)
    wrong: list[Changes] = [
        {"calibration": made, "threshold": 0.2},
        {"calibration": made, "decision": "cosine"},
        {"calibration": CALIBRATION, "decision": "cohort"},
    ]
    for changes in wrong:
        with pytest.raises(Conflict) as refused:
            store.update_gallery(gallery, **changes)
        assert refused.value.code == "conflict"
    assert store.gallery(gallery) == before
    changed = store.update_gallery(gallery, decision="cohort", calibration=made)
    assert (changed.decision, changed.calibration) == ("cohort", made)
    assert store.update_gallery(gallery, threshold=0.3, calibration=made).threshold == 0.3
    with pytest.raises(Conflict):
        store.update_gallery(gallery, calibration=CALIBRATION)
    changed = store.update_gallery(gallery, decision="cosine")
    assert (changed.decision, changed.calibration) == ("cosine", made), "it is stale"


def test_a_threshold_may_be_of_a_network(store: Store, gallery: str) -> None:
    before = store.gallery(gallery)
    for other in (CALIBRATION, None):
        with pytest.raises(NetworkMismatch, match="threshold of another"):
            store.update_gallery(gallery, threshold=0.2, decision="cosine", network="another", calibration=other)
    assert store.gallery(gallery) == before
    changed = store.update_gallery(gallery, threshold=0.2, network=NETWORK)
    assert (changed.threshold, changed.network, changed.version) == (0.2, NETWORK, 1)
    assert store.audit(gallery)[-1].event.detail == {"threshold": 0.2}


def test_a_photo_is_enrolled_once(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    first = store.add_samples(gallery, "ann", [sample(1), sample(2), sample(1)], NETWORK)
    assert (first.added, first.duplicates, first.version) == ((photo_id(1), photo_id(2)), (photo_id(1),), 2)
    assert first.person == store.person(gallery, "ann")
    assert first.person.samples == 2
    again = store.add_samples(gallery, "ann", [sample(2), sample(3)], NETWORK)
    assert (again.added, again.duplicates, again.version) == ((photo_id(3),), (photo_id(2),), 3)
    nothing = store.add_samples(gallery, "ann", [sample(2)], NETWORK)
    assert (nothing.added, nothing.duplicates, nothing.version) == ((), (photo_id(2),), 3)
    assert nothing.person == again.person
    assert store.add_samples(gallery, "ann", [], NETWORK).version == 3
    assert [kept.id for kept in store.samples(gallery, "ann")] == [photo_id(n) for n in (1, 2, 3)]
    read = store.centroids(gallery)
    assert (read.version, read.threshold, read.network, read.ids, read.names) == (3, 0.4, NETWORK, ("ann",), ("Ann",))
    assert read.matrix.dtype == np.float32
    assert_allclose(read.matrix[0], mean_of([1, 2, 3]), atol=1e-6)


def test_samples_come_back_as_they_went_in(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    old = replace(sample(2), created_at=1000.5)
    store.add_samples(gallery, "ann", [sample(1), old, replace(sample(3), crop=None)], NETWORK)
    kept = store.samples(gallery, "ann", crops=True)
    assert [one.id for one in kept] == [photo_id(2), photo_id(1), photo_id(3)]
    assert [one.crop for one in kept] == [b"jpeg 2", b"jpeg 1", None]
    assert kept[0].created_at == 1000.5
    assert kept[1].created_at > 1.7e9
    assert [one.crop for one in store.samples(gallery, "ann")] == [None] * 3
    for one, number in zip(kept, (2, 1, 3), strict=True):
        assert one.descriptor.dtype == np.float32
        assert one.descriptor.tobytes() == descriptor(number).tobytes()


def test_one_sample_is_read_without_the_others(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    store.add_samples(gallery, "ann", [sample(1), sample(2), replace(sample(3), counter=True)], NETWORK)
    (one,) = store.samples(gallery, "ann", crops=True, only=photo_id(2))
    assert (one.id, one.crop) == (photo_id(2), b"jpeg 2")
    (counter,) = store.samples(gallery, "ann", crops=True, counter=True, only=photo_id(3))
    assert (counter.id, counter.crop) == (photo_id(3), b"jpeg 3")
    for other in (photo_id(3), photo_id(9), "", "%", "\udc80", "x" * 10_000):
        assert store.samples(gallery, "ann", crops=True, only=other) == []


def test_crops_are_kept_only_where_wanted(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    store.add_samples(gallery, "ann", [sample(1)], NETWORK)
    assert not store.update_gallery(gallery, keep_crops=False).keep_crops
    store.add_samples(gallery, "ann", [sample(2)], NETWORK)
    store.update_gallery(gallery, keep_crops=True)
    store.add_samples(gallery, "ann", [sample(3)], NETWORK)
    assert [one.crop for one in store.samples(gallery, "ann", crops=True)] == [None, None, b"jpeg 3"]


WRONG = {
    "NaN": np.full(D, np.nan, np.float32),
    "infinite": np.full(D, np.inf, np.float32),
    "zero": np.zeros(D, np.float32),
    "too short": descriptor(1, D - 1),
    "a matrix": descriptor(1)[None],
    "float64": descriptor(1).astype(np.float64),
    "not of unit length": 2 * descriptor(1),
    "no array": descriptor(1).tolist(),
}


@pytest.mark.parametrize("vector", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_descriptor_is_refused_and_nothing_of_its_company_stays(
    store: Store, gallery: str, vector: Any
) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    with pytest.raises(InvalidDescriptor):
        store.add_samples(gallery, "ann", [sample(1), Sample(photo_id(2), vector)], NETWORK)
    assert store.person(gallery, "ann").samples == 0
    assert store.version(gallery) == 1


def test_another_networks_descriptors_are_refused(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    with pytest.raises(NetworkMismatch) as caught:
        store.add_samples(gallery, "ann", [sample(1)], "another")
    assert caught.value.status == 409
    with pytest.raises(MalformedRequest):
        store.add_samples(gallery, "ann", [replace(sample(1), id="not a sha256")], NETWORK)
    assert store.version(gallery) == 1


def test_erasing_leaves_nothing(store: Store, gallery: str) -> None:
    for person in ("ann", "bo"):
        store.create_person(gallery, person, person_id=person)
        store.add_samples(gallery, person, [sample(1), sample(2)], NETWORK)
    erased = store.delete_sample(gallery, "ann", photo_id(1))
    assert (erased.people, erased.samples, erased.version) == (0, 1, 5)
    assert_allclose(store.centroids(gallery).matrix[0], mean_of([2]), atol=1e-6)
    with pytest.raises(UnknownPhoto):
        store.delete_sample(gallery, "ann", photo_id(1))
    store.delete_sample(gallery, "ann", photo_id(2))
    assert store.centroids(gallery).ids == ("bo",)
    erased = store.delete_person(gallery, "bo")
    assert (erased.people, erased.samples, erased.version) == (1, 2, 7)
    assert store.people(gallery, name="bo") == []
    assert store.create_person(gallery, "Bo", person_id="bo").samples == 0
    assert store.samples(gallery, "bo") == []
    store.add_samples(gallery, "bo", [sample(1)], NETWORK)
    erased = store.delete_gallery(gallery)
    assert (erased.people, erased.samples, erased.version) == (2, 1, 0)
    assert store.galleries() == []
    assert store.create_gallery(Gallery(gallery, "another", D, 0.4)).people == 0
    assert store.centroids(gallery).ids == ()


def test_descriptors_that_cancel_out_name_nobody(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    opposite = Sample(photo_id(2), -descriptor(1))
    store.add_samples(gallery, "ann", [sample(1), opposite], NETWORK)
    assert store.centroids(gallery).ids == ()
    assert store.centroids(gallery, since=1).gone == ("ann",)
    store.add_samples(gallery, "ann", [sample(3)], NETWORK)
    assert_allclose(store.centroids(gallery).matrix[0], descriptor(3), atol=1e-5)


def test_changes_are_told_since_a_version(store: Store, gallery: str) -> None:
    for person in ("ann", "bo", "cy"):
        store.create_person(gallery, person, person_id=person)
        store.add_samples(gallery, person, [sample(1)], NETWORK)
    store.delete_person(gallery, "ann")
    store.update_person(gallery, "cy", name="Cyd")
    store.update_gallery(gallery, threshold=0.6)
    read = store.centroids(gallery, since=6)
    assert (read.version, read.threshold, read.ids, read.names, read.gone) == (9, 0.6, ("cy",), ("Cyd",), ("ann",))
    assert read.matrix.shape == (1, D)
    assert store.centroids(gallery, since=9).matrix.shape == (0, D)
    assert store.centroids(gallery, since=0).ids == ("bo", "cy")
    for since in (10, -1):
        with pytest.raises(VersionGone):
            store.centroids(gallery, since=since)


def test_the_change_log_is_trimmed(store: Store, gallery: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "RETENTION", 4)
    for number in range(10):
        store.create_person(gallery, "Ann", person_id=f"p{number}")
    assert store.centroids(gallery, since=6).gone == ("p6", "p7", "p8", "p9")
    with pytest.raises(VersionGone):
        store.centroids(gallery, since=5)


def test_a_gallery_made_anew_is_not_taken_for_the_old_one(store: Store, gallery: str) -> None:
    store.create_person(gallery, "Ann", person_id="ann")
    store.add_samples(gallery, "ann", [sample(1)], NETWORK)
    store.delete_gallery(gallery)
    assert store.create_gallery(Gallery(gallery, NETWORK, D, 0.4)).version > 2
    for since in (0, 2):
        with pytest.raises(VersionGone):
            store.centroids(gallery, since=since)


def test_closing_twice_is_fine(store: Store) -> None:
    store.ping()
    store.close()
    store.close()
