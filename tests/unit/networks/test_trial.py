from pathlib import Path

import pytest

from facegroup.engines import worker_process
from facegroup.errors import InvalidSettings, WeightsInvalid
from facegroup.networks import registry, trial
from facegroup.settings import Settings, load
from tests import onnx_files

YAML = "files: [{file: net.onnx}]\ntemplate: arcface112\ndimension: 128\nlicence: ours\n"


@pytest.fixture
def mine(tmp_path: Path) -> Settings:
    onnx_files.embedder(tmp_path / "net.onnx")
    (tmp_path / "mine.yaml").write_text(YAML)
    return load(network=str(tmp_path / "mine.yaml"), cache_dir=tmp_path / "cache")


def test_a_network_that_can_be_used_is_tried_in_a_child(mine: Settings) -> None:
    trial.run(registry.spec(mine.network, mine), mine)


def test_a_network_that_cannot_is_refused_with_the_childs_own_message(mine: Settings) -> None:
    spec = registry.spec(mine.network, mine)
    onnx_files.embedder(Path(mine.network).parent / "net.onnx", side=160)
    with pytest.raises(WeightsInvalid, match="takes crops of shape"):
        trial.run(spec, mine)
    Path(mine.network).write_text(YAML + "nonsense: 1\n")
    with pytest.raises(InvalidSettings, match="nonsense: unknown key"):
        trial.run(spec, mine)


def test_networks_that_ship_as_ir_or_keras_are_not(mine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "run", lambda *_: pytest.fail("a child was started"))
    for name in ("retail-0095", "vggface2-resnet50", "dlib-resnet29"):
        trial.run(registry.spec(name), mine.model_copy(update={"network": name}))
