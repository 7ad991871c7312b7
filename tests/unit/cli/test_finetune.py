"""`facegroup finetune` from a gallery to a network that is listed, used, migrated to, and refused where it must be."""

import json
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facegroup.errors import (
    FacegroupError,
    InvalidName,
    MalformedRequest,
    NetworkMismatch,
    UnknownGallery,
    WeightsInvalid,
)
from facegroup.networks import projection
from facegroup.networks.registry import spec
from facegroup.recognizer import Recognizer
from facegroup.settings import load
from facegroup.store import open_store
from facegroup.store.staging import StagingStore
from facegroup.types import Gallery, Sample
from serve.commands import program
from tests.photos import astronaut, encode, hopper, resized
from tests.unit.finetuning.groups import DIMENSION, People

app = program()

BASE = "dlib-resnet29"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, whose gallery `choir` a projection helps, and `duo` and `strong` it does not."""
    pytest.importorskip("dlib", reason="needs the extra dlib")
    folder = tmp_path_factory.mktemp("finetune")
    store = open_store(f"sqlite:///{folder}/gallery.db")
    photo = 0
    for name, people, strangers, noise in (("choir", 100, 120, 0.6), ("strong", 12, 0, 0.0), ("duo", 2, 0, 0.6)):
        made = People(noise=noise)
        store.create_gallery(Gallery(name, BASE, DIMENSION, 0.94))
        for number in range(people + strangers):
            rows = made.person(4 if number < people else 1)
            store.create_person(name, f"P{number}", person_id=f"p{number}")
            ids = [f"{photo + each:064x}" for each in range(len(rows))]
            photo += len(rows)
            store.add_samples(name, f"p{number}", [Sample(*each) for each in zip(ids, rows, strict=True)], BASE)
    store.close()
    return folder


@pytest.fixture(autouse=True)
def environment(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGROUP_CACHE_DIR", str(place / "cache"))
    monkeypatch.setenv("FACEGROUP_STORE", f"sqlite:///{place}/gallery.db")
    monkeypatch.delenv("FACEGROUP_MODEL_DIR", raising=False)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def refused(*words: str) -> FacegroupError:
    error = run(*words).exception
    assert isinstance(error, FacegroupError), error
    return error


@pytest.fixture(scope="module")
def learned(place: Path) -> dict[str, Any]:
    """What the command said when it learned `dlib-resnet29+choir`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGROUP_CACHE_DIR", str(place / "cache"))
        patch.setenv("FACEGROUP_STORE", f"sqlite:///{place}/gallery.db")
        done = run(
            "finetune", "choir", "--name", "choir", "--dimension", "64", "--json", "--report", f"{place}/report.json"
        )
    assert done.exit_code == 0, done.output[-300:]
    answer: dict[str, Any] = json.loads(done.stdout)
    assert json.loads((place / "report.json").read_text()) == answer
    return answer


def test_it_is_installed_with_its_provenance(place: Path, learned: dict[str, Any]) -> None:
    assert learned["network"] == "dlib-resnet29+choir"
    assert learned["judgement"]["helps"]
    assert learned["why"].startswith(
        "it helps: on 30 people and 36 strangers it never saw, TPIR at FPIR 10% changes by +"
    )
    installed = Path(learned["installed"])
    assert installed.parent == place / "cache" / "projections"
    kept = json.loads((installed / "manifest.json").read_text())
    for field in ("base", "seed", "date", "versions", "group", "used", "judgement", "learning", "threshold"):
        assert kept[field] == learned[field]
    assert kept["base_sha256"]
    assert not kept["forced"]
    found = spec("dlib-resnet29+choir", load())
    assert (found.dimension, found.threshold) == (64, learned["threshold"])
    assert "36 strangers" in found.threshold_source


def test_it_is_listed(learned: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in json.loads(run("models", "--json").stdout)["models"]}
    row = rows["dlib-resnet29+choir"]
    assert (row["ready"], row["base"], row["dimension"]) == (True, BASE, 64)
    assert row["threshold"] == learned["threshold"]
    assert rows[BASE]["base"] is None


def test_a_name_is_taken_once(learned: dict[str, Any]) -> None:
    assert "already" in refused("finetune", "choir", "--name", "choir").detail


def test_the_whole_pipeline_runs_on_it_and_a_gallery_is_migrated_to_it(place: Path, learned: dict[str, Any]) -> None:
    own = f"sqlite:///{place}/own.db"
    photos = [("1.jpg", encode(astronaut())), ("2.jpg", encode(resized(astronaut(), 400)))]
    with Recognizer(load(network=BASE, store=own)) as before:
        before.new_gallery("group")
        ada = before.store.create_person("group", "Ada")
        assert len(before.enrol("group", photos, ada.id).enrolled.added) == 2
    with Recognizer(load(network="dlib-resnet29+choir", store=own)) as after:
        with pytest.raises(NetworkMismatch):
            after.enrol("group", photos, ada.id)
        with pytest.raises(NetworkMismatch):
            after.identify([photos[0][1]], "group")
    done = run("migrate", "group", "--network", "dlib-resnet29+choir", "--store", own, "--json")
    assert done.exit_code == 0, done.output[-300:]
    assert json.loads(done.stdout)["embedded"] == 2
    with Recognizer(load(network="dlib-resnet29+choir", store=own)) as after:
        gallery = after.store.gallery("group")
        assert (gallery.network, gallery.dimension) == ("dlib-resnet29+choir", 64)
        assert gallery.threshold == pytest.approx(learned["threshold"])
        assert after.store.centroids("group").matrix.shape == (1, 64)
        same, other = after.identify([photos[0][1], encode(hopper())], "group", threshold=-1)
        scores = [float(cast(Any, each).matched.matches[0].similarity) for each in (same, other)]
        assert scores[0] > 0.9
        assert scores[0] > scores[1] + 0.1
    with Recognizer(load(network=BASE, store=own)) as before, pytest.raises(NetworkMismatch):
        before.identify([photos[0][1]], "group")
    store = cast(StagingStore, open_store(own))
    assert run("migrate", "group", "--rollback", "--store", own).exit_code == 0
    assert store.gallery("group").network == BASE
    store.close()


def test_what_does_not_help_is_not_installed_unless_forced(place: Path) -> None:
    done = run("finetune", "strong", "--name", "strong", "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["installed"] is None
    assert answer["judgement"]["too_few"]
    assert "too few people to know" in answer["why"]
    assert not (place / "cache" / "projections" / "dlib-resnet29+strong").exists()
    done = run("finetune", "strong", "--name", "strong", "--force")
    assert done.exit_code == 0, done.output[-300:]
    assert "as --force says" in done.output
    assert json.loads((place / "cache/projections/dlib-resnet29+strong/manifest.json").read_text())["forced"]


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (["duo", "--name", "duo"], MalformedRequest, "2 people with two usable photos"),
        (["nobody", "--name", "x"], UnknownGallery, "nobody"),
        (["choir", "--name", "A B"], InvalidName, "projection name"),
        (["choir", "--name", "x", "--dimension", "129"], MalformedRequest, "32 to 128"),
        (["choir", "--name", "x", "--network", "retail-0095"], MalformedRequest, "leave --network out"),
        (["{empty}", "--name", "x", "--network", BASE], MalformedRequest, "no folder with photos"),
        (["{empty}", "--name", "x", "--network", "dlib-resnet29+choir"], MalformedRequest, "projection itself"),
    ],
)
def test_what_it_cannot_do_it_says(
    tmp_path: Path, words: list[str], kind: type[FacegroupError], said: str, learned: dict[str, Any]
) -> None:
    error = refused("finetune", *(word.format(empty=tmp_path) for word in words))
    assert isinstance(error, kind)
    assert said in error.detail


def test_a_damaged_projection_is_said_and_hides_no_other(place: Path, learned: dict[str, Any]) -> None:
    broken = place / "cache" / "projections" / "dlib-resnet29+broken"
    broken.mkdir()
    (broken / "manifest.json").write_bytes((Path(learned["installed"]) / "manifest.json").read_bytes()[:100])
    done = run("models", "--json")
    assert done.exit_code == 0
    assert "dlib-resnet29+choir" in done.stdout
    assert "is damaged" in done.stderr
    assert "weights_invalid" in done.stderr
    with pytest.raises(WeightsInvalid):
        Recognizer(load(network="dlib-resnet29+broken"))
    assert isinstance(refused("serve", "--network", "dlib-resnet29+broken"), WeightsInvalid)
    (broken / "manifest.json").unlink()
    broken.rmdir()


def test_the_server_says_at_once_that_the_base_has_other_weights(place: Path) -> None:
    kept = {"network": "dlib-resnet29+old", "base": BASE, "base_sha256": "0" * 64, "threshold": 0.5}
    folder = projection.write(np.eye(64, 128, dtype=np.float32), {**kept, "threshold_source": "a test"}, load())
    error = refused("serve", "--network", "dlib-resnet29+old")
    assert isinstance(error, WeightsInvalid)
    assert "other weights" in error.detail
    shutil.rmtree(folder)
