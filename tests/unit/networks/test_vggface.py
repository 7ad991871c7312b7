"""The architecture code of keras-vggface on Keras 3, and that nothing of how that is done stays behind."""

import os
import subprocess
import sys
import threading

import pytest

from facegroup.errors import UnknownNetwork
from facegroup.networks.registry import spec
from facegroup.networks.vggface import ARCHITECTURES, build, release_name

PARAMETERS = {"vggface2-resnet50": 23_561_152, "vggface2-senet50": 26_092_144, "vggface-vgg16": 14_714_688}

LEAVES_NOTHING = """
import sys, keras
from facegroup.networks.vggface import build
before, attributes, layer = set(sys.modules), set(dir(keras.utils)), keras.layers.Conv2D
build("vggface-vgg16")
stand_ins = {"keras.engine", "keras.engine.topology", "keras.utils.layer_utils", "keras.utils.data_utils"}
added = set(sys.modules) - before
assert not stand_ins & set(sys.modules), stand_ins & set(sys.modules)
assert not [name for name in added if name.startswith(("keras_", "facegroup_"))], added
for name in added:
    assert getattr(sys.modules[name], "__file__", None) or getattr(sys.modules[name], "__spec__", None), name
assert set(dir(keras.utils)) == attributes
assert keras.layers.Conv2D is layer
try:
    keras.layers.Conv2D(1, 1, name="a/b")
except ValueError:
    print("clean")
"""


@pytest.mark.parametrize("network", ARCHITECTURES)
def test_a_network_is_what_the_registry_says(network: str) -> None:
    model = build(network)
    assert model.count_params() == PARAMETERS[network]
    assert model.input_shape == (None, spec(network).size, spec(network).size, 3)
    assert model.output_shape == (None, spec(network).dimension)


def test_every_other_network_is_refused() -> None:
    with pytest.raises(UnknownNetwork, match="keras-vggface has no network 'retail-0095'"):
        build("retail-0095")


def test_names_are_the_releases_again() -> None:
    names = {release_name(layer.name) for layer in build("vggface2-senet50").layers if layer.weights}
    expected = {"conv1/7x7_s2", "conv1/7x7_s2/bn", "conv2_1_3x3", "conv5_3_1x1_increase/bn", "conv4_1_1x1_proj/bn"}
    assert expected | {"conv2_1_1x1_down", "conv5_3_1x1_up"} <= names


def test_nothing_stays_behind() -> None:
    light = os.environ | {"KERAS_BACKEND": "openvino"}  # the quickest to import
    ran = subprocess.run([sys.executable, "-c", LEAVES_NOTHING], capture_output=True, text=True, check=False, env=light)
    assert ran.stdout.strip() == "clean", ran.stderr


def test_a_module_of_the_same_name_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    own = object()
    monkeypatch.setitem(sys.modules, "keras_applications", own)
    build("vggface-vgg16")
    assert sys.modules["keras_applications"] is own


def test_threads_may_build_at_once() -> None:
    built: list[int] = []
    threads = [threading.Thread(target=lambda: built.append(build("vggface-vgg16").count_params())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [PARAMETERS["vggface-vgg16"]] * 4
    assert "keras.engine.topology" not in sys.modules
