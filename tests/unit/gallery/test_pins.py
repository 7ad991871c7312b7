from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegroup.errors import FacegroupError, NetworkMismatch
from facegroup.gallery.matching import Matcher
from facegroup.gallery.pins import Pins
from facegroup.networks.registry import spec
from facegroup.pipeline.messages import Query
from facegroup.store import open_store
from facegroup.store.calls import direct
from facegroup.store.contract import Store
from facegroup.types import CohortMember, Descriptors, Gallery, Sample

ONE, OTHER = "1" * 64, "2" * 64
NETWORK = "retail-0095"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/gallery.db")


def probe() -> Descriptors:
    return np.eye(1, 256, dtype=np.float32)


def enrol(store: Store, pins: Pins, gallery: str = "choir") -> None:
    person = store.create_person(gallery, "Ada")
    sample = Sample("a" * 64, probe()[0])
    pins.calls(direct(store))(Store.add_samples, gallery, person.id, [sample], NETWORK)


def matched(store: Store, pins: Pins) -> FacegroupError | None:
    (answer,) = Matcher(store, spec(NETWORK), pins=pins).match(probe(), [(Query("choir"), 1)])
    return answer if isinstance(answer, FacegroupError) else None


def test_a_new_gallery_is_pinned_to_the_network_that_creates_it(store: Store) -> None:
    made = Pins(NETWORK, ONE).calls(direct(store))(Store.create_gallery, Gallery("choir", NETWORK, 256, 0.4))
    assert (made.fingerprint, made.version) == (ONE, 0)


def test_a_gallery_of_another_network_is_not(store: Store) -> None:
    made = Pins("mine", ONE).calls(direct(store))(Store.create_gallery, Gallery("choir", NETWORK, 256, 0.4))
    assert made.fingerprint == ""


def test_an_older_gallery_is_pinned_by_the_first_enrolment_and_not_by_a_search(store: Store) -> None:
    store.create_gallery(Gallery("choir", NETWORK, 256, 0.4))
    assert matched(store, Pins(NETWORK, ONE)) is None
    assert store.gallery("choir").fingerprint == ""
    enrol(store, Pins(NETWORK, ONE))
    assert store.gallery("choir").fingerprint == ONE


def test_other_bytes_under_the_same_name_are_refused_and_said(store: Store) -> None:
    store.create_gallery(Gallery("choir", NETWORK, 256, 0.4, fingerprint=ONE))
    assert matched(store, Pins(NETWORK, ONE)) is None
    with pytest.raises(NetworkMismatch) as enrolling:
        enrol(store, Pins(NETWORK, OTHER))
    for refused in (matched(store, Pins(NETWORK, OTHER)), enrolling.value):
        assert isinstance(refused, NetworkMismatch)
        assert "other weights or another preprocessing of retail-0095" in refused.detail
        assert "111111111111…" in refused.detail
        assert "222222222222…" in refused.detail
    assert not store.samples("choir", store.people("choir")[0].id)


def cohort(store: Store, pins: Pins) -> None:
    pins.calls(direct(store))(Store.add_cohort, "choir", [CohortMember("b" * 64, probe()[0])], NETWORK)


def test_of_two_networks_that_pin_at_once_the_second_is_refused(store: Store) -> None:
    store.create_gallery(Gallery("choir", NETWORK, 256, 0.4))
    person = store.create_person("choir", "Ada")

    def late(method: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        answer = direct(store)(method, *arguments, **named)
        if method == Store.gallery and not answer.fingerprint:
            enrol(store, Pins(NETWORK, OTHER))
        return answer

    with pytest.raises(NetworkMismatch, match="222222222222…"):
        Pins(NETWORK, ONE).calls(late)(Store.add_samples, "choir", person.id, [Sample("b" * 64, probe()[0])], NETWORK)
    assert store.gallery("choir").fingerprint == OTHER
    assert not store.samples("choir", person.id)


def test_a_gallery_that_another_network_created_is_not_given_for_a_new_one(store: Store) -> None:
    wanted = Gallery("choir", NETWORK, 256, 0.4)
    first = Pins(NETWORK, OTHER).calls(direct(store))(Store.create_gallery, wanted)
    with pytest.raises(NetworkMismatch, match="222222222222…"):
        Pins(NETWORK, ONE).calls(direct(store))(Store.create_gallery, wanted)
    for same in (Pins(NETWORK, OTHER), Pins(NETWORK), Pins("mine", ONE)):
        assert same.calls(direct(store))(Store.create_gallery, wanted) == first


def test_a_cohort_is_of_the_network_of_its_gallery(store: Store) -> None:
    store.create_gallery(Gallery("choir", NETWORK, 256, 0.4))
    cohort(store, Pins(NETWORK, OTHER, "mtcnn"))
    assert (store.gallery("choir").fingerprint, store.gallery("choir").detector) == (OTHER, "mtcnn")
    store.erase_cohort("choir")
    for write in (cohort, enrol):
        with pytest.raises(NetworkMismatch, match="222222222222…"):
            write(store, Pins(NETWORK, ONE))
    assert not store.cohort("choir").ids


def test_what_is_not_known_is_not_compared(store: Store) -> None:
    store.create_gallery(Gallery("choir", NETWORK, 256, 0.4, fingerprint=ONE))
    assert matched(store, Pins(NETWORK)) is None
    enrol(store, Pins(NETWORK))


def test_a_gallery_that_is_pinned_meanwhile_is_noticed(store: Store) -> None:
    store.create_gallery(Gallery("choir", NETWORK, 256, 0.4))
    matcher = Matcher(store, spec(NETWORK), pins=Pins(NETWORK, ONE))
    (answer,) = matcher.match(probe(), [(Query("choir"), 1)])
    assert not isinstance(answer, FacegroupError)
    store.pin_gallery("choir", fingerprint=OTHER)
    (answer,) = matcher.match(probe(), [(Query("choir"), 1)])
    assert isinstance(answer, NetworkMismatch)


def test_a_gallery_is_pinned_to_the_detector_that_first_enrols(store: Store) -> None:
    store.create_gallery(Gallery("choir", NETWORK, 256, 0.4))
    enrol(store, Pins(NETWORK, detector="yunet"))
    assert (store.gallery("choir").detector, store.gallery("choir").fingerprint) == ("yunet", "")
    enrol(store, Pins(NETWORK, ONE, "mtcnn"))
    assert (store.gallery("choir").detector, store.gallery("choir").fingerprint) == ("yunet", ONE)
    made = Pins("other", detector="yunet").calls(direct(store))(
        Store.create_gallery, Gallery("band", NETWORK, 256, 0.4, detector="mtcnn")
    )
    assert made.detector == "mtcnn"


def test_another_detector_is_told_once_and_answers(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.create_gallery(Gallery("choir", NETWORK, 256, 0.4, detector="mtcnn"))
    matcher = Matcher(store, spec(NETWORK), pins=Pins(NETWORK, detector="yunet"))
    for _ in range(3):
        (answer,) = matcher.match(probe(), [(Query("choir"), 1)])
        assert not isinstance(answer, FacegroupError)
    told = [each.getMessage() for each in caplog.records if "detector" in each.getMessage()]
    assert len(told) == 1
    assert "found by the detector mtcnn, and this server runs yunet" in told[0]


def test_the_same_detector_is_not_told(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.create_gallery(Gallery("choir", NETWORK, 256, 0.4, detector="yunet"))
    assert matched(store, Pins(NETWORK, detector="yunet")) is None
    assert not caplog.records
