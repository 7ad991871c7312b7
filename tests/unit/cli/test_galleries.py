"""`facegroup galleries` on a store of this machine: which threshold a change of the decision sets."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from facegroup.errors import UnknownNetwork
from facegroup.networks.registry import spec
from facegroup.store import open_store
from facegroup.store.contract import Store
from facegroup.types import Gallery
from serve.commands import program
from tests import onnx_files

app = program()
DEFAULT, OTHER = spec("vggface2-resnet50"), spec("retail-0095")
OWN = "name: mine\nfiles: [{file: net.onnx}]\ntemplate: arcface112\ndimension: 128\nlicence: ours\nthreshold: 0.9\n"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with a gallery of the default network and one of another, which the decision `cohort` decides on."""
    monkeypatch.setenv("FACEGROUP_STORE", f"sqlite:///{tmp_path}/gallery.db")
    store = open_store(f"sqlite:///{tmp_path}/gallery.db")
    for name, network in (("own", DEFAULT), ("other", OTHER)):
        store.create_gallery(Gallery(name, network.name, network.dimension, 0.2, decision="cohort"))
    return store


def changed(name: str, *words: str) -> Any:
    result = CliRunner().invoke(app, ["galleries", name, *words, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    (row,) = json.loads(result.stdout)["galleries"]
    return row


def test_the_operators_threshold_is_for_galleries_of_the_settings_network(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGROUP_THRESHOLD", "0.77")
    assert changed("own", "--decision", "cosine")["threshold"] == 0.77
    assert changed("other", "--decision", "cosine")["threshold"] == OTHER.threshold
    store.update_gallery("other", decision="cohort", threshold=0.3)
    monkeypatch.setenv("FACEGROUP_NETWORK", OTHER.name)
    assert changed("other", "--decision", "cosine")["threshold"] == 0.77
    assert store.gallery("own").threshold == 0.77


def test_the_settings_network_may_be_a_file(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx_files.embedder(tmp_path / "net.onnx")
    (tmp_path / "mine.yaml").write_text(OWN)
    store.create_gallery(Gallery("described", "mine", 128, 0.2, decision="cohort"))
    monkeypatch.setenv("FACEGROUP_NETWORK", str(tmp_path / "mine.yaml"))
    monkeypatch.setenv("FACEGROUP_THRESHOLD", "0.77")
    assert changed("described", "--decision", "cosine")["threshold"] == 0.77
    assert changed("own", "--decision", "cosine")["threshold"] == DEFAULT.threshold


def test_with_a_threshold_the_network_need_not_be_known_here(store: Store) -> None:
    store.create_gallery(Gallery("unknown", "of-another-machine", 4, 0.2, decision="cohort"))
    assert changed("unknown", "--decision", "cosine", "--threshold", "0.3")["threshold"] == 0.3
    result = CliRunner().invoke(app, ["galleries", "unknown", "--decision", "cosine"])
    assert isinstance(result.exception, UnknownNetwork)


def test_without_an_operators_threshold_it_is_the_networks(store: Store) -> None:
    assert changed("own", "--decision", "cosine")["threshold"] == DEFAULT.threshold
    assert changed("other", "--decision", "cosine")["threshold"] == OTHER.threshold
