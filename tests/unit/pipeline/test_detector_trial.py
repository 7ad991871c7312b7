from pathlib import Path

import pytest

from facegroup.engines import worker_process
from facegroup.errors import WeightsInvalid
from facegroup.pipeline import detector_trial
from facegroup.settings import load
from tests.unit.pipeline.test_detector_file import described, detector_onnx


def test_a_detector_that_cannot_be_used_is_refused_with_the_childs_own_message(tmp_path: Path) -> None:
    detector_onnx(tmp_path / "mine.onnx", sigmoid=False, bias=7.0)
    settings = load(detector={"model": str(described(tmp_path))}, cache_dir=tmp_path / "cache")
    with pytest.raises(WeightsInvalid, match="sigmoid"):
        detector_trial.run(settings)


@pytest.mark.parametrize("engine", ["auto", "onnxruntime"])
def test_the_child_takes_no_gpu_whatever_the_environment_says(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    detector_onnx(tmp_path / "mine.onnx")
    monkeypatch.setenv("FACEGROUP_DETECTOR__NUM_GPUS", "1")
    monkeypatch.setenv("FACEGROUP_DETECTOR__ENGINE", engine)
    settings = load(detector={"model": str(described(tmp_path))}, cache_dir=tmp_path / "cache")
    assert settings.detector.num_gpus == 1
    detector_trial.run(settings)


def test_mtcnn_and_yunet_themselves_are_not_tried(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "run", lambda *_: pytest.fail("a child was started"))
    for model in ("mtcnn", "yunet"):
        detector_trial.run(load(model_dir=shared / "models", detector={"model": model}))
