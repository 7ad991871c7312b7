"""Build keras-vggface's networks on Keras 3.

keras-vggface 0.6 was written for Keras 2: it imports modules that no longer exist, and names layers with ``/``, which
Keras 3 refuses. Its code is run unchanged, with stand-ins for those modules while it is loaded, and with layer constructors
that write ``_`` for ``/``. Neither Keras nor `sys.modules` stays changed.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from facegroup.errors import EngineUnavailable, UnknownNetwork
from facegroup.networks.registry import spec

ARCHITECTURES = {"vggface2-resnet50": "RESNET50", "vggface2-senet50": "SENET50", "vggface-vgg16": "VGG16"}
"""The function of keras-vggface that builds each network."""

_SPATIAL = ("Conv2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D")
_OTHER = ("Activation", "BatchNormalization", "Reshape", "Permute", "Flatten", "Dense")

# sys.modules belongs to the process: two threads must not install stand-ins at the same time.
_IMPORTING = threading.Lock()


def build(network: str, policy: str = "float32") -> Any:
    """Return a network of keras-vggface as a `keras.Model`, without weights, with average pooling instead of its top.

    Its input is (n, 224, 224, 3) float32, BGR minus the mean, and its output (n, d) float32. The layout is channels-last and
    the precision `policy`, regardless of Keras's configuration.

    Args:
        network: its name.
        policy: Keras's name of the precision: ``float32``, or ``mixed_bfloat16`` or ``mixed_float16``, with which weights
            and the final average stay float32.

    Raises:
        UnknownNetwork: keras-vggface does not have the network.
        EngineUnavailable: keras or keras-vggface is not installed.
    """
    if network not in ARCHITECTURES:
        raise UnknownNetwork(f"keras-vggface has no network {network!r}. Choose one of {', '.join(ARCHITECTURES)}.")
    size = spec(network).size
    make = getattr(_architectures(policy), ARCHITECTURES[network])
    return make(include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg")


def release_name(layer: str) -> str:
    """Return the name of a layer in keras-vggface's release, with ``/`` instead of Keras 3's ``_``."""
    stem, suffix = (layer.removesuffix("_bn"), "/bn") if layer.endswith("_bn") else (layer, "")
    return ("conv1/7x7_s2" if stem == "conv1_7x7_s2" else stem) + suffix


def _architectures(policy: str) -> ModuleType:
    """Load keras_vggface/models.py as a module that only the caller has."""
    try:
        from keras import layers
    except ImportError as error:
        raise EngineUnavailable(f"The engine keras cannot start: {error}") from error
    with _IMPORTING:
        package = find_spec("keras_vggface")
        if package is None or not package.submodule_search_locations:
            raise EngineUnavailable(
                "The engine keras needs the package keras-vggface. Run: pip install keras-vggface==0.6"
            )
        source = spec_from_file_location(
            "facegroup_keras_vggface", Path(package.submodule_search_locations[0]) / "models.py"
        )
        if source is None or source.loader is None:
            raise EngineUnavailable("The package keras-vggface has no models.py. Reinstall it.")
        module = module_from_spec(source)
        with _stand_ins():
            source.loader.exec_module(module)
    for name in (*_SPATIAL, *_OTHER):
        fixed = {"data_format": "channels_last"} if name in _SPATIAL else {}
        # SE blocks average within the network too; float32 costs nothing there.
        dtype = "float32" if name.startswith("Global") else policy
        setattr(module, name, _plain(getattr(layers, name), dtype=dtype, **fixed))
    vars(module)["K"] = _stub("K", image_data_format=lambda: "channels_last")
    return module


def _plain(constructor: Callable[..., Any], **fixed: str) -> Callable[..., Any]:
    def make(*args: Any, name: str | None = None, **kwargs: Any) -> Any:
        return constructor(*args, name=name and name.replace("/", "_"), **{**fixed, **kwargs})

    return make


def _stub(name: str, **attributes: object) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(attributes)
    return module


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Add stand-ins to sys.modules for the modules that Keras 3 lacks, while keras-vggface is loaded."""
    stubs = {
        "keras.engine": _stub("keras.engine"),
        "keras.engine.topology": _stub("keras.engine.topology", get_source_inputs=None),
        "keras.utils.layer_utils": _stub("keras.utils.layer_utils"),
        "keras.utils.data_utils": _stub("keras.utils.data_utils", get_file=None),
        "keras_applications": _stub("keras_applications"),
        "keras_applications.imagenet_utils": _stub(
            "keras_applications.imagenet_utils", _obtain_input_shape=lambda input_shape, **_: input_shape
        ),
        # Its own package also imports parts of Keras 2, but its models need only the URLs of the weights.
        "keras_vggface": _stub("keras_vggface", utils=_stub("keras_vggface.utils")),
    }
    before = {name: sys.modules.get(name) for name in stubs}
    sys.modules.update(stubs)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
