"""`facegroup networks compare` on drawn faces, with networks that tell them apart well and badly."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facegroup.errors import MalformedRequest, SetupError
from facegroup.evaluation import descriptors
from facegroup.networks import drawn_faces
from facegroup.networks.embedder import open_embedder
from facegroup.types import Floats
from serve.commands import program
from tests import onnx_files

YAML = "files: [{{file: {0}.onnx}}]\ntemplate: arcface112\ndimension: 128\nlicence: ours\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two networks, and photos of four members, with four each, and of 24 strangers."""
    monkeypatch.setenv("FACEGROUP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("one", "two")):
        onnx_files.embedder(tmp_path / f"{name}.onnx", seed=seed)
        (tmp_path / f"{name}.yaml").write_text(YAML.format(name))
    rng = np.random.default_rng(0)
    for number, face in enumerate(drawn_faces.faces(112, 28)):
        folder = tmp_path / "people" / f"P{number:02}"
        folder.mkdir(parents=True)
        for photo in range(4 if number < 4 else 1):
            noisy = np.clip(face + rng.normal(0, 2, face.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{photo}.png"), cv2.cvtColor(noisy, cv2.COLOR_RGB2BGR))

    # No detector finds drawn faces: each photo is its own crop.
    def embedded(missing: dict[str, Path], settings: object, cache: object, *_: object) -> None:
        embedder = open_embedder(settings)  # type: ignore[arg-type]
        crops = np.stack([cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in missing.values()])
        rows: Floats = embedder.engine.run(crops)
        cache.add(missing, rows, [""] * len(rows))  # type: ignore[attr-defined]
        cache.keep()  # type: ignore[attr-defined]

    monkeypatch.setattr(descriptors, "_embed", embedded)
    return tmp_path


def run(*words: object) -> Result:
    return CliRunner().invoke(program(), ["networks", "compare", *map(str, words)])


def test_networks_are_compared_in_one_table_and_one_plot(place: Path) -> None:
    result = run("one.yaml", "two.yaml", "--photos", "people", "--splits", 2, "--report", "sheet.html", "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    found = json.loads(result.stdout)
    assert [each["network"] for each in found["runs"]] == ["one", "two"]
    for each in found["runs"]:
        assert 0 <= each["tpir_at_fpir"]["0.01"]["value"] <= 1
        assert len(each["fpir_by_tenths"]) == 10
        assert each["cpu_ms"] > 0
        assert each["licence"] == "ours"
    text = (place / "sheet.html").read_text()
    assert text.count("<svg") == 1
    assert "the worst tenth" in text
    shown = run("one.yaml", "--photos", "people", "--splits", 2)
    assert shown.exit_code == 0
    assert "CPU ms a face" in shown.output


def test_changed_bytes_are_embedded_again(place: Path) -> None:
    words = ("--photos", "people", "--splits", 1, "--json")
    before = json.loads(run("one.yaml", *words).stdout)["tpir_at_fpir"]
    assert len(list((place / "cache" / "evaluation").iterdir())) == 1
    onnx_files.embedder(place / "one.onnx", seed=7)
    assert json.loads(run("one.yaml", *words).stdout)["tpir_at_fpir"].keys() == before.keys()
    assert len(list((place / "cache" / "evaluation").iterdir())) == 2


def test_what_cannot_be_compared_is_said(place: Path) -> None:
    assert isinstance(run("one.yaml", "--photos", "absent").exception, MalformedRequest)
    assert isinstance(run("one.yaml", "--photos", "people", "--enrol", 9).exception, MalformedRequest)
    assert isinstance(run("nobody", "--photos", "people").exception, SetupError)
    assert run("--photos", "people").exit_code == 2
