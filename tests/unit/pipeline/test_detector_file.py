"""Detectors of one's own: what fits is opened, and what does not is refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, numpy_helper

from facegroup.detection.yunet import Yunet
from facegroup.detection.yunet_anchors import OUTPUTS, WIDTHS
from facegroup.errors import EngineUnavailable, InvalidSettings, SetupError, WeightsInvalid, WeightsMissing
from facegroup.pipeline import detector_description
from facegroup.pipeline.detector_file import YUNET_FILE
from facegroup.pipeline.open_finder import open_detector
from facegroup.settings import load
from tests.photos import astronaut, both

ANY: tuple[Any, ...] = ("n", 3, "h", "w")


def detector_onnx(
    path: Path,
    *,
    shape: tuple[Any, ...] = ANY,
    bias: float = 0.0,
    opset: int = 17,
    skip: tuple[str, ...] = (),
    second: bool = False,
    sigmoid: bool = True,
    stretch: int = 1,
) -> Path:
    """Write a tiny network with the outputs of YuNet: a convolution at each stride."""
    random = np.random.default_rng(0)
    nodes, constants, results = [], [], []
    for name in OUTPUTS:
        if name in skip:
            continue
        part, _, text = name.partition("_")
        stride, width = int(text), WIDTHS[part]
        kernel = random.normal(0, 0.001, (width, 3, stride, stride)).astype(np.float32)
        constants += [
            numpy_helper.from_array(kernel, f"k{name}"),
            numpy_helper.from_array(np.full(width, bias, np.float32), f"b{name}"),
        ]
        nodes.append(
            helper.make_node("Conv", ["input", f"k{name}", f"b{name}"], [f"c{name}"], strides=[stride * stretch] * 2)
        )
        nodes.append(helper.make_node("Transpose", [f"c{name}"], [f"t{name}"], perm=[0, 2, 3, 1]))
        last = part in ("cls", "obj") and sigmoid
        nodes.append(helper.make_node("Reshape", [f"t{name}", f"s{width}"], [f"r{name}" if last else name]))
        if last:
            nodes.append(helper.make_node("Sigmoid", [f"r{name}"], [name]))
        results.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n", "a", width)))
    for width in set(WIDTHS.values()):
        constants.append(numpy_helper.from_array(np.array([0, -1, width], np.int64), f"s{width}"))
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]
    if second:
        inputs.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ("n", 1)))
    graph = helper.make_graph(nodes, "detector", inputs, results, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save_model(model, str(path))
    return path


def described(folder: Path, **changes: Any) -> Path:
    given = {
        "files": [{"file": "mine.onnx"}],
        "min_confidence": 0.5,
        "licence": "made for a test",
    } | changes
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(given))
    return path


def opened(path: Path, **detector: Any) -> Yunet:
    found = open_detector(load(detector={"model": str(path), **detector}, cache_dir=path.parent / "cache"), 1)
    assert isinstance(found, Yunet)
    return found


@pytest.fixture
def real(shared: Path, tmp_path: Path) -> Path:
    """A description of YuNet itself, under another name."""
    data = (shared / "models" / "yunet" / YUNET_FILE.name).read_bytes()
    (tmp_path / "mine.onnx").write_bytes(data)
    return described(tmp_path, files=[{"file": "mine.onnx", "sha256": YUNET_FILE.sha256}])


def test_a_detector_of_ones_own_is_opened(real: Path) -> None:
    detector = opened(real)
    assert (detector.name, detector.engine, detector.device) == ("mine", "openvino", "cpu")
    assert detector.scale.least == 0.5
    assert len(detector.detect([both()])[0]) >= 2
    detector.close()


def test_onnx_runtime_finds_the_same_faces(real: Path) -> None:
    pytest.importorskip("onnxruntime")
    images = [astronaut(), both()]
    one, other = opened(real), opened(real, engine="onnxruntime")
    assert other.engine == "onnxruntime"
    for faces, same in zip(one.detect(images), other.detect(images), strict=True):
        assert len(faces) == len(same) >= 1
        assert_allclose(faces.boxes, same.boxes, atol=0.1)
        assert_allclose(faces.confidence, same.confidence, atol=1e-3)


def test_preprocessing_is_the_same_on_both_engines(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    detector_onnx(tmp_path / "mine.onnx")
    path = described(tmp_path, channels="RGB", mean=[120, 110, 100], scale=[60, 50, 40], min_confidence=0.2)
    one, other = (opened(path, engine=engine)._net for engine in ("openvino", "onnxruntime"))
    pixels = np.random.default_rng(1).integers(0, 256, (2, 64, 96, 3), np.uint8)
    with one.inferred(pixels) as outputs, other.inferred(pixels) as same:
        for each, again in zip(outputs, same, strict=True):
            assert_allclose(each, again, atol=1e-4)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda path: path.write_bytes(detector_onnx(path).read_bytes()[:5000]), "truncated"),
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "text": (lambda path: path.write_text("<html>not found</html>"), "web page"),
    "opset": (lambda path: detector_onnx(path, opset=99), "opset 99"),
    "two inputs": (lambda path: detector_onnx(path, second=True), "2 inputs"),
    "fixed size": (lambda path: detector_onnx(path, shape=("n", 3, 640, 640)), "any size"),
    "fixed batch": (lambda path: detector_onnx(path, shape=(1, 3, "h", "w")), "any number"),
    "channels": (lambda path: detector_onnx(path, shape=("n", 1, "h", "w")), "should be"),
    "an output missing": (lambda path: detector_onnx(path, skip=("kps_16",)), "no output kps_16"),
    "NaN": (lambda path: detector_onnx(path, bias=float("nan")), "not finite|probabilities"),
    "infinite": (lambda path: detector_onnx(path, bias=float("inf")), "not finite"),
    "logits": (lambda path: detector_onnx(path, bias=7.0, sigmoid=False), "sigmoid"),
    "other strides": (lambda path: detector_onnx(path, stretch=2), "strides 8, 16, 32"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(wrong: str, tmp_path: Path) -> None:
    make, reason = WRONG[wrong]
    make(tmp_path / "mine.onnx")
    with pytest.raises(WeightsInvalid, match=reason):
        opened(described(tmp_path))


def test_weights_outside_the_file_must_be_there(tmp_path: Path) -> None:
    path = detector_onnx(tmp_path / "inside.onnx")
    onnx.save_model(
        onnx.load(str(path)), str(tmp_path / "mine.onnx"), save_as_external_data=True, location="data", size_threshold=0
    )
    both_files = described(tmp_path, files=[{"file": "mine.onnx"}, {"file": "data"}])
    opened(both_files).close()
    with pytest.raises(WeightsInvalid, match="not among the network's files"):
        opened(described(tmp_path))
    (tmp_path / "data").unlink()
    with pytest.raises(SetupError, match="data"):
        opened(both_files)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"threshold": 0.5}, "threshold: unknown key; known are name, files"),
        ({"files": [{"file": "mine.pth"}]}, "Python pickle"),
        ({"files": [{"file": "mine.pt"}]}, "Python pickle"),
        ({"files": [{"file": "mine.xml"}]}, "should be .onnx"),
        ({"files": []}, "files"),
        ({"files": [{"file": "mine.onnx", "url": "https://a.example/mine.onnx"}]}, "needs its sha256"),
        ({"files": [{"file": "mine.onnx", "sha256": "12"}]}, "sha256"),
        ({"files": [{"file": "mine.onnx", "md5": "12"}]}, "md5: unknown key"),
        ({"min_confidence": 1}, "min_confidence"),
        ({"min_confidence": "high"}, "min_confidence"),
        ({"scale": 0}, "scale: should be above 0"),
        ({"mean": [1, 2]}, "mean"),
        ({"channels": "GBR"}, "channels"),
        ({"licence": ""}, "licence"),
        ({"name": "mtcnn"}, "not be mtcnn"),
        ({"name": "Ä"}, "name"),
    ],
)
def test_a_wrong_description_is_refused_with_the_reason(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=reason):
        detector_description.read(described(tmp_path, **changes))


def test_another_hash_is_refused(real: Path) -> None:
    described(real.parent, files=[{"file": "mine.onnx", "sha256": "0" * 64}])
    with pytest.raises(WeightsInvalid, match="expected 0000"):
        opened(real)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"mine\.onnx"):
        opened(described(tmp_path))
    with pytest.raises(InvalidSettings, match=r"detector\.model: .*other\.yaml is not a file"):
        opened(tmp_path / "other.yaml")


@pytest.mark.parametrize("model", ["retinaface", "", "mine.onnx", "yunet.pth", "MTCNN"])
def test_an_unknown_detector_is_refused(model: str) -> None:
    with pytest.raises(InvalidSettings, match=r"detector\.model: .*should be mtcnn, yunet, or the path"):
        load(detector={"model": model})


@pytest.mark.parametrize(
    ("detector", "reason"),
    [
        ({"engine": "keras"}, "cannot run on the engine keras"),
        ({"engine": "dlib"}, "cannot run on the engine dlib"),
        ({"engine": "openvino", "num_gpus": 1}, "runs on a CPU only"),
        ({"engine": "onnxruntime", "precision": "bf16"}, "does not support bf16"),
    ],
)
def test_an_engine_that_cannot_run_it_is_refused(detector: dict[str, Any], reason: str, shared: Path) -> None:
    with pytest.raises(EngineUnavailable, match=reason):
        open_detector(load(model_dir=shared / "models", detector={"model": "yunet", **detector}), 1)
