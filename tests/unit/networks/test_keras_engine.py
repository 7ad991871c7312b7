import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegroup.errors import EngineUnavailable
from facegroup.networks.keras_engine import KerasEngine
from facegroup.networks.registry import spec
from facegroup.networks.spec import NetworkSpec
from facegroup.types import Crops

SMALL = replace(spec("vggface2-resnet50"), size=8, dimension=5)

ON_JAX = """
import sys
from pathlib import Path
import numpy as np
from facegroup.networks.keras_engine import KerasEngine
from facegroup.networks.registry import spec
engine = KerasEngine.of(spec("vggface2-resnet50"), Path(sys.argv[1]), batch=2)
assert (engine.name, engine.device) == ("keras-jax", "cpu")
np.save(sys.argv[2], engine.run(np.load(sys.argv[3])))
assert "tensorflow" not in sys.modules
"""


def small() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(5, 3), keras.layers.BatchNormalization(), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.layers.Input((8, 8, 3)), *layers])


def crops(n: int, side: int = 8) -> Crops:
    return np.random.default_rng(n).integers(0, 256, (n, side, side, 3), np.uint8)


@pytest.fixture(scope="module")
def engine() -> KerasEngine:
    return KerasEngine(SMALL, small, threads=2, batch=4)


@pytest.mark.parametrize(("channels", "mean"), [("BGR", (91.4953, 103.8827, 131.0912)), ("RGB", (1.0, 2.0, 3.0))])
def test_the_network_sees_its_channel_order_less_the_mean(channels: Any, mean: tuple[float, float, float]) -> None:
    network: NetworkSpec = replace(SMALL, channels=channels, mean=mean)
    given = crops(2)
    pixels = given.astype(np.float32)
    if channels == "BGR":
        pixels = pixels[..., ::-1]
    expected = small()(pixels - np.asarray(mean, np.float32), training=False).numpy()
    answer = KerasEngine(network, small, threads=2, batch=2).run(given)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n", [1, 3, 4, 7])
def test_every_face_is_answered_as_if_alone(engine: KerasEngine, n: int) -> None:
    given = crops(n)
    alone = np.concatenate([engine.run(one[None]) for one in given])
    np.testing.assert_allclose(engine.run(given), alone, rtol=1e-4, atol=1e-4)


def test_it_says_what_it_is_and_warms(engine: KerasEngine) -> None:
    engine.warm()
    assert (engine.name, engine.device) == ("keras-tensorflow", "cpu")


def test_a_gpu_that_is_not_there_is_refused() -> None:
    made: list[object] = []
    with pytest.raises(EngineUnavailable, match="The device gpu:7 does not exist"):
        KerasEngine(SMALL, lambda: made.append(small()), device="gpu:7")
    assert not made


def test_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    with pytest.raises(EngineUnavailable, match="runs on tensorflow or jax, but KERAS_BACKEND is openvino"):
        KerasEngine(SMALL, small)


@pytest.mark.skipif(find_spec("jax") is None, reason="needs jax")
def test_on_jax_tensorflow_is_never_imported(resnet50: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = crops(2, side=224)
    np.save(tmp_path / "crops.npy", given)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    ran = subprocess.run(
        [sys.executable, "-c", ON_JAX, str(resnet50), str(tmp_path / "out.npy"), str(tmp_path / "crops.npy")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    expected = KerasEngine.of(spec("vggface2-resnet50"), resnet50, threads=2, batch=2).run(given)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-3, atol=1e-3)
