"""Keras weights become an OpenVINO IR: once, in another process, with the same outputs."""

import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegroup.errors import EngineUnavailable, WeightsInvalid
from facegroup.networks import conversion
from facegroup.networks.conversion import converted
from facegroup.networks.embedder import open_embedder
from facegroup.networks.keras_engine import KerasEngine
from facegroup.networks.openvino_engine import OpenVinoEngine
from facegroup.networks.registry import spec
from facegroup.settings import Settings, load
from facegroup.types import Crops

RESNET = spec("vggface2-resnet50")

SECOND_START = """
import sys
import numpy as np
from facegroup.networks.embedder import open_embedder
from facegroup.settings import load
embedder = open_embedder(load(model_dir=sys.argv[1], cache_dir=sys.argv[2], embedder={"batch": 1}))
descriptors = embedder.embed(np.zeros((1, 224, 224, 3), np.uint8))
assert descriptors.shape == (1, 2048)
assert not {"tensorflow", "keras", "jax", "h5py"} & set(sys.modules)
print("light")
"""


@pytest.fixture(scope="module")
def settings(resnet50: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Weights as large as the published ones, so that they are taken for them."""
    folder = tmp_path_factory.mktemp("conversion")
    (folder / "models").mkdir()
    path = Path(shutil.copy(resnet50, folder / "models"))
    with path.open("ab") as file:
        file.write(b"\0" * (RESNET.weights[0].bytes - path.stat().st_size))
    return load(model_dir=folder / "models", cache_dir=folder / "cache", embedder={"batch": 8, "threads": 2})


@pytest.fixture(scope="module")
def ir(settings: Settings) -> Path:
    assert settings.model_dir is not None
    return converted(RESNET, settings.model_dir / RESNET.weights[0].name, settings.cache_dir / "openvino")


def pictures(n: int, side: int = 224, seed: int = 0) -> Crops:
    """Smooth, so that the network sees more than the mean of noise."""
    import cv2

    rng = np.random.default_rng(seed)
    return np.stack([cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (side, side)) for _ in range(n)])


def keras_outputs(weights: Path, crops: Crops) -> Any:
    return KerasEngine.of(RESNET, weights, threads=2, batch=1).run(crops)


def test_the_outputs_are_those_of_keras(ir: Path, resnet50: Path) -> None:
    given = pictures(3)
    engine = OpenVinoEngine(RESNET, ir, threads=2, batch=4)
    expected = keras_outputs(resnet50, given)
    assert expected.std() > 1e-2
    np.testing.assert_allclose(engine.run(given), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_it_is_converted_once(ir: Path, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    assert settings.model_dir is not None
    before = ir.stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        again = converted(RESNET, settings.model_dir / RESNET.weights[0].name, settings.cache_dir / "openvino")
    assert again == ir
    assert again.stat().st_mtime_ns == before
    assert "converting" not in caplog.text


def test_the_weights_keep_their_32_bits(ir: Path) -> None:
    assert ir.with_suffix(".bin").stat().st_size > 93_000_000


def test_nothing_half_made_is_left(ir: Path) -> None:
    names = {path.name for path in ir.parent.parent.iterdir()}
    assert names == {ir.parent.name, f"{ir.parent.name}.lock"}


def test_a_second_start_imports_neither_tensorflow_nor_keras(ir: Path, settings: Settings) -> None:
    assert ir.is_file()
    ran = subprocess.run(
        [sys.executable, "-c", SECOND_START, str(settings.model_dir), str(settings.cache_dir)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.strip() == "light", ran.stderr


def test_fifty_photos_of_five_people_become_a_matrix(ir: Path, settings: Settings) -> None:
    assert ir.is_file()
    rng = np.random.default_rng(7)
    people = pictures(5, seed=7).repeat(10, axis=0)
    photos = np.clip(people + rng.normal(0, 4, people.shape), 0, 255).astype(np.uint8)
    matrix = open_embedder(settings).embed(photos)
    assert matrix.shape == (50, 2048)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)
    centroids = matrix.reshape(5, 10, 2048).mean(axis=1)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    assert (matrix @ centroids.T).argmax(axis=1).tolist() == np.arange(5).repeat(10).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("network", ["vggface2-senet50", "vggface-vgg16"])
def test_the_other_networks_convert_as_well(network: str, tmp_path: Path) -> None:
    from tests.weights_file import generate

    weights = generate(tmp_path / "w.h5", network)
    path = converted(spec(network), weights, tmp_path / "cache")
    given = pictures(2)
    expected = KerasEngine.of(spec(network), weights, threads=2, batch=1).run(given)
    answer = OpenVinoEngine(spec(network), path, threads=2, batch=2).run(given)
    np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


class TestRefused:
    @pytest.fixture
    def weights(self, tmp_path: Path) -> Path:
        path = tmp_path / "w.h5"
        path.write_bytes(b"no weights at all")
        return path

    def test_damaged_weights_are_named_by_the_other_process(self, weights: Path, tmp_path: Path) -> None:
        with pytest.raises(WeightsInvalid, match=r"w\.h5 is not a Keras weights file"):
            converted(RESNET, weights, tmp_path / "cache")
        assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]

    def test_a_process_that_fails_is_said(self, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(conversion, "_CHILD", "raise SystemExit('out of memory')")
        with pytest.raises(EngineUnavailable, match="could not be converted for OpenVINO: out of memory"):
            converted(RESNET, weights, tmp_path / "cache")

    def test_a_process_that_hangs_is_ended(
        self, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(conversion, "_CHILD", "import time; time.sleep(60)")
        monkeypatch.setattr(conversion, "_TIMEOUT", 0.2)
        with pytest.raises(EngineUnavailable, match=r"could not be converted for OpenVINO within"):
            converted(RESNET, weights, tmp_path / "cache")

    def test_a_cache_that_cannot_be_written_is_said(self, weights: Path) -> None:
        with pytest.raises(EngineUnavailable, match="cannot be written to"):
            converted(RESNET, weights, weights / "cache")
