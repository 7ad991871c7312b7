"""Loading the release's weights files: by name, completely, and every fault by the name of its layer."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from facegroup.errors import WeightsInvalid
from facegroup.networks.vggface import build
from facegroup.networks.vggface_weights import load_weights
from tests.weights_file import Layers, random_layers, write


@pytest.fixture(scope="module")
def model() -> Any:
    return build("vggface2-resnet50")


@pytest.fixture(scope="module")
def layers(model: Any) -> Layers:
    return random_layers(model, seed=3)


def test_every_weight_goes_to_its_own_layer(model: Any, layers: Layers, tmp_path: Path) -> None:
    backwards = dict(reversed(layers.items()))  # the order in the file means nothing
    load_weights(model, write(tmp_path / "w.h5", backwards))
    for layer in model.layers:
        for variable in layer.weights:
            name = {"conv1_7x7_s2": "conv1/7x7_s2"}.get(layer.name.removesuffix("_bn"), layer.name.removesuffix("_bn"))
            expected = layers[name + "/bn" if layer.name.endswith("_bn") else name][variable.name]
            np.testing.assert_array_equal(variable.numpy(), expected)


@pytest.mark.parametrize("network", ["vggface2-resnet50", "vggface2-senet50", "vggface-vgg16"])
def test_every_network_gets_what_keras_own_loading_gives_it(network: str, tmp_path: Path) -> None:
    ours, theirs = build(network), build(network)
    layers = random_layers(ours)
    load_weights(ours, write(tmp_path / "w.h5", layers))
    renamed = {name.replace("/", "_"): arrays for name, arrays in layers.items()}
    write(tmp_path / "renamed.h5", renamed)
    theirs.load_weights(tmp_path / "renamed.h5", by_name=True)
    for given, expected in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(given.numpy(), expected.numpy())
    if network == "vggface-vgg16":  # the quickest to run
        pixels = np.random.default_rng(0).normal(0, 60, (1, 224, 224, 3)).astype(np.float32)
        outputs = [model(pixels, training=False).numpy() for model in (ours, theirs)]
        np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-5, atol=1e-5)
        assert 0.1 < outputs[0].std() < 100  # the generator's weights neither vanish nor explode


def test_a_whole_saved_model_is_read_as_well(model: Any, layers: Layers, tmp_path: Path) -> None:
    write(tmp_path / "w.h5", layers)
    with h5py.File(tmp_path / "w.h5") as old, h5py.File(tmp_path / "model.h5", "w") as new:
        old.copy(old["/"], new, name="model_weights")
    load_weights(model, tmp_path / "model.h5")


@pytest.mark.parametrize(
    "names",
    [
        {"kernel": "conv2_1_3x3_W:0"},
        {"kernel": "conv2_1_3x3_1/kernel_3:0"},
        {"kernel": "param_17"},
    ],
    ids=["Keras 1", "numbered", "saying nothing"],
)
def test_other_spellings_of_a_variable_are_read(
    model: Any, layers: Layers, tmp_path: Path, names: dict[str, str]
) -> None:
    write(tmp_path / "w.h5", layers)
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        group = file["conv2_1_3x3"]
        group.move("conv2_1_3x3/kernel:0", names["kernel"])
        group.attrs["weight_names"] = [names["kernel"].encode()]
    load_weights(model, tmp_path / "w.h5")
    kernel = model.get_layer("conv2_1_3x3").kernel
    np.testing.assert_array_equal(kernel.numpy(), layers["conv2_1_3x3"]["kernel"])


def without(name: str) -> Callable[[Layers], object]:
    return lambda layers: layers.pop(name)


def changed(name: str, variable: str, change: Callable[[Any], Any]) -> Callable[[Layers], object]:
    def apply(layers: Layers) -> None:
        layers[name] = layers[name] | {variable: change(layers[name][variable].copy())}

    return apply


def one(value: float) -> Callable[[Any], Any]:
    def put(array: Any) -> Any:
        array.flat[5] = value
        return array

    return put


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (without("conv3_2_1x1_reduce/bn"), r"has no layer conv3_2_1x1_reduce/bn"),
        (without("conv1/7x7_s2"), r"has no layer conv1/7x7_s2"),
        (
            lambda layers: layers.update({"conv6/extra": {"kernel": np.ones((1, 1), np.float32)}}),
            "has not: conv6/extra",
        ),
        (
            changed("conv2_1_3x3", "kernel", lambda kernel: kernel[:1]),
            r"layer conv2_1_3x3: kernel has the shape \(1, 3, 64, 64\), expected \(3, 3, 64, 64\)",
        ),
        (changed("conv1/7x7_s2/bn", "gamma", one(np.nan)), "layer conv1/7x7_s2/bn: gamma has numbers that are not"),
        (changed("conv5_3_3x3", "kernel", one(np.inf)), "layer conv5_3_3x3: kernel has numbers that are not finite"),
        (changed("conv4_1_3x3/bn", "moving_variance", one(-1)), "layer conv4_1_3x3/bn: moving_variance has negative"),
        (
            lambda layers: layers["conv4_1_3x3/bn"].pop("beta"),
            r"layer conv4_1_3x3/bn has .*gamma:0, .*expected gamma, beta, moving_mean, moving_variance",
        ),
        (
            lambda layers: layers["conv4_1_3x3"].update(bias=np.zeros(256, np.float32)),
            r"layer conv4_1_3x3 has .*bias:0, expected kernel",
        ),
    ],
    ids=["no norm", "no first", "extra", "shape", "nan", "infinite", "variance", "no beta", "a bias"],
)
def test_a_fault_is_named_with_its_layer(
    model: Any, layers: Layers, tmp_path: Path, fault: Callable[[Layers], object], message: str
) -> None:
    faulty = {name: dict(arrays) for name, arrays in layers.items()}
    fault(faulty)
    with pytest.raises(WeightsInvalid, match=message):
        load_weights(model, write(tmp_path / "w.h5", faulty))


def test_two_swapped_layers_of_one_shape_are_kept_apart(model: Any, layers: Layers, tmp_path: Path) -> None:
    swapped = dict(layers)
    a, b = "conv2_1_1x1_proj", "conv2_1_1x1_increase"
    swapped[a], swapped[b] = layers[b], layers[a]
    load_weights(model, write(tmp_path / "w.h5", swapped))
    kernel = model.get_layer(a).kernel.numpy()
    np.testing.assert_array_equal(kernel, layers[b]["kernel"])


class TestDamaged:
    def test_a_truncated_file(self, model: Any, resnet50: Path, tmp_path: Path) -> None:
        path = Path(shutil.copy(resnet50, tmp_path / "w.h5"))
        with path.open("r+b") as file:
            file.truncate(10_000_000)
        with pytest.raises(WeightsInvalid, match=r"w\.h5 is not a Keras weights file, or is damaged: .*truncated"):
            load_weights(model, path)

    @pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x89HDF\r\n\x1a\n"])
    def test_what_is_no_hdf5(self, model: Any, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "w.h5"
        path.write_bytes(content)
        with pytest.raises(WeightsInvalid, match="is not a Keras weights file"):
            load_weights(model, path)

    def test_hdf5_of_something_else(self, model: Any, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file["data"] = np.zeros(3)
        with pytest.raises(WeightsInvalid, match="is not a Keras weights file"):
            load_weights(model, tmp_path / "w.h5")

    def test_another_networks_file(self, resnet50: Path) -> None:
        with pytest.raises(WeightsInvalid, match="has no layer conv1_1"):
            load_weights(build("vggface-vgg16"), resnet50)
