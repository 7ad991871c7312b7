"""Every precision against fp32, on faces cut out of photos; and every way in which one is refused."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.ranges import Listening
from facegroup.detection.mtcnn import Mtcnn
from facegroup.detection.nets import RANGES
from facegroup.detection.nets_openvino import CANVAS, OpenVinoNets
from facegroup.detection.pyramid import centred
from facegroup.engines import precision
from facegroup.engines.precision import LEAST, agreement, executed, narrow_weights, require_executed, require_native
from facegroup.errors import EngineUnavailable, FacegroupError, InvalidSettings
from facegroup.evaluation import lfw
from facegroup.networks import cache, quantization
from facegroup.networks.alignment import Aligner
from facegroup.networks.conversion import converted
from facegroup.networks.embedder import open_embedder
from facegroup.networks.keras_engine import KerasEngine
from facegroup.networks.openvino_engine import OpenVinoEngine
from facegroup.networks.quantization import quantised
from facegroup.networks.registry import spec
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import load
from facegroup.types import Crops, Floats, Image
from tests.photos import astronaut, both, encode, hopper

RETAIL, RESNET = spec("retail-0095"), spec("vggface2-resnet50")

ON_AVX2 = """
import sys
from facegroup.errors import EngineUnavailable
from facegroup.engines import precision
precision._flags = set
try:
    from facegroup.detection.nets_openvino import OpenVinoNets
    OpenVinoNets(1)
    print("fp32 runs")
    OpenVinoNets(1, "bf16")
except EngineUnavailable as error:
    print(error)
"""


def possible(wanted: str) -> str:
    """The precision, or a skipped test where this CPU has no instructions for it."""
    try:
        require_native(wanted)
    except EngineUnavailable as error:
        pytest.skip(str(error))
    return wanted


def variant(photo: Image, number: int) -> Image:
    """The photo turned, smaller, darker or brighter, blurred, or in a mirror: as unlike as one can make it."""
    rng = np.random.default_rng(number)
    height, width = photo.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-15, 15), rng.uniform(0.5, 0.9))
    changed = cv2.warpAffine(photo, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    changed = cv2.GaussianBlur(changed, (0, 0), rng.uniform(0.3, 2))
    changed = np.clip(255 * (changed / 255.0) ** rng.uniform(0.6, 1.6), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(changed[:, :: 1 if number % 2 else -1])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos to calibrate on: variants of those that come with packages, and one that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(34):
        name, photo = ("a", astronaut()) if number % 4 < 2 else ("h", hopper())
        (folder / f"{number:02}{name}.jpg").write_bytes(encode(variant(photo, number)))
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def cut(network: NetworkSpec, images: list[Image]) -> Crops:
    mtcnn, aligner = Mtcnn(OpenVinoNets(threads=2)), Aligner(network)
    return np.concatenate(
        [aligner.align(image, faces) for image, faces in zip(images, mtcnn.detect(images), strict=True)]
    )


@dataclass(frozen=True)
class Case:
    """A network, where its fp32 graph is, what it is calibrated on, other crops, and a cache."""

    spec: NetworkSpec
    ir: Path
    calibration: Path
    crops: Crops
    folder: Path

    def int8(self) -> Path:
        return quantised(self.spec, self.ir, self.calibration, self.folder, threads=2)

    def run(self, wanted: str) -> Floats:
        path = self.int8() if wanted == "int8" else self.ir
        return OpenVinoEngine(self.spec, path, threads=2, precision=wanted).run(self.crops)


@pytest.fixture(scope="module")
def large(resnet50: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The ResNet-50 with generated weights, on packaged photos."""
    folder = tmp_path_factory.mktemp("large")
    crops = cut(RESNET, [variant(photo, 100 + number) for photo in (astronaut(), hopper()) for number in range(6)])
    return Case(RESNET, converted(RESNET, resnet50, folder), photos, crops, folder)


@pytest.fixture(scope="module")
def small(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The published retail-0095, on LFW and on crowds."""
    settings = load(network="retail-0095", model_dir=shared / "models", detector={"threads": 2})
    finder = open_finder(settings, RETAIL)
    files = sorted((shared / "faces" / "lfw_deepfunneled").rglob("*.jpg"))[7::130]
    files += sorted((shared / "faces" / "wider_face").rglob("*.jpg"))[5::30]
    found = finder.find([Photo(file.read_bytes()) for file in files])
    finder.close()
    crops = np.concatenate([each.crops[:5] for each in found if isinstance(each, DetectedFaces)])
    ir = shared / "models" / "face-reidentification-retail-0095" / "FP16" / RETAIL.weights[0].name
    return Case(RETAIL, ir, shared / "faces" / "compreface", crops, tmp_path_factory.mktemp("small"))


@pytest.mark.parametrize("wanted", ["bf16", "int8"])
@pytest.mark.parametrize("name", ["small", "large"])
def test_it_agrees_with_fp32(name: str, wanted: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    exact, answer = case.run("fp32"), case.run(possible(wanted))
    found = agreement(exact, answer)
    print(f"{case.spec.name} in {wanted}: {found}")
    # Generated weights answer every face with much the same: what is left without that must agree as well. Weights of
    # half the range are twice as coarse, and so are off by twice as much: four times in 1 - cosine, were they all that is.
    own = exact.mean(axis=0)
    least = {"bf16": 0.998, "int8": 0.94 if narrow_weights() else 0.98}[wanted]
    assert agreement(exact - own, answer - own).mean >= least
    assert found.crops >= 12
    assert found.mean >= LEAST[wanted]
    assert found.least < 1  # it is not simply fp32 again


@pytest.mark.parametrize(("wanted", "least"), [("fp32", 0.99999), ("bf16", 0.999), ("fp16", 0.999)])
def test_keras_agrees_with_openvino(large: Case, resnet50: Path, wanted: str, least: float) -> None:
    engine = KerasEngine.of(RESNET, resnet50, threads=2, batch=4, precision=wanted)
    answer = engine.run(large.crops)
    assert answer.dtype == np.float32
    found = agreement(large.run("fp32"), answer)
    print(f"Keras in {wanted}: {found}")
    assert found.mean >= least
    assert (found.least < 0.9999999) == (wanted != "fp32")


@pytest.mark.parametrize("network", ["vggface2-senet50", "vggface-vgg16"])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_networks_average_and_answer_in_float32(network: str, policy: str) -> None:
    from facegroup.networks.vggface import build

    model = build(network, policy)
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.outputs[0].dtype == "float32"
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert {layer.compute_dtype for layer in convolutions} == {policy.removeprefix("mixed_")}


class TestWhatReallyRuns:
    @pytest.mark.parametrize(("wanted", "kind"), [("fp32", "f32"), ("bf16", "bf16"), ("int8", "i8")])
    def test_every_layer(self, large: Case, wanted: str, kind: str) -> None:
        path = large.int8() if possible(wanted) == "int8" else large.ir
        engine = OpenVinoEngine(RESNET, path, precision=wanted)
        assert set(executed(engine._request.get_compiled_model())) == {kind}

    def test_another_arithmetic_than_asked_for_is_refused(self, large: Case) -> None:
        compiled = OpenVinoEngine(RESNET, large.ir)._request.get_compiled_model()
        for wanted in ("bf16", "int8"):
            with pytest.raises(
                EngineUnavailable, match=rf"does not run x in {wanted} on this CPU \(layers: 53 in f32\)"
            ):
                require_executed(compiled, wanted, "x")

    @pytest.mark.parametrize("wanted", ["bf16", "int8"])
    def test_a_cpu_without_it_is_refused(self, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        flags = {"bf16": "avx2 avx512f avx512bw", "int8": "sse4_2 avx"}[wanted]
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\n")
        monkeypatch.setattr(precision, "_CPU_FLAGS", tmp_path / "cpuinfo")
        with pytest.raises(EngineUnavailable, match=f"no instructions for {wanted}"):
            open_embedder(load(network="retail-0095", cache_dir=tmp_path, embedder={"precision": wanted}))
        assert [path.name for path in tmp_path.iterdir()] == ["cpuinfo"]  # nothing was downloaded before

    @pytest.mark.skipif(os.uname().machine != "x86_64", reason="needs an x86 CPU")
    def test_a_cpu_that_says_nothing_of_itself_is_refused(self) -> None:
        """AVX2 only, as oneDNN can be told to pretend: the plugin ends with an error, or in fp32."""
        ran = subprocess.run(
            [sys.executable, "-c", ON_AVX2],
            env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.startswith("fp32 runs\nOpenVINO ")
        assert "in bf16 on this CPU" in ran.stdout


class TestQuantised:
    def test_it_is_made_once_and_its_agreement_told(self, large: Case, caplog: pytest.LogCaptureFixture) -> None:
        path = large.int8()
        with caplog.at_level(logging.INFO):
            assert large.int8() == path
        assert "quantising" not in caplog.text
        record = json.loads(path.with_name(quantization.RECORD).read_text())
        assert record["mean"] >= LEAST["int8"]
        assert record["calibrated_on"] + record["crops"] >= 30
        assert f"vggface2-resnet50 in int8: cosine to fp32 over {record['crops']} crops: mean 0.99" in caplog.text
        assert quantization.ready(RESNET, large.folder)
        assert not quantization.ready(RETAIL, large.folder)
        assert not list(large.folder.glob(".making*"))

    def test_a_server_needs_neither_the_photos_nor_nncf(self, large: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        path = large.int8()
        assert quantised(RESNET, large.ir, None, large.folder, 1) == path
        release = cache.release
        monkeypatch.setattr(cache, "release", lambda name: "absent" if name == "nncf" else release(name))
        assert quantised(RESNET, large.ir, None, large.folder, 1) == path
        assert large.int8() == path
        with pytest.raises(EngineUnavailable, match=r"pip install 'facegroup\[int8\]'"):
            quantised(RESNET, large.ir, large.calibration, large.folder / "other", 1)

    def test_weights_of_half_the_range_are_another_network_and_fit_into_16_bits(
        self, large: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A CPU of the other kind makes its own; where there are no dot products, no sum of two products overflows."""
        made, own, here = {}, large.int8(), narrow_weights()
        monkeypatch.setattr(precision, "_CPU_FLAGS", tmp_path / "cpuinfo")
        for flags, most in (("avx2", 64), ("avx2 avx_vnni", 127)):
            (tmp_path / "cpuinfo").write_text(f"flags\t: {flags}\n")
            assert quantization.ready(RESNET, large.folder) == (here == narrow_weights())
            if here == narrow_weights():
                assert quantised(RESNET, large.ir, None, large.folder, 1) == own
            else:
                with pytest.raises(InvalidSettings, match=r"needs embedder\.calibration"):
                    quantised(RESNET, large.ir, None, large.folder, 1)
            path = tmp_path / f"{most}.xml"
            quantization.quantise(RESNET, large.ir, large.crops[:4], path, lambda *_: None)
            made[most] = _largest_weight(path)
        assert made == {64: 64, 127: 127}

    def test_other_weights_are_another_network(self, large: Case, tmp_path: Path) -> None:
        large.int8()
        (tmp_path / "network.xml").write_bytes(large.ir.read_bytes())
        (tmp_path / "network.bin").write_bytes(large.ir.with_suffix(".bin").read_bytes() + b"\0")
        with pytest.raises(InvalidSettings, match=r"embedder\.precision int8 needs embedder\.calibration"):
            quantised(RESNET, tmp_path / "network.xml", None, large.folder, 1)

    def test_too_far_from_fp32_is_refused(self, large: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(quantization, "LEAST", {"int8": 1.01})
        with pytest.raises(EngineUnavailable, match=r"too far from fp32: cosine .* mean 0\.99\d+, .* at least 1\.01"):
            quantization.check(RESNET, large.ir, large.int8(), large.crops[:2], 2)

    @pytest.mark.parametrize("wanted", ["missing", "empty", "few"])
    def test_photos_that_do_not_do_are_refused(self, large: Case, tmp_path: Path, photos: Path, wanted: str) -> None:
        folder = tmp_path / wanted
        if wanted != "missing":
            folder.mkdir()
        if wanted == "few":
            (folder / "a.jpg").write_bytes((photos / "00a.jpg").read_bytes())
        says = {
            "missing": "does not exist",
            "empty": "should be a folder of photos",
            "few": "has only 1 faces in 1 of 1 photos. At least 30 are needed",
        }
        with pytest.raises(InvalidSettings, match=f"embedder.calibration .*{says[wanted]}"):
            quantised(RESNET, large.ir, folder, tmp_path / "cache", 1)
        assert not list((tmp_path / "cache").glob("*/"))


def _largest_weight(ir: Path) -> int:
    """Return the largest number that any layer's weights of 8 bits have."""
    import openvino

    model = openvino.Core().read_model(ir)
    constants = [node for node in model.get_ops() if node.get_type_name() == "Constant"]
    weights = [node.get_data() for node in constants if node.get_element_type() == openvino.Type.i8]
    assert len(weights) >= 53
    return max(int(np.abs(each.astype(int)).max()) for each in weights)


@pytest.mark.parametrize(
    ("network", "embedder", "error", "says"),
    [
        (
            "retail-0095",
            {"precision": "fp16"},
            EngineUnavailable,
            "openvino does not support fp16. Set precision to fp32, bf16",
        ),
        (
            "dlib-resnet29",
            {"precision": "bf16"},
            EngineUnavailable,
            "dlib does not support bf16. Set precision to fp32",
        ),
        (
            "vggface2-resnet50",
            {"precision": "int8", "engine": "keras"},
            EngineUnavailable,
            "keras does not support int8. Set precision to fp32, bf16, fp16",
        ),
    ],
)
def test_no_other_precision_is_taken(
    network: str, embedder: dict[str, str], error: type[FacegroupError], says: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=says):
        open_embedder(load(network=network, cache_dir=tmp_path, embedder=embedder))


def test_int8_without_photos_is_refused_by_the_settings_name(shared: Path, tmp_path: Path) -> None:
    possible("int8")
    settings = load(
        network="retail-0095", model_dir=shared / "models", cache_dir=tmp_path, embedder={"precision": "int8"}
    )
    with pytest.raises(InvalidSettings, match=r"needs embedder\.calibration"):
        open_embedder(settings)


def test_the_detector_on_keras_knows_fp32_only() -> None:
    with pytest.raises(EngineUnavailable, match="detector on keras does not support"):
        open_finder(load(detector={"engine": "keras", "precision": "bf16"}), RETAIL)


@pytest.mark.parametrize("wanted", ["bf16", "int8"])
def test_the_detector_finds_the_same_faces(wanted: str) -> None:
    images = [both(), *(variant(photo, number) for photo in (astronaut(), hopper()) for number in range(8))]
    exact = Mtcnn(OpenVinoNets(2)).detect(images)
    for one, other in zip(exact, Mtcnn(OpenVinoNets(2, possible(wanted))).detect(images), strict=True):
        sure, same = one[one.confidence >= 0.95], other[other.confidence >= 0.95]
        assert len(sure) == len(same)
        eyes = np.linalg.norm(sure.landmarks[:, 0] - sure.landmarks[:, 1], axis=-1)
        assert (np.linalg.norm(sure.landmarks - same.landmarks, axis=-1).mean(axis=1) / eyes < 0.06).all()
        assert (sure.confidence != same.confidence).all()  # it is not simply fp32 again


def test_the_detector_in_int8_proposes_what_it_does_in_fp32() -> None:
    exact, whole = OpenVinoNets(1), OpenVinoNets(1, possible("int8"))
    pixels, nothing = (
        centred(np.zeros((1, *CANVAS, 3), np.uint8)),
        np.zeros((1, CANVAS[0] - 2, CANVAS[1] - 2), np.float32),
    )
    pixels[0, :, :256] = centred(astronaut())[:256, :256]
    said = [nets.pnet(pixels, nothing, np.array([CANVAS[0]])) for nets in (exact, whole)]
    for one, other in zip(*said, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_detectors_ranges_are_those_of_photos() -> None:
    """But for the outermost: what is cut off is next to nothing, and what is left unused not much."""
    nets = Listening()
    Mtcnn(nets).detect([both(), *(variant(photo, number) for photo in (astronaut(), hopper()) for number in range(8))])
    for name, ranges in RANGES.items():
        layers = [np.concatenate(layer) for layer in zip(*nets.heard[name], strict=True)]
        assert len(layers) == len(ranges)
        for said, (least, most) in zip(layers, ranges, strict=True):
            assert ((said < least) | (said > most)).mean() < 1e-3
            assert said.min() < least / 2
            assert said.max() > most / 2


def test_a_row_that_is_no_number_agrees_with_nothing() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    same = agreement(rows, 3 * rows)
    assert (same.crops, round(same.mean, 6), round(same.least, 6)) == (4, 1, 1)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert same.strangers == pytest.approx((unit @ unit.T)[np.triu_indices(4, 1)].mean(), abs=1e-6)
    broken = 3 * rows
    broken[2, 3] = np.nan
    assert agreement(rows, broken).least == 0
    assert agreement(rows, broken).mean == pytest.approx(0.75)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_lfw_in_each_precision(shared: Path, small: Case) -> None:
    """The same crops in every precision; int8 is calibrated on other photos than LFW's."""
    folds = lfw.read_pairs(shared / "faces" / "lfw_protocol" / "pairs.txt")
    names = lfw.photos_of(folds)
    settings = load(network="retail-0095", model_dir=shared / "models", detector={"threads": 2})
    finder = open_finder(settings, RETAIL)
    crops: dict[str, Image] = {}
    for start in range(0, len(names), 32):
        part = names[start : start + 32]
        found = finder.find([Photo((shared / "faces" / "lfw_deepfunneled" / name).read_bytes()) for name in part])
        for name, each in zip(part, found, strict=True):
            if isinstance(each, DetectedFaces) and len(each.faces):
                crops[name] = each.crops[lfw.central(each.faces, each.width, each.height)]
    finder.close()
    stacked = np.stack(list(crops.values()))
    told: dict[str, lfw.Accuracy] = {}
    for wanted in ("fp32", "bf16", "int8"):
        engine = {"precision": possible(wanted), "threads": 2, "calibration": small.calibration}
        embedder = open_embedder(
            load(network="retail-0095", model_dir=shared / "models", cache_dir=small.folder.parent, embedder=engine)
        )
        rows = dict.fromkeys(names, np.zeros(RETAIL.dimension, np.float32))
        rows |= dict(zip(crops, embedder.embed(stacked), strict=True))
        told[wanted] = lfw.accuracy([lfw.similarities(fold, rows) for fold in folds])
        print(f"LFW, ten folds, retail-0095 in {wanted}: {told[wanted]}")
    assert told["bf16"].mean >= told["fp32"].mean - 0.001
    assert told["int8"].mean >= told["fp32"].mean - 0.003
