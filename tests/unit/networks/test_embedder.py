from pathlib import Path

import numpy as np
import pytest

from facegroup.errors import EngineUnavailable, UnknownNetwork
from facegroup.networks.embedder import Embedder, failed, open_embedder
from facegroup.networks.registry import spec
from facegroup.networks.spec import Engine
from facegroup.settings import load
from facegroup.types import Crops, Floats


class Given:
    """An engine that answers what it was told to."""

    name = "given"
    device = "cpu"

    def __init__(self, rows: object) -> None:
        self.rows = np.asarray(rows, np.float32)

    def run(self, crops: Crops) -> Floats:
        return self.rows[: len(crops)]

    def warm(self) -> None:
        pass


def embedder(rows: object) -> Embedder:
    engine: Engine = Given(rows)
    return Embedder(spec("retail-0095"), engine)


def crops(n: int) -> Crops:
    return np.zeros((n, 128, 128, 3), np.uint8)


def test_a_descriptor_is_the_embedding_divided_by_its_norm() -> None:
    rows = np.random.default_rng(0).normal(0, 5, (4, 256)).astype(np.float32)
    answer = embedder(rows).embed(crops(4))
    assert answer.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(answer, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(answer * np.linalg.norm(rows, axis=1, keepdims=True), rows, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_tiny_and_huge_embeddings_neither_vanish_nor_overflow(scale: float) -> None:
    answer = embedder(np.full((1, 256), scale)).embed(crops(1))
    np.testing.assert_allclose(answer, 1 / 16, rtol=1e-5)


def test_no_crop_gives_no_descriptor() -> None:
    assert embedder(np.ones((1, 256))).embed(crops(0)).shape == (0, 256)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf])
def test_one_unusable_embedding_is_a_row_of_zeros_and_the_others_are_answered(bad: float) -> None:
    rows = np.ones((3, 256), np.float32)
    rows[1] = 0
    rows[1, 7] = bad
    answer = embedder(rows).embed(crops(3))
    np.testing.assert_allclose(answer[[0, 2]], 1 / 16)
    assert not answer[1].any()
    assert failed(answer).tolist() == [False, True, False]


def test_an_unknown_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNetwork):
        open_embedder(load(network="facenet", cache_dir=tmp_path))


@pytest.mark.parametrize(
    ("network", "wanted", "message"),
    [
        ("retail-0095", {"engine": "keras"}, "retail-0095 cannot run on the engine keras. It runs on openvino"),
        ("retail-0095", {"engine": "dlib"}, "cannot run on the engine dlib"),
        ("vggface2-resnet50", {"engine": "dlib"}, "It runs on openvino or keras"),
        ("dlib-resnet29", {"engine": "openvino"}, "It runs on dlib"),
        ("retail-0095", {"num_gpus": 1}, "Set num_gpus to 0"),
        ("dlib-resnet29", {"num_gpus": 1}, "Set num_gpus to 0"),
        ("vggface2-resnet50", {"engine": "openvino", "num_gpus": 1}, "Set num_gpus to 0"),
    ],
)
def test_an_engine_that_cannot_run_the_network_is_refused(
    network: str, wanted: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(EngineUnavailable, match=message):
        open_embedder(load(network=network, embedder=wanted, cache_dir=tmp_path))
