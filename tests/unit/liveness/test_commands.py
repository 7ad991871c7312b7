"""A wrong or missing network for liveness ends a command with one message and status 2, and nothing is started."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", ["identify", "serve"])
def test_damaged_weights_are_one_message(command: str, shared: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for file in shared.glob("models/face-reidentification-retail-0095/*/*"):
        (models / file.name).symlink_to(file)
    whole = shared / "models" / "minifasnet"
    (models / "MiniFASNetV2.onnx").write_bytes((whole / "MiniFASNetV2.onnx").read_bytes()[:-1])
    (models / "MiniFASNetV1SE.onnx").symlink_to(whole / "MiniFASNetV1SE.onnx")
    settings = {
        "FACEGROUP_NETWORK": "retail-0095",
        "FACEGROUP_MODEL_DIR": str(models),
        "FACEGROUP_CACHE_DIR": str(tmp_path / "cache"),
        "FACEGROUP_STORE": f"sqlite:///{tmp_path / 'gallery.db'}",
        "FACEGROUP_LIVENESS__MODEL": "minifasnet",
        "FACEGROUP_LOG_LEVEL": "error",
        "PATH": "/usr/bin:/bin",
    }
    photo = str(shared / "faces/face_recognition_examples/examples/obama_small.jpg")
    words = [command, photo] if command == "identify" else [command, "--port", "8771"]
    program = Path(sys.executable).with_name("facegroup")
    done = subprocess.run([program, *words], env=settings, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("facegroup: ")]
    assert len(lines) == 1
    assert "MiniFASNetV2.onnx has 1,743,560 bytes, expected 1,743,561" in lines[0]
    assert "Traceback" not in done.stderr
