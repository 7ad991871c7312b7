"""The networks on generated and real files: any number of faces, the same answers, one clear error for a wrong file."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from facegroup.errors import EngineUnavailable, SetupError, WeightsInvalid, WeightsMissing
from facegroup.images.decode import decode
from facegroup.liveness.detector import LivenessDetector
from facegroup.liveness.minifasnet import MiniFasNet
from facegroup.pipeline.liveness_files import FILES
from facegroup.pipeline.open_liveness import open_liveness
from facegroup.settings import Limits, Settings, load
from facegroup.types import Image

MODEL = {"model": "minifasnet"}


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "models" / "minifasnet"


@pytest.fixture(scope="module")
def networks(folder: Path) -> MiniFasNet:
    return MiniFasNet([folder / file.name for file in FILES["minifasnet"]], 1, "fp32")


@pytest.fixture(scope="module")
def photo(shared: Path) -> Image:
    data = (shared / "faces" / "face_recognition_examples" / "examples" / "biden.jpg").read_bytes()
    return decode(data, Limits()).image


def test_a_face_has_the_same_score_in_every_batch(networks: MiniFasNet) -> None:
    patches = np.random.default_rng(0).integers(0, 256, (37, 2, 80, 80, 3), np.uint8)
    together = networks.scores(patches)
    assert together.shape == (37,)
    assert ((together >= 0) & (together <= 1)).all()
    assert_allclose(together, [networks.scores(each[None])[0] for each in patches], atol=1e-5)
    assert networks.scores(patches[:0]).shape == (0,)


def test_the_scores_are_those_of_the_published_networks(folder: Path, networks: MiniFasNet) -> None:
    """As the authors run them: one face at a time, BGR from 0 to 255, the mean of both networks' softmax."""
    patches = np.random.default_rng(1).integers(0, 256, (3, 2, 80, 80, 3), np.uint8)
    expected = []
    for patch in patches:
        live = []
        for file, pixels in zip(FILES["minifasnet"], patch, strict=True):
            network = cv2.dnn.readNetFromONNX(str(folder / file.name))
            network.setInput(cv2.dnn.blobFromImage(pixels, swapRB=True))
            (outputs,) = network.forward()
            odds = np.exp(outputs - outputs.max())
            live.append(odds[1] / odds.sum())
        expected.append(np.mean(live))
    assert_allclose(networks.scores(patches), expected, atol=1e-4)


def test_faces_that_cannot_be_scored_are_not_live(networks: MiniFasNet, photo: Image) -> None:
    detector = LivenessDetector(networks, 0.0, 40)
    nan = float("nan")
    boxes = np.array([[0, 0, 20, 20], [60, 30, 180, 190], [nan, nan, nan, nan], [-900, -900, 9000, 9000]], np.float32)
    none, some = detector.judge([detector.cut(photo, boxes[:0]), detector.cut(photo, boxes)])
    assert len(none) == 0
    assert np.isnan(some.scores).tolist() == [True, False, True, False]
    assert some.live.tolist() == [False, True, False, True]
    assert (some.score(0), some.reasons) == (None, ("face_too_small",))
    assert detector.judge([]) == []


def test_none_costs_nothing(settings: Settings) -> None:
    assert open_liveness(settings, 1) is None
    assert settings.liveness.least is None


def bad(tmp_path: Path, folder: Path, case: str) -> Settings:
    """Return settings whose model folder holds wrong files."""
    models = tmp_path / "bad"
    shutil.copytree(folder, models)
    first, second = (models / file.name for file in FILES["minifasnet"])
    for each in (first, second):
        each.chmod(0o644)
    data = first.read_bytes()
    match case:
        case "truncated":
            first.write_bytes(data[:-7])
        case "longer":
            first.write_bytes(data + b"\0")
        case "one bit":
            first.write_bytes(data[:999] + bytes([data[999] ^ 1]) + data[1000:])
        case "the other network":
            second.write_bytes(data)
        case "empty":
            first.write_bytes(b"")
        case "a pickle":
            first.write_bytes(b"\x80\x02}" + data[3:])
    return load(model_dir=models, cache_dir=tmp_path / "cache", liveness=MODEL)


@pytest.mark.parametrize(
    ("case", "told"),
    [
        *((case, "has .*expected") for case in ("truncated", "longer", "one bit", "the other network")),
        ("empty", "is empty"),
        ("a pickle", "pickle"),
    ],
)
def test_a_wrong_file_is_one_clear_error(tmp_path: Path, folder: Path, case: str, told: str) -> None:
    with pytest.raises(WeightsInvalid, match=rf"MiniFASNet\w+\.onnx .*{told}"):
        open_liveness(bad(tmp_path, folder, case), 1)


def test_missing_weights_say_where_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    settings = load(model_dir=tmp_path / "models", cache_dir=tmp_path / "cache", liveness=MODEL)
    with pytest.raises(
        WeightsMissing, match=r"minifasnet needs MiniFASNetV2.onnx .*4eed38f0.*raw.githubusercontent.com"
    ):
        open_liveness(settings, 1)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07" * 500])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsInvalid, match=r"network\.onnx"):
        MiniFasNet([path, path], 1, "fp32")


def test_another_network_is_refused(shared: Path) -> None:
    detector = shared / "models" / "yunet" / "yunet_n_dynamic.onnx"
    with pytest.raises(WeightsInvalid, match="outputs, not one of each"):
        MiniFasNet([detector, detector], 1, "fp32")
    embedder = next((shared / "models").rglob("face-reidentification-retail-0095.xml"))
    with pytest.raises(WeightsInvalid, match="face-reidentification-retail-0095"):
        MiniFasNet([embedder, embedder], 1, "fp32")


def test_a_precision_that_the_engine_does_not_have_is_refused(folder: Path) -> None:
    with pytest.raises(EngineUnavailable, match="fp16"):
        MiniFasNet([folder / file.name for file in FILES["minifasnet"]], 1, "fp16")


def test_a_simulated_detector_has_no_liveness(tmp_path: Path) -> None:
    settings = load(cache_dir=tmp_path, liveness=MODEL, detector={"engine": "simulated"})
    with pytest.raises(SetupError, match=r"liveness.model to none"):
        open_liveness(settings, 1)
