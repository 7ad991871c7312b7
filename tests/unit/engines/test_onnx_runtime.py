import sys
from pathlib import Path

import numpy as np
import pytest

from facegroup.engines.onnx_runtime import open_session
from facegroup.errors import EngineUnavailable, WeightsInvalid
from tests import onnx_files


def test_a_network_runs_on_the_cpu(tmp_path: Path) -> None:
    session = open_session(onnx_files.embedder(tmp_path / "net.onnx"))
    assert session.get_providers() == ["CPUExecutionProvider"]
    (rows,) = session.run(None, {"input": np.zeros((3, 3, 112, 112), np.float32)})
    assert rows.shape == (3, 128)


def test_a_gpu_that_is_not_there_is_never_replaced_by_the_cpu(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="CUDA"):
        open_session(onnx_files.embedder(tmp_path / "net.onnx"), "gpu:0")


@pytest.mark.parametrize("data", [b"", b"not a network", b"\x80\x04K\x01."])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    with pytest.raises(WeightsInvalid, match=r"ONNX Runtime cannot run .*net\.onnx: "):
        open_session(tmp_path / "net.onnx")


def test_a_missing_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineUnavailable, match=r"pip install 'facegroup\[onnxruntime\]'"):
        open_session(tmp_path / "net.onnx")
