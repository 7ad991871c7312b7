"""A network of one's own, through the path that everything takes: a YAML file in the settings, then `open_embedder`."""

import hashlib
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from facegroup.engines.onnx_runtime import open_session
from facegroup.errors import EngineUnavailable, FacegroupError, InvalidSettings, WeightsInvalid, WeightsMissing
from facegroup.networks import drawn_faces, registry
from facegroup.networks.embedder import Embedder, open_embedder
from facegroup.networks.fingerprint import known
from facegroup.settings import load
from tests import onnx_files

RETAIL = "models/face-reidentification-retail-0095/FP16/face-reidentification-retail-0095"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a YAML file for a network whose file is made by the test."""

    def write(**changes: Any) -> Path:
        about = {"files": [{"file": "net.onnx"}], "template": "arcface112", "dimension": 128, "licence": "ours"}
        about = {key: value for key, value in {**about, **changes}.items() if value is not None}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(about))
        return path

    return write


def opened(path: Path, **embedder: Any) -> Embedder:
    folders = {"cache_dir": path.parent / "cache", "model_dir": path.parent / "models"}
    return open_embedder(load(network=str(path), **folders, embedder=embedder))


def said(path: Path, **embedder: Any) -> str:
    """Return the one message that refuses a network."""
    with pytest.raises(FacegroupError) as refused:
        opened(path, **embedder)
    assert isinstance(refused.value, WeightsInvalid | InvalidSettings | WeightsMissing | EngineUnavailable)
    assert "\n" not in refused.value.detail
    return refused.value.detail


class TestWhatIsTaken:
    @pytest.mark.parametrize("batch", ["n", 1, 4])
    @pytest.mark.parametrize("channels_last", [False, True])
    def test_openvino_and_onnx_runtime_agree(
        self, tmp_path: Path, write: Write, batch: str | int, channels_last: bool
    ) -> None:
        onnx_files.embedder(tmp_path / "net.onnx", batch=batch, channels_last=channels_last)
        crops = np.concatenate([drawn_faces.faces(112), drawn_faces.faces(112, 3)])
        one, other = opened(write()), opened(write(), engine="onnxruntime")
        assert (one.engine.name, other.engine.name) == ("openvino", "onnxruntime")
        np.testing.assert_allclose(one.embed(crops), other.embed(crops), atol=1e-4)
        assert one.fingerprint == other.fingerprint

    def test_channels_mean_and_scale_are_the_same_in_both(self, tmp_path: Path, write: Write) -> None:
        onnx_files.embedder(tmp_path / "net.onnx")
        path = write(template="adaface112", mean=[120.5, 110.0, 100.25], scale=[60, 64.5, 70])
        crops = drawn_faces.faces(112)
        one, other = opened(path), opened(path, engine="onnxruntime")
        np.testing.assert_allclose(one.embed(crops), other.embed(crops), atol=1e-4)
        planes = (crops[..., ::-1].astype(np.float32) - [120.5, 110.0, 100.25]) / [60, 64.5, 70]
        session = open_session(tmp_path / "net.onnx")
        (raw,) = session.run(None, {"input": planes.transpose(0, 3, 1, 2).astype(np.float32)})
        np.testing.assert_allclose(one.engine.run(crops), raw, atol=1e-4)

    def test_retail_0095_through_a_yaml_gives_exactly_the_built_in_descriptors(
        self, tmp_path: Path, write: Write, shared: Path
    ) -> None:
        files = [{"file": f"{shared / RETAIL}{suffix}"} for suffix in (".xml", ".bin")]
        mine = opened(write(files=files, template="retail128", dimension=256))
        built_in = open_embedder(load(network="retail-0095", model_dir=shared / "models", cache_dir=tmp_path / "cache"))
        crops = drawn_faces.faces(128)
        np.testing.assert_array_equal(mine.embed(crops), built_in.embed(crops))
        assert mine.fingerprint == built_in.fingerprint

    def test_weights_in_a_file_beside_it(self, tmp_path: Path, write: Write) -> None:
        onnx_files.with_external_data(tmp_path / "net.onnx")
        path = write(files=[{"file": "net.onnx"}, {"file": "weights.bin"}])
        crops = drawn_faces.faces(112)
        one, other = opened(path), opened(path, engine="onnxruntime")
        np.testing.assert_allclose(one.embed(crops), other.embed(crops), atol=1e-4)

    def test_the_output_of_its_dimension_is_taken_of_several(self, tmp_path: Path, write: Write) -> None:
        norm = [helper.make_node("ReduceL2", ["output"], ["norm"], axes=[1], keepdims=1)]
        onnx_files.embedder(
            tmp_path / "net.onnx", after=[helper.make_node("Identity", ["y"], ["output"]), *norm],
            outputs={"norm": ("n", 1)},
        )  # fmt: skip
        for engine in ("openvino", "onnxruntime"):
            assert opened(write(), engine=engine).embed(drawn_faces.faces(112)).shape == (8, 128)

    def test_dynamic_sides_are_fixed(self, tmp_path: Path, write: Write) -> None:
        onnx_files.embedder(tmp_path / "net.onnx", shape=("n", 3, "h", "w"))
        assert opened(write()).embed(drawn_faces.faces(112)).shape == (8, 128)

    def test_half_precision_inputs(self, tmp_path: Path, write: Write) -> None:
        to_float = [helper.make_node("Cast", ["input"], ["x"], to=TensorProto.FLOAT)]
        onnx_files.embedder(tmp_path / "net.onnx", before=to_float, kind=TensorProto.FLOAT16)
        crops = drawn_faces.faces(112)
        one, other = opened(write()), opened(write(), engine="onnxruntime")
        np.testing.assert_allclose(one.embed(crops), other.embed(crops), atol=1e-4)

    def test_a_graph_made_for_one_crop_runs_them_one_by_one(self, tmp_path: Path, write: Write) -> None:
        shape = [helper.make_node("Reshape", ["y", "to"], ["output"])]
        path = onnx_files.embedder(tmp_path / "net.onnx", batch=1, after=shape)
        model = onnx.load(str(path))
        model.graph.initializer.append(numpy_helper.from_array(np.array([1, 128], np.int64), "to"))
        path.write_bytes(model.SerializeToString())
        crops = drawn_faces.faces(112)
        one, other = opened(write()), opened(write(), engine="onnxruntime")
        np.testing.assert_allclose(one.embed(crops), other.embed(crops), atol=1e-4)

    @pytest.mark.parametrize("batch", [1, 2, 32])
    @pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
    def test_batch_is_the_most_and_pads_no_lone_crop(
        self, tmp_path: Path, write: Write, engine: str, batch: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        onnx_files.embedder(tmp_path / "net.onnx")
        crops = np.concatenate([drawn_faces.faces(112)] * 8)
        expected = opened(write(), engine=engine).embed(crops)
        mine = opened(write(batch=batch), engine=engine, threads=16, batch=64)
        sizes: list[int] = []
        module = sys.modules[type(mine.engine).__module__]
        split = module.batches

        def counted(*given: Any) -> Any:
            for part, real in split(*given):
                sizes.append(len(part))
                yield part, real

        monkeypatch.setattr(module, "batches", counted)
        np.testing.assert_allclose(mine.embed(crops[:1]), expected[:1], atol=1e-5)
        assert sizes == [1]
        np.testing.assert_allclose(mine.embed(crops), expected, atol=1e-5)
        assert max(sizes) == batch

    @pytest.mark.parametrize("said", [4, "n"])
    @pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
    def test_a_graph_that_names_its_batch_somewhere_runs_in_batches_of_it(
        self, tmp_path: Path, write: Write, engine: str, said: int | str
    ) -> None:
        # A table of four rows beside the four crops: OpenVINO refuses any other number with an error of its own.
        after = [helper.make_node("Concat", ["y", "table"], ["z"], axis=1),
                 helper.make_node("Slice", ["z", "from", "to", "axes"], ["output"])]  # fmt: skip
        path = onnx_files.embedder(tmp_path / "net.onnx", batch=said, after=after)
        model = onnx.load(str(path))
        for name, array in (("table", np.zeros((4, 8), np.float32)), ("from", np.array([0])),
                            ("to", np.array([128])), ("axes", np.array([1]))):  # fmt: skip
            model.graph.initializer.append(numpy_helper.from_array(array, name))
        path.write_bytes(model.SerializeToString())
        mine = opened(write(batch=0 if said == 4 else 4), engine=engine)
        crops = drawn_faces.faces(112)
        np.testing.assert_allclose(mine.embed(crops[:5])[4], mine.embed(crops)[4], atol=1e-5)

    def test_bf16_is_compared_with_fp32(self, tmp_path: Path, write: Write, caplog: pytest.LogCaptureFixture) -> None:
        onnx_files.embedder(tmp_path / "net.onnx")
        with caplog.at_level(logging.INFO):
            try:
                opened(write(), precision="bf16")
            except EngineUnavailable as error:
                assert "no instructions for bf16" in error.detail  # noqa: PT017 - this CPU has none
                return
        assert "Network mine in bf16: cosine to fp32 over 8 crops" in caplog.text


class TestFilesThatAreRefused:
    @pytest.mark.parametrize("name", ["net.pth", "net.pt", "net.pkl", "NET.PTH", "net.ckpt"])
    def test_a_pickle_is_refused_by_its_name(self, tmp_path: Path, write: Write, name: str) -> None:
        (tmp_path / name).write_bytes(b"whatever")
        assert "is a Python pickle" in said(write(files=[{"file": name}]))

    @pytest.mark.parametrize(
        ("data", "what"),
        [
            (b"\x80\x04cposix\nsystem\n(S'touch ran'\ntR.", "a Python pickle"),
            (b"\x80\x02}q\x00.", "a Python pickle"),
            (b"PK\x03\x04archive/data.pkl", "a ZIP archive, as PyTorch's"),
            (b"\x89HDF\r\n\x1a\n" + b"\0" * 50, "an HDF5 file"),
            (b"\x1c\0\0\0TFL3" + b"\0" * 50, "a TensorFlow Lite file"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
            (b"<!DOCTYPE html><html>Not found</html>", "a web page"),
            (b"<?xml version='1.0'?><net/>", "a web page or XML"),
            (b"\x40\0\0\0\0\0\0\0" + b'{"a": {"dtype": "F32"}}', "a safetensors file"),
            (b"", "is empty"),
            (b"\0" * 1000, "is not ONNX"),
            (b"just words, and quite a lot of them, too", "is not ONNX"),
        ],
    )
    def test_another_format_is_refused_and_never_run(
        self, tmp_path: Path, write: Write, data: bytes, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "net.onnx").write_bytes(data)
        # The hash is wrong, too: what the file is comes first.
        assert what in said(write(files=[{"file": "net.onnx", "sha256": hashlib.sha256(data).hexdigest()}]))
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
    def test_a_truncated_file(self, tmp_path: Path, write: Write, part: float) -> None:
        data = onnx_files.embedder(tmp_path / "net.onnx").read_bytes()
        (tmp_path / "net.onnx").write_bytes(data[: int(len(data) * part)])
        assert "is not ONNX, or it is truncated" in said(write())

    def test_another_hash(self, tmp_path: Path, write: Write) -> None:
        onnx_files.embedder(tmp_path / "net.onnx", opset=99)
        message = said(write(files=[{"file": "net.onnx", "sha256": "0" * 64}]))
        assert f"expected {'0' * 64}" in message  # and not the opset, which is looked at later

    def test_another_size(self, tmp_path: Path, write: Write) -> None:
        onnx_files.embedder(tmp_path / "net.onnx")
        assert "bytes, expected 17" in said(write(files=[{"file": "net.onnx", "bytes": 17}]))

    @pytest.mark.parametrize("opset", [1, 6, 29, 99])
    def test_another_opset(self, tmp_path: Path, write: Write, opset: int) -> None:
        onnx_files.embedder(tmp_path / "net.onnx", opset=opset)
        assert f"is of opset {opset}. Opsets 7 to 28 are supported" in said(write())

    def test_a_file_that_is_quantised(self, tmp_path: Path, write: Write) -> None:
        quantised = [helper.make_node("DynamicQuantizeLinear", ["input"], ["q", "s", "z"]),
                     helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"])]  # fmt: skip
        onnx_files.embedder(tmp_path / "net.onnx", before=quantised)
        assert "is quantised already. Use the network's file in fp32" in said(write())

    def test_weights_that_are_missing(self, tmp_path: Path, write: Write) -> None:
        onnx_files.with_external_data(tmp_path / "net.onnx")
        (tmp_path / "weights.bin").unlink()
        assert "has its weights in weights.bin, which is missing" in said(write())

    def test_weights_that_are_cut_off(self, tmp_path: Path, write: Write) -> None:
        onnx_files.with_external_data(tmp_path / "net.onnx")
        data = (tmp_path / "weights.bin").read_bytes()
        (tmp_path / "weights.bin").write_bytes(data[:-100])
        assert "Download it again" in said(write(files=[{"file": "net.onnx"}, {"file": "weights.bin"}]))

    def test_weights_whose_hash_would_not_be_known(self, tmp_path: Path, write: Write) -> None:
        onnx_files.with_external_data(tmp_path / "net.onnx")
        assert "not among the network's files" in said(write())

    @pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "a/../../weights.bin", ""])
    def test_weights_outside_its_folder(self, tmp_path: Path, write: Write, location: str) -> None:
        path = onnx_files.with_external_data(tmp_path / "net.onnx")
        model = onnx.load(str(path), load_external_data=False)
        for tensor in model.graph.initializer:
            for each in tensor.external_data:
                each.value = location if each.key == "location" else each.value
        path.write_bytes(model.SerializeToString())
        assert "outside its folder" in said(write())

    def test_two_inputs(self, tmp_path: Path, write: Write) -> None:
        onnx_files.embedder(tmp_path / "net.onnx", inputs={"landmarks": ("n", 10)})
        assert "has 2 inputs (input, landmarks)" in said(write())

    def test_weights_listed_among_the_inputs_are_no_inputs(self, tmp_path: Path, write: Write) -> None:
        path = onnx_files.embedder(tmp_path / "net.onnx")
        model = onnx.load(str(path))
        model.ir_version = 3
        for each in model.graph.initializer:
            model.graph.input.append(helper.make_tensor_value_info(each.name, TensorProto.FLOAT, each.dims))
        path.write_bytes(model.SerializeToString())
        for engine in ("openvino", "onnxruntime"):
            assert opened(write(), engine=engine).embed(drawn_faces.faces(112)).any()

    @pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.STRING, TensorProto.UINT8])
    def test_inputs_of_another_type(self, tmp_path: Path, write: Write, kind: int) -> None:
        to_float = [helper.make_node("Cast", ["input"], ["x"], to=TensorProto.FLOAT)]
        onnx_files.embedder(tmp_path / "net.onnx", before=to_float, kind=kind)
        assert "Export it with float32 or float16 inputs" in said(write())

    def test_a_template_of_the_wrong_size(self, tmp_path: Path, write: Write) -> None:
        onnx_files.embedder(tmp_path / "net.onnx", side=160)
        message = said(write())
        assert "takes crops of shape (?, 3, 160, 160), but mine cuts out (n, 3, 112, 112)" in message
        assert "Set size to 160" in message

    @pytest.mark.parametrize("shape", [("n", 1, 112, 112), ("n", 3, 112), (), ("n", 112, 112, 1), ("n", 3, 112, 96)])
    def test_another_shape(self, tmp_path: Path, write: Write, shape: tuple[Any, ...]) -> None:
        onnx_files.embedder(tmp_path / "net.onnx", shape=shape)
        assert "takes crops of shape" in said(write())

    @pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
    def test_a_dynamic_side_where_the_graph_takes_only_one(self, tmp_path: Path, write: Write, engine: str) -> None:
        onnx_files.embedder(tmp_path / "net.onnx", side=160, shape=("n", 3, "h", "w"))
        assert "net.onnx" in said(write(), engine=engine)  # the full layer was made for 160

    def test_another_dimension(self, tmp_path: Path, write: Write) -> None:
        onnx_files.embedder(tmp_path / "net.onnx")
        message = said(write(dimension=512))
        assert "gives no 512 numbers a face" in message
        assert "output (?, 128)" in message

    def test_an_output_that_is_no_numbers(self, tmp_path: Path, write: Write) -> None:
        words = [helper.make_node("Cast", ["y"], ["output"], to=TensorProto.STRING)]
        path = onnx_files.embedder(tmp_path / "net.onnx", after=words)
        model = onnx.load(str(path))
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
        path.write_bytes(model.SerializeToString())
        assert "gives no 128 numbers a face, as mine should (its outputs: output, of another type)" in said(write())

    def test_no_output_and_no_shape(self, tmp_path: Path, write: Write) -> None:
        path = onnx_files.embedder(tmp_path / "net.onnx")
        model = onnx.load(str(path))
        model.graph.input[0].type.tensor_type.ClearField("shape")
        path.write_bytes(model.SerializeToString())
        assert "takes crops of shape ()" in said(write())
        del model.graph.output[:]
        path.write_bytes(model.SerializeToString())
        assert "net.onnx" in said(write())

    def test_a_graph_that_does_not_hang_together(self, tmp_path: Path, write: Write) -> None:
        path = onnx_files.embedder(tmp_path / "net.onnx")
        model = onnx.load(str(path))
        model.graph.node[2].input[0] = "nobody"
        path.write_bytes(model.SerializeToString())
        for engine in ("openvino", "onnxruntime"):
            assert "net.onnx" in said(write(), engine=engine)

    def test_weights_that_are_not_numbers(self, tmp_path: Path, write: Write) -> None:
        path = onnx_files.embedder(tmp_path / "net.onnx")
        model = onnx.load(str(path))
        bias = numpy_helper.from_array(np.full(128, np.nan, np.float32), "bias")
        model.graph.initializer[3].CopyFrom(bias)
        path.write_bytes(model.SerializeToString())
        for engine in ("openvino", "onnxruntime"):
            assert "not finite" in said(write(), engine=engine)

    def test_a_file_that_is_not_there(self, write: Write) -> None:
        assert "there is no such file" in said(write())

    def test_a_folder_in_its_place(self, tmp_path: Path, write: Write) -> None:
        (tmp_path / "net.onnx").mkdir()
        assert "there is no such file" in said(write())

    def test_an_operator_that_nobody_knows(self, tmp_path: Path, write: Write) -> None:
        unknown = [helper.make_node("Mystery", ["y"], ["output"], domain="org.example")]
        path = onnx_files.embedder(tmp_path / "net.onnx", after=unknown)
        model = onnx.load(str(path))
        model.opset_import.append(helper.make_opsetid("org.example", 1))
        path.write_bytes(model.SerializeToString())
        for engine in ("openvino", "onnxruntime"):
            assert "net.onnx" in said(write(), engine=engine)

    def test_an_ir_of_another_size(self, write: Write, shared: Path) -> None:
        files = [{"file": f"{shared / RETAIL}{suffix}"} for suffix in (".xml", ".bin")]
        assert "takes crops of shape [1,3,128,128]" in said(write(files=files, dimension=256))

    def test_a_network_without_a_cpu_engine_for_a_precision(self, tmp_path: Path, write: Write) -> None:
        onnx_files.embedder(tmp_path / "net.onnx")
        assert "does not support bf16" in said(write(), engine="onnxruntime", precision="bf16")

    def test_a_gpu_that_is_not_there(self, tmp_path: Path, write: Write) -> None:
        onnx_files.embedder(tmp_path / "net.onnx")
        assert "CUDA" in said(write(), num_gpus=1)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
class TestAnswersThatAreRefused:
    """The file is fine and an engine runs it. What it answers is not."""

    def refused(self, tmp_path: Path, write: Write, engine: str, **changes: Any) -> str:
        onnx_files.embedder(tmp_path / "net.onnx", **changes)
        return said(write(), engine=engine)

    def test_not_a_number(self, tmp_path: Path, write: Write, engine: str) -> None:
        nan = [helper.make_node("Abs", ["y"], ["z"]), helper.make_node("Neg", ["z"], ["w"]),
               helper.make_node("Log", ["w"], ["output"])]  # fmt: skip
        assert "not finite" in self.refused(tmp_path, write, engine, after=nan)

    def test_infinity(self, tmp_path: Path, write: Write, engine: str) -> None:
        infinite = [helper.make_node("Sub", ["y", "y"], ["z"]), helper.make_node("Reciprocal", ["z"], ["output"])]
        assert "not finite" in self.refused(tmp_path, write, engine, after=infinite)

    def test_zeros(self, tmp_path: Path, write: Write, engine: str) -> None:
        zeros = [helper.make_node("Sub", ["y", "y"], ["output"])]
        assert "only zeros" in self.refused(tmp_path, write, engine, after=zeros)

    def test_random_numbers(self, tmp_path: Path, write: Write, engine: str) -> None:
        noise = [helper.make_node("RandomNormalLike", ["y"], ["z"], scale=1.0),
                 helper.make_node("Add", ["y", "z"], ["output"])]  # fmt: skip
        assert "other numbers for the same face the second time" in self.refused(tmp_path, write, engine, after=noise)

    def test_the_same_for_everybody(self, tmp_path: Path, write: Write, engine: str) -> None:
        same = [helper.make_node("Sub", ["y", "y"], ["z"]), helper.make_node("Exp", ["z"], ["output"])]
        assert "the same descriptor for different faces" in self.refused(tmp_path, write, engine, after=same)

    def test_the_batch_in_the_answer(self, tmp_path: Path, write: Write, engine: str) -> None:
        mean = [helper.make_node("ReduceMean", ["y"], ["z"], axes=[0], keepdims=1),
                helper.make_node("Sub", ["y", "z"], ["output"])]  # fmt: skip
        assert "alone than in a batch" in self.refused(tmp_path, write, engine, after=mean)

    def test_the_light_in_place_of_the_face(self, tmp_path: Path, write: Write, engine: str) -> None:
        # Which of 128 phases the sum of all pixels has: every brightness gives something else.
        phase = [helper.make_node("ReduceSum", ["input"], ["s"], keepdims=1),
                 helper.make_node("Mul", ["y", "s"], ["t"]), helper.make_node("Sin", ["t"], ["output"])]  # fmt: skip
        message = self.refused(tmp_path, write, engine, after=phase, batch=1)
        assert "drawn faces again at 85% of their brightness" in message
        assert "it gets (pixel − mean) / scale" in message


class TestFingerprint:
    def test_it_changes_with_everything_that_changes_descriptors_and_with_nothing_else(
        self, tmp_path: Path, write: Write
    ) -> None:
        onnx_files.embedder(tmp_path / "net.onnx")
        before = opened(write()).fingerprint
        assert len(before) == 64
        assert opened(write(name="other", title="x", threshold=0.3, licence="theirs", batch=2)).fingerprint == before
        (tmp_path / "net.onnx").rename(tmp_path / "renamed.onnx")
        renamed = [{"file": "renamed.onnx"}]
        assert opened(write(files=renamed)).fingerprint == before
        found = {before}
        changes: list[dict[str, Any]] = [
            {"channels": "BGR"}, {"mean": 127}, {"scale": 128}, {"template": "sface112", "scale": 60, "mean": 120},
            {"points": [[38, 51], [73, 51], [56, 71], [41, 92], [70, 92]]}, {"template": "facenet160", "size": 112},
            {"template": "facenet160", "size": 112, "margin": 0.4}, {"template": "box224", "size": 112, "scale": 60},
        ]  # fmt: skip
        for change in changes:
            found.add(opened(write(files=renamed, **change)).fingerprint)
        onnx_files.embedder(tmp_path / "renamed.onnx", seed=1)
        found.add(opened(write(files=renamed)).fingerprint)
        assert len(found) == 2 + len(changes)


def test_a_fingerprint_is_not_known_where_the_files_cannot_be_used(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx_files.embedder(tmp_path / "net.onnx")
    path = write(files=[{"file": "net.onnx", "sha256": "0" * 64}])
    settings = load(network=str(path), cache_dir=tmp_path / "cache")
    assert known(registry.spec(str(path)), settings) == ""
    assert len(known(registry.spec(str(write())), settings)) == 64
    (tmp_path / "net.onnx").write_bytes(b"")
    assert known(registry.spec(str(write())), settings) == ""
    (tmp_path / "net.onnx").unlink()
    assert known(registry.spec(str(write())), settings) == ""


def test_int8_is_made_from_an_onnx_file(tmp_path: Path, write: Write) -> None:
    from facegroup.networks.ir import as_ir
    from facegroup.networks.openvino_engine import OpenVinoEngine

    path = onnx_files.embedder(tmp_path / "net.onnx")
    spec = registry.spec(str(write()))
    ir = as_ir(spec, (path,), tmp_path / "cache")
    assert ir.with_suffix(".bin").is_file()
    assert as_ir(spec, (path,), tmp_path / "cache") == ir
    crops = drawn_faces.faces(112)
    np.testing.assert_allclose(OpenVinoEngine(spec, ir).run(crops), OpenVinoEngine(spec, path).run(crops), atol=1e-5)


@pytest.mark.parametrize(("name", "side", "dimension", "batch", "names"), [
    ("sface", 112, 128, 1, ("data", "fc1")),
    ("auraface-v1", 112, 512, "None", ("input.1", "683")),
])  # fmt: skip
def test_named_networks_load_files_of_their_inputs_and_outputs(
    tmp_path: Path, name: str, side: int, dimension: int, batch: int | str, names: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Their own bytes are not here: generated files with the same inputs and outputs take their place."""
    from dataclasses import replace

    from facegroup.networks import registry
    from facegroup.networks.spec import WeightsFile

    spec = registry.SPECS[name]
    path = onnx_files.embedder(tmp_path / "models" / spec.weights[0].name, side, dimension, batch, names=names)
    data = path.read_bytes()
    made = WeightsFile(spec.weights[0].name, spec.weights[0].url, len(data), hashlib.sha256(data).hexdigest())
    monkeypatch.setitem(registry.SPECS, name, replace(spec, weights=(made,), mean=(127.5,) * 3, scale=(127.5,) * 3))
    crops = drawn_faces.faces(side)
    rows = []
    for engine in ("openvino", "onnxruntime"):
        settings = load(network=name, model_dir=tmp_path / "models", cache_dir=tmp_path, embedder={"engine": engine})
        rows.append(open_embedder(settings).embed(crops))
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-4)
    assert rows[0].shape == (8, dimension)


def test_about_says_what_it_is_made_of(tmp_path: Path, write: Write) -> None:
    onnx_files.embedder(tmp_path / "net.onnx")
    embedder = opened(write())
    assert json.loads(json.dumps(embedder.about())) == {
        "network": "mine", "dimension": 128, "engine": "openvino", "device": "cpu", "licence": "ours",
        "fingerprint": embedder.fingerprint,
    }  # fmt: skip
