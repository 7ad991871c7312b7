"""A broken library or a wrong order of channels is refused at the start, by what a network answers for drawn faces."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from facegroup.errors import EngineUnavailable
from facegroup.networks import drawn_faces, known_descriptor, openvino_engine, registry
from facegroup.networks.embedder import open_embedder
from facegroup.networks.known_descriptor import Known, check
from facegroup.networks.spec import NetworkSpec
from facegroup.settings import load
from facegroup.types import Crops, Floats
from tests import onnx_files

SPEC = replace(registry.SPECS["sface"], size=16, dimension=32)
Change = Callable[[Floats], Floats]


class Plain:
    """An engine whose embeddings are a fixed product of the pixels, then changed."""

    name = "plain"
    device = "cpu"

    def __init__(self, change: Change = lambda rows: rows, *, swapped: bool = False) -> None:
        self._matrix = np.random.default_rng(1).normal(size=(16 * 16 * 3, 32)).astype(np.float32)
        self._change, self._swapped = change, swapped

    def run(self, crops: Crops) -> Floats:
        given = crops[..., ::-1] if self._swapped else crops
        return self._change(np.asarray(given.reshape(len(crops), -1).astype(np.float32) @ self._matrix, np.float32))

    def warm(self) -> None:
        raise NotImplementedError


def tried(folder: Path, engine: Plain, precision: str = "fp32", spec: NetworkSpec = SPEC) -> Known:
    return check(engine, spec, precision, lambda: "f" * 64, folder, Plain)


def noisy(share: float) -> Change:
    """Move each embedding by this share of its length."""

    def change(rows: Floats) -> Floats:
        away = np.random.default_rng(2).normal(size=rows.shape)
        lengths = [np.linalg.norm(each, axis=1, keepdims=True) for each in (rows, away)]
        return np.asarray(rows + away / lengths[1] * lengths[0] * share, np.float32)

    return change


def test_the_first_run_is_kept_and_the_next_compared_with_it(tmp_path: Path) -> None:
    assert tried(tmp_path / "known", Plain()).source == "new"
    again = tried(tmp_path / "known", Plain())
    assert (again.source, again.most) == ("first run", 0.02)
    assert again.distance < 1e-6
    (kept,) = (tmp_path / "known").iterdir()
    assert kept.name.startswith("f" * 32)


@pytest.mark.parametrize(
    "engine",
    [
        Plain(swapped=True),
        Plain(lambda rows: rows * 1.1),
        Plain(lambda rows: rows * 0.5),
        Plain(lambda rows: -rows),
        Plain(lambda rows: rows[:, ::-1]),
        Plain(lambda rows: rows[::-1]),
        Plain(lambda rows: rows * np.nan),
        Plain(np.zeros_like),
        Plain(noisy(0.03)),
    ],
)
def test_other_numbers_are_refused(tmp_path: Path, engine: Plain) -> None:
    tried(tmp_path, Plain())
    (kept,) = tmp_path.iterdir()
    before = kept.read_bytes()
    with pytest.raises(EngineUnavailable, match=r"gives other numbers .* requirements\.lock") as refused:
        tried(tmp_path, engine)
    assert str(kept) in refused.value.detail
    assert kept.read_bytes() == before


@pytest.mark.parametrize(("precision", "most"), [("fp32", 0.02), ("bf16", 0.05), ("fp16", 0.05), ("int8", 0.3)])
def test_each_precision_has_its_bound(tmp_path: Path, precision: str, most: float) -> None:
    for _ in ("the first run, which fp32 is computed for", "the next"):
        found = tried(tmp_path, Plain(noisy(most * 0.9)) if precision != "fp32" else Plain(), precision)
        assert found.most == most
        with pytest.raises(EngineUnavailable, match=f"in {precision} gives other numbers"):
            tried(tmp_path, Plain(noisy(most * 1.1)), precision)


def test_not_a_number_is_refused_at_the_first_run_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable):
        tried(tmp_path, Plain(lambda rows: rows * np.inf))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "[[1, 2]]", "{}", "[[NaN]]", '"x"', "\x00"])
def test_a_damaged_value_is_made_again(tmp_path: Path, content: str) -> None:
    tried(tmp_path, Plain())
    (kept,) = tmp_path.iterdir()
    kept.write_text(content)
    assert tried(tmp_path, Plain()).source == "new"
    assert tried(tmp_path, Plain()).source == "first run"


def test_a_cache_that_cannot_be_written_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "known").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        assert tried(tmp_path / "known", Plain()).source == "new"
    assert "cannot be kept" in caplog.text


@pytest.mark.parametrize("name", ["retail-0095", "dlib-resnet29"])
def test_networks_that_can_be_had_here_are_recorded(shared: Path, tmp_path: Path, name: str) -> None:
    embedder = open_embedder(load(network=name, model_dir=shared / "models", cache_dir=tmp_path))
    assert embedder.known is not None
    assert (embedder.known.source, list(tmp_path.iterdir())) == ("recorded", [])
    assert embedder.known.distance < 0.001
    swapped = drawn_faces.faces(embedder.spec.size, 2)[..., ::-1]
    picture = sha256(drawn_faces.faces(embedder.spec.size, 2).tobytes()).hexdigest()
    known = known_descriptor.recorded(embedder.spec, picture)
    assert known is not None
    apart = np.linalg.norm(embedder.engine.run(np.ascontiguousarray(swapped)) - known, axis=1)
    assert (apart / np.linalg.norm(known, axis=1)).max() > 5 * known_descriptor.MOST["fp32"]


def test_a_wrong_order_of_channels_ends_the_start(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = openvino_engine.with_preprocessing
    monkeypatch.setattr(
        openvino_engine,
        "with_preprocessing",
        lambda model, spec, layout: right(model, replace(spec, channels="RGB"), layout),
    )
    with pytest.raises(EngineUnavailable, match="retail-0095 on openvino in fp32 gives other numbers"):
        open_embedder(load(network="retail-0095", model_dir=shared / "models", cache_dir=tmp_path))


def test_outputs_that_are_scaled_end_the_start(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = openvino_engine.OpenVinoEngine.run
    monkeypatch.setattr(openvino_engine.OpenVinoEngine, "run", lambda self, crops: right(self, crops) * 1.05)
    with pytest.raises(EngineUnavailable, match=r"distance 0\.05 from the recorded ones"):
        open_embedder(load(network="retail-0095", model_dir=shared / "models", cache_dir=tmp_path))


def test_a_network_of_ones_own_is_compared_with_its_first_run(tmp_path: Path) -> None:
    onnx_files.embedder(tmp_path / "net.onnx")
    (tmp_path / "sface.yaml").write_text(
        "files: [{file: net.onnx}]\ntemplate: arcface112\ndimension: 128\nlicence: a\n"
    )
    (tmp_path / "mine.yaml").write_text((tmp_path / "sface.yaml").read_text())
    settings = load(network=str(tmp_path / "mine.yaml"), cache_dir=tmp_path / "cache")
    sources = [open_embedder(settings).known for _ in range(2)]
    assert [each.source for each in sources if each] == ["new", "first run"]
    (kept,) = (tmp_path / "cache" / "known").iterdir()
    kept.write_text(json.dumps((np.asarray(json.loads(kept.read_text())) * 2).tolist()))
    with pytest.raises(EngineUnavailable, match="those of its first run here"):
        open_embedder(settings)
