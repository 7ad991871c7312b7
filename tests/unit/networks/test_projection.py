"""A learned projection as a network: found by its name, run after its base, and refused when it is not what was written."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegroup.errors import InvalidName, MalformedRequest, UnknownNetwork, WeightsInvalid
from facegroup.networks import projection, registry, weights
from facegroup.networks.embedder import open_embedder
from facegroup.networks.projected_engine import ProjectedEngine, fingerprint, project
from facegroup.networks.projection import full_name, read, write
from facegroup.networks.registry import SPECS, spec
from facegroup.settings import Settings, load
from facegroup.types import Crops, Floats

DLIB = spec("dlib-resnet29")
NAME = "dlib-resnet29+choir"
MATRIX = np.random.default_rng(0).normal(size=(64, 128)).astype(np.float32)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    return load(network=NAME, cache_dir=tmp_path / "cache", model_dir=tmp_path / "models")


def manifest(settings: Settings, **other: object) -> dict[str, Any]:
    found = {"network": NAME, "base": DLIB.name, "base_sha256": fingerprint(DLIB, settings), "threshold": 0.8}
    return {**found, "threshold_source": "a test", **other}


def test_it_is_a_network(settings: Settings) -> None:
    write(MATRIX, manifest(settings), settings)
    found = spec(NAME, settings)
    assert (found.name, found.base, found.dimension, found.threshold) == (NAME, DLIB.name, 64, 0.8)
    assert replace(found, **{name: getattr(DLIB, name) for name in (
        "name", "title", "dimension", "threshold", "threshold_source", "base")}) == DLIB  # fmt: skip
    assert registry.learned(settings) == ([found], [])
    assert weights.ready(found, settings)
    assert weights.fetch(found, settings) == ()
    np.testing.assert_array_equal(read(NAME, DLIB, settings).matrix, MATRIX)


def test_the_base_runs_first(settings: Settings) -> None:
    write(MATRIX, manifest(settings), settings)
    crops = np.random.default_rng(1).integers(0, 256, (2, 150, 150, 3), np.uint8)
    embedder = open_embedder(settings)
    assert (embedder.engine.name, embedder.engine.device) == ("dlib", "cpu")
    expected = open_embedder(load(network=DLIB.name)).embed(crops) @ MATRIX.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert embedder.embed(crops) == pytest.approx(expected, abs=1e-6)
    assert embedder.embed(crops[:0]).shape == (0, 64)


def test_what_the_base_cannot_answer_stays_unanswered() -> None:
    given = np.array([[3, 4], [0, 0], [np.nan, 1], [np.inf, 1]], np.float32)
    rows = project(given, np.array([[2, 0], [0, 1]], np.float32))
    assert rows[0] == pytest.approx([1.2, 0.8])
    assert not rows[1].any()
    assert not np.isfinite(rows[2:]).all(axis=1).any()


class Fixed:
    name, device = "fixed", "gpu:0"

    def run(self, crops: Crops) -> Floats:
        return np.ones((len(crops), 128), np.float32)

    def warm(self) -> None:
        self.warmed = True


def test_an_engine_is_told_as_its_bases(settings: Settings) -> None:
    write(MATRIX, manifest(settings), settings)
    base = Fixed()
    engine = ProjectedEngine(base, read(NAME, DLIB, settings))
    engine.warm()
    assert base.warmed
    assert (engine.name, engine.device) == ("fixed", "gpu:0")
    assert engine.run(np.zeros((3, 1, 1, 3), np.uint8)).shape == (3, 64)


def test_it_is_found_in_the_model_folder_first(settings: Settings) -> None:
    place = write(MATRIX, manifest(settings), settings)
    assert settings.model_dir is not None
    target = settings.model_dir / "projections" / NAME
    target.parent.mkdir(parents=True)
    place.rename(target)
    assert spec(NAME, settings).dimension == 64
    with pytest.raises(MalformedRequest, match="already"):
        write(MATRIX, manifest(settings), settings)


def test_a_name_is_never_given_another_meaning(settings: Settings) -> None:
    write(MATRIX, manifest(settings), settings)
    with pytest.raises(MalformedRequest, match="Choose another"):
        write(MATRIX * 2, manifest(settings), settings)
    assert read(NAME, DLIB, settings).matrix[0, 0] == MATRIX[0, 0]
    assert [path.name for path in (settings.cache_dir / "projections").iterdir()] == [NAME]


@pytest.mark.parametrize(
    "name",
    [
        "facenet",
        "facenet+choir",
        "dlib-resnet29+",
        "dlib-resnet29+../x",
        "dlib-resnet29+choir+choir",
        "retail-0095+choir",
    ],
)
def test_an_unknown_network(settings: Settings, name: str) -> None:
    write(MATRIX, manifest(settings), settings)
    with pytest.raises(UnknownNetwork):
        spec(name, settings)


def test_without_settings_there_is_no_projection(settings: Settings) -> None:
    write(MATRIX, manifest(settings), settings)
    with pytest.raises(UnknownNetwork):
        spec(NAME)
    assert all(spec(name, settings) is SPECS[name] for name in SPECS)


def test_a_cache_tells_two_of_one_name_apart(settings: Settings) -> None:
    place = write(MATRIX, manifest(settings), settings)
    first = projection.tag(settings)
    shutil.rmtree(place)
    write(MATRIX * 2, manifest(settings), settings)
    assert len(first) == len(projection.tag(settings)) == 1
    assert projection.tag(settings) != first
    assert projection.tag(load(network=DLIB.name)) == ()
    (place / "manifest.json").write_text("{")
    with pytest.raises(WeightsInvalid):
        projection.tag(settings)


@pytest.mark.parametrize("name", ["", "A", "a b", "../a", "a+b", "-a", "a" * 33, "é"])
def test_a_bad_name(name: str) -> None:
    with pytest.raises(InvalidName):
        full_name("retail-0095", name)


def edited(place: Path, **fields: object) -> None:
    path = place / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def redone(place: Path, **fields: object) -> None:
    """Edit the manifest and make its checksum right again."""
    edited(place, **fields)
    edited(place, sha256=projection._digest(json.loads((place / "manifest.json").read_text())))


def pickled(place: Path) -> None:
    np.savez(place / "matrix.npz", matrix=np.array([{"a": 1}], object))
    redone(place, matrix_sha256=weights.sha256(place / "matrix.npz"))


def narrow(place: Path) -> None:
    np.savez(place / "matrix.npz", matrix=MATRIX[:, :5])
    redone(place, matrix_sha256=weights.sha256(place / "matrix.npz"))


DAMAGES: dict[str, Any] = {
    "no manifest": lambda place: (place / "manifest.json").unlink(),
    "an empty manifest": lambda place: (place / "manifest.json").write_text(""),
    "a manifest that is no object": lambda place: (place / "manifest.json").write_text("[1]"),
    "a manifest of bytes": lambda place: (place / "manifest.json").write_bytes(b"\xff\xfe\x00"),
    "another threshold": lambda place: edited(place, threshold=0.1),
    "a threshold that is none": lambda place: redone(place, threshold="high"),
    "a threshold that is no number": lambda place: redone(place, threshold=float("nan")),
    "a newer format": lambda place: redone(place, format=2),
    "another base": lambda place: redone(place, base="retail-0095"),
    "another name": lambda place: place.joinpath("manifest.json").write_text(
        place.joinpath("manifest.json").read_text().replace("+choir", "+other")
    ),
    "no matrix": lambda place: (place / "matrix.npz").unlink(),
    "half a matrix": lambda place: (place / "matrix.npz").write_bytes((place / "matrix.npz").read_bytes()[:900]),
    "a matrix for another network": narrow,
    "a pickle": pickled,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_an_error_that_the_operator_is_told(settings: Settings, damage: str) -> None:
    place = write(MATRIX, manifest(settings), settings)
    DAMAGES[damage](place)
    with pytest.raises(WeightsInvalid, match="is damaged"):
        spec(NAME, settings)
    with pytest.raises(WeightsInvalid):
        open_embedder(settings)
    specs, faults = registry.learned(settings)
    assert (specs, len(faults)) == ([], 1)


def test_other_weights_of_the_base_are_refused(settings: Settings) -> None:
    write(MATRIX, manifest(settings, base_sha256="0" * 64), settings)
    with pytest.raises(WeightsInvalid, match="other weights"):
        open_embedder(settings)
    part = {"engine": "simulated", "simulated_ms": 0}
    simulated = load(network=NAME, cache_dir=settings.cache_dir, embedder=part)
    assert open_embedder(simulated).embed(np.ones((1, 150, 150, 3), np.uint8)).shape == (1, 64)


def test_a_fingerprint_is_of_the_files(tmp_path: Path) -> None:
    from facegroup.networks.spec import WeightsFile

    made = replace(spec("retail-0095"), weights=(WeightsFile("a.bin", ""), WeightsFile("b.bin", "")))
    settings = load(model_dir=tmp_path, cache_dir=tmp_path / "cache")
    (tmp_path / "a.bin").write_bytes(b"a")
    (tmp_path / "b.bin").write_bytes(b"b")
    first = fingerprint(made, settings)
    assert first == fingerprint(made, settings)
    (tmp_path / "b.bin").write_bytes(b"c")
    assert fingerprint(made, settings) != first


def test_the_base_s_threshold_of_scores_by_a_cohort_is_not_the_projection_s() -> None:
    base = spec("retail-0095")
    assert base.cohort_threshold is not None
    found = {"network": "retail-0095+group", "dimension": 64, "threshold": 0.5, "threshold_source": "a test"}
    assert projection._spec(base, found).cohort_threshold is None
