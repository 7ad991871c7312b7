"""keras-vggface's networks on Keras 3: a network's name goes in, a Keras model comes out, and a weights file into it.

keras-vggface 0.6 was written for Keras 2: it imports modules that are gone, and names layers with ``/``, which Keras 3
refuses. Its architecture code is run as it is, with stand-ins for those modules while it is loaded and layer
constructors that write ``_`` for ``/``. Nothing of that stays behind, in Keras or in `sys.modules`.
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
"""keras-vggface's function for each network."""

_SPATIAL = ("Conv2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D")
_OTHER = ("Activation", "BatchNormalization", "Reshape", "Permute", "Flatten", "Dense")

# sys.modules is one for the whole process: two threads must not put stand-ins there at once.
_IMPORTING = threading.Lock()


def build(network: str, policy: str = "float32") -> Any:
    """Return keras-vggface's network, without weights, its top replaced by average pooling, as a `keras.Model`.

    It takes (n, 224, 224, 3) float32, BGR less the mean, and gives (n, d) float32. The layout is channels-last and the
    arithmetic `policy`, whatever Keras's configuration says.

    Args:
        network: its name.
        policy: Keras's name of the arithmetic: ``float32``, or ``mixed_bfloat16`` or ``mixed_float16``, where weights
            and the final average stay float32.

    Raises:
        UnknownNetwork: the network is none of keras-vggface's.
        EngineUnavailable: keras or keras-vggface is not installed.
    """
    if network not in ARCHITECTURES:
        raise UnknownNetwork(f"keras-vggface has no {network!r}; it has {', '.join(ARCHITECTURES)}")
    size = spec(network).size
    make = getattr(_architectures(policy), ARCHITECTURES[network])
    return make(include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg")


def release_name(layer: str) -> str:
    """Return the name that a layer has in keras-vggface's release, with ``/`` where Keras 3 has ``_``."""
    stem, suffix = (layer.removesuffix("_bn"), "/bn") if layer.endswith("_bn") else (layer, "")
    return ("conv1/7x7_s2" if stem == "conv1_7x7_s2" else stem) + suffix


def _architectures(policy: str) -> ModuleType:
    """Load keras_vggface/models.py as a module of nobody but the caller."""
    try:
        from keras import layers
    except ImportError as error:
        raise EngineUnavailable(f"the engine keras cannot start: {error}") from error
    with _IMPORTING:
        package = find_spec("keras_vggface")
        if package is None or not package.submodule_search_locations:
            raise EngineUnavailable("the engine keras needs the package keras-vggface: pip install keras-vggface==0.6")
        source = spec_from_file_location(
            "facegroup_keras_vggface", Path(package.submodule_search_locations[0]) / "models.py"
        )
        if source is None or source.loader is None:
            raise EngineUnavailable("the package keras-vggface has no models.py: install it anew")
        module = module_from_spec(source)
        with _stand_ins():
            source.loader.exec_module(module)
    for name in (*_SPATIAL, *_OTHER):
        fixed = {"data_format": "channels_last"} if name in _SPATIAL else {}
        # SE blocks average as well, within the network; that costs nothing in float32.
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
    """Put the modules that Keras 3 has not into sys.modules, for as long as keras-vggface is loaded."""
    stubs = {
        "keras.engine": _stub("keras.engine"),
        "keras.engine.topology": _stub("keras.engine.topology", get_source_inputs=None),
        "keras.utils.layer_utils": _stub("keras.utils.layer_utils"),
        "keras.utils.data_utils": _stub("keras.utils.data_utils", get_file=None),
        "keras_applications": _stub("keras_applications"),
        "keras_applications.imagenet_utils": _stub(
            "keras_applications.imagenet_utils", _obtain_input_shape=lambda input_shape, **_: input_shape
        ),
        # Its own package imports Keras 2's parts as well, and its models need only its weights' addresses.
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
