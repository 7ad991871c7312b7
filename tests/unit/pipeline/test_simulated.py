"""The simulated engine: right shapes, the same answer for the same photo, asked for by name only, and never in disguise."""

import time
from pathlib import Path

import numpy as np
import pytest

from facegroup.errors import EmptyBody, FacegroupError
from facegroup.networks.embedder import open_embedder
from facegroup.networks.registry import SPECS
from facegroup.networks.simulated import Device
from facegroup.pipeline.messages import DetectedFaces, Photo, PhotoResult
from facegroup.pipeline.open_finder import open_finder
from facegroup.recognizer import Recognizer
from facegroup.settings import Settings, load


def simulated(network: str = "retail-0095", store: str = "", **of_batch: float) -> Settings:
    part = {"engine": "simulated", "simulated_ms": 0, **of_batch}
    return load(network=network, store=store or None, detector=part, embedder=part)


@pytest.mark.parametrize("network", SPECS)
def test_every_network_can_be_simulated_without_its_weights(network: str) -> None:
    settings = simulated(network)
    spec = SPECS[network]
    found = [
        each for each in open_finder(settings, spec).find([Photo(b"a"), Photo(b"b")]) if isinstance(each, DetectedFaces)
    ]
    assert [each.crops.shape for each in found] == [(1, spec.size, spec.size, 3)] * 2
    assert [len(each.faces) for each in found] == [1, 1]
    descriptors = open_embedder(settings).embed(np.concatenate([each.crops for each in found]))
    assert descriptors.shape == (2, spec.dimension)
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, atol=1e-5)


def test_a_photo_is_recognised_and_another_is_not(tmp_path: Path) -> None:
    with Recognizer(simulated(store=f"sqlite:///{tmp_path / 'gallery.db'}")) as recognizer:
        recognizer.new_gallery("group")
        ada = recognizer.store.create_person("group", "Ada")
        recognizer.enrol("group", [("ada.jpg", b"ada")], ada.id)
        same, other = recognizer.identify([b"ada", b"somebody else"], "group")
    assert isinstance(same, PhotoResult)
    assert isinstance(other, PhotoResult)
    assert not isinstance(same.matched, FacegroupError | None)
    assert not isinstance(other.matched, FacegroupError | None)
    assert [same.matched.matches[0].name, other.matched.matches[0].name] == ["Ada", "not in the dataset"]


def test_no_bytes_are_no_photo() -> None:
    (answer,) = open_finder(simulated(), SPECS["retail-0095"]).find([Photo(b"")])
    assert isinstance(answer, EmptyBody)


def test_it_says_what_it_is_and_auto_never_takes_it() -> None:
    settings = simulated()
    assert set(open_finder(settings, SPECS["retail-0095"]).about().values()) == {"simulated"}
    assert open_embedder(settings).engine.name == "simulated"
    assert all("simulated" not in spec.engines for spec in SPECS.values())


def test_a_batch_takes_its_time_and_more_than_a_batch_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    device = Device(5, 64)
    for items in (1, 64, 65):
        device.work(items)
    assert slept == [0.005, 0.005, 0.01]
