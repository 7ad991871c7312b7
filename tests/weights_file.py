"""Weights files for tests, in the layout of keras-vggface's release: random, seeded, and tame."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from facegroup.networks.vggface import release_name

Layers = dict[str, dict[str, np.ndarray[Any, np.dtype[np.float32]]]]
"""Arrays by the release's layer name and the variable's name."""


def random_layers(model: Any, seed: int = 0) -> Layers:
    """Return weights for every layer of a model.

    Kernels keep the variance of what passes (He initialisation), so that activations neither vanish nor explode in a
    deep network; the last normalisation of a residual branch is damped, as branches are added up.
    """
    rng = np.random.default_rng(seed)
    layers: Layers = {}
    for layer in model.layers:
        arrays = {}
        for variable in layer.weights:
            shape = tuple(variable.shape)
            match variable.name:
                case "kernel":
                    array = rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
                case "gamma":
                    array = rng.uniform(0.8, 1.2, shape) * (0.3 if "increase" in layer.name else 1)
                case "moving_variance":
                    array = rng.uniform(0.5, 1.5, shape)
                case _:
                    array = rng.normal(0, 0.1, shape)
            if variable.name == "kernel" and layer.name in ("conv1_7x7_s2", "conv1_1"):
                array /= 60  # the first layer meets pixels of a standard deviation of about 60
            arrays[variable.name] = array.astype(np.float32)
        if arrays:
            layers[release_name(layer.name)] = arrays
    return layers


def write(path: Path, layers: Layers) -> Path:
    """Write layers as Keras 2 did: groups nest where a name holds ``/``, and layers without weights are named too."""
    with h5py.File(path, "w") as file:
        names = ["input_1", *layers, "activation_1", "avg_pool"]
        file.attrs["layer_names"] = np.array([name.encode() for name in names])
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.0.6"
        for name in names:
            group = file.require_group(name)
            arrays = layers.get(name, {})
            group.attrs["weight_names"] = np.array([f"{name}/{variable}:0".encode() for variable in arrays] or [], "S")
            for variable, array in arrays.items():
                group.create_dataset(f"{name}/{variable}:0", data=array)
    return path


def generate(path: Path, network: str, seed: int = 0) -> Path:
    """Write a weights file for one of keras-vggface's networks."""
    from facegroup.networks.vggface import build

    return write(path, random_layers(build(network), seed))
