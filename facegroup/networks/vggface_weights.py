"""Load keras-vggface's released weights from an old Keras HDF5 file into a model, layer by layer.

Layers are matched by name, not by order: ``…_1x1_proj`` and ``…_1x1_increase`` have the same shape, so a swap would not be
noticed.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import WeightsInvalid
from facegroup.networks.vggface import release_name

Weights: TypeAlias = list[tuple[str, NDArray[np.float32]]]
"""The arrays of one layer with their names in the file, in the file's order."""

# ``conv1/7x7_s2/kernel:0`` is a name from Keras 2, ``conv1_1_W_1:0`` one from Keras 1.
_VARIABLE = re.compile(
    r"(?:^|[/_])(kernel|W|bias|b|gamma|beta|moving_mean|running_mean|moving_variance|running_std)(?:_\d+)?(?::\d+)?$"
)
_KERAS_1 = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance"}


def load_weights(model: Any, path: Path) -> None:
    """Fill a model of `vggface.build` with the weights of a released file (.h5).

    The file must have exactly the layers with weights of the model, with the same shapes and finite numbers.

    Raises:
        WeightsInvalid: the file is damaged or belongs to another network; the message has the layer's name in the release.
    """
    Release(path).into(model)


class Release:
    """The contents of one weights file, read completely and without Keras.

    Args:
        path: the file.

    Raises:
        WeightsInvalid: it is not a Keras weights file, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        import h5py

        self._path = path
        self._layers: dict[str, tuple[str, Weights]] = {}
        try:
            with h5py.File(path) as file:
                root = file if "layer_names" in file.attrs or "model_weights" not in file else file["model_weights"]
                for layer in _names(root, "layer_names"):
                    group = root[layer]
                    arrays = [(name, np.asarray(group[name], np.float32)) for name in _names(group, "weight_names")]
                    if arrays:
                        self._layers[layer.replace("/", "_")] = (layer, arrays)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise WeightsInvalid(f"{path} is not a Keras weights file, or is damaged: {error}") from error

    def into(self, model: Any) -> None:
        """Assign every array to its layer of a `keras.Model`.

        Raises:
            WeightsInvalid: see `load_weights`.
        """
        left = dict(self._layers)
        for layer in model.layers:
            if not layer.weights:
                continue
            name = release_name(layer.name)
            if layer.name not in left:
                raise WeightsInvalid(f"{self._path} has no layer {name}.")
            _, arrays = left.pop(layer.name)
            for variable, array in _matched(layer, arrays, f"{self._path}: layer {name}"):
                variable.assign(array)
        if left:
            others = ", ".join(name for name, _ in left.values())
            raise WeightsInvalid(f"{self._path} has layers that {model.name} does not have: {others}.")


def _names(group: Any, attribute: str) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]]


def _matched(layer: Any, arrays: Weights, where: str) -> Iterator[tuple[Any, NDArray[np.float32]]]:
    """Pair a layer's variables with the file's arrays, after checking all of them."""
    expected = {variable.name: variable for variable in layer.weights}
    given = dict(_variables(list(expected), arrays))
    if len(given) != len(arrays) or given.keys() != expected.keys():
        has = ", ".join(name for name, _ in arrays)
        raise WeightsInvalid(f"{where} has {has}, expected {', '.join(expected)}.")
    for name, variable in expected.items():
        array = given[name]
        if array.shape != tuple(variable.shape):
            raise WeightsInvalid(f"{where}: {name} has the shape {array.shape}, expected {tuple(variable.shape)}.")
        if not np.isfinite(array).all():
            raise WeightsInvalid(f"{where}: {name} has numbers that are not finite.")
        if name == "moving_variance" and (array < 0).any():
            raise WeightsInvalid(f"{where}: {name} has negative numbers.")
    return ((variable, given[name]) for name, variable in expected.items())


def _variables(expected: list[str], arrays: Weights) -> Iterator[tuple[str, NDArray[np.float32]]]:
    matches = [_VARIABLE.search(name) for name, _ in arrays]
    for index, (match, (_, array)) in enumerate(zip(matches, arrays, strict=True)):
        if any(matches):
            name = match.group(1) if match else ""
            yield _KERAS_1.get(name, name), array
        else:
            # No name is recognised, but the format keeps a layer's arrays in the order of its variables.
            yield (expected[index] if index < len(expected) else ""), array
