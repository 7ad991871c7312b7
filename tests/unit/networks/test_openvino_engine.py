from pathlib import Path

import numpy as np
import openvino
import pytest

from facegroup.errors import WeightsInvalid
from facegroup.networks.openvino_engine import OpenVinoEngine
from facegroup.networks.registry import spec

IR = Path("models/face-reidentification-retail-0095/FP16/face-reidentification-retail-0095.xml")


@pytest.fixture(scope="module")
def engine(shared: Path) -> OpenVinoEngine:
    return OpenVinoEngine(spec("retail-0095"), shared / IR, threads=1, batch=4)


def crops(n: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (n, 128, 128, 3), np.uint8)


def test_it_gives_what_the_published_network_gives(engine: OpenVinoEngine, shared: Path) -> None:
    core = openvino.Core()
    published = core.compile_model(core.read_model(shared / IR), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    given = crops(3)
    planes = given[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)  # BGR, channels first
    expected = np.stack([published(one[None])[0].ravel() for one in planes])
    np.testing.assert_allclose(engine.run(given), expected, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 9, 11])
def test_every_face_is_answered_as_if_alone(engine: OpenVinoEngine, n: int) -> None:
    given = crops(n, seed=n)
    answer = engine.run(given)
    assert answer.shape == (n, 256)
    assert answer.dtype == np.float32
    alone = np.concatenate([engine.run(one[None]) for one in given])
    np.testing.assert_allclose(answer, alone, atol=1e-4)


def test_an_answer_is_not_overwritten_by_the_next(engine: OpenVinoEngine) -> None:
    first = engine.run(crops(2, seed=1))
    kept = first.copy()
    engine.run(crops(2, seed=2))
    np.testing.assert_array_equal(first, kept)


def test_read_only_and_strided_crops_are_taken(engine: OpenVinoEngine) -> None:
    given = crops(4)
    expected = engine.run(given)
    given.flags.writeable = False
    np.testing.assert_array_equal(engine.run(given), expected)
    np.testing.assert_allclose(engine.run(given[::-1]), expected[::-1], atol=1e-4)


def test_warming_changes_no_answer(engine: OpenVinoEngine) -> None:
    expected = engine.run(crops(1))
    engine.warm()
    np.testing.assert_array_equal(engine.run(crops(1)), expected)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.xml"
    path.write_text("<net")
    with pytest.raises(WeightsInvalid, match=r"net\.xml cannot be used as retail-0095"):
        OpenVinoEngine(spec("retail-0095"), path)


def test_another_network_is_refused(shared: Path) -> None:
    with pytest.raises(WeightsInvalid, match="vggface2-resnet50"):
        OpenVinoEngine(spec("vggface2-resnet50"), shared / IR)
