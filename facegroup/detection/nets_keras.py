"""Run MTCNN's networks on Keras 3, on a GPU or a CPU, with one compiled function per network and shape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegroup.detection.nets import MASKED, Layer, Layers, Net, layers
from facegroup.detection.pyramid import KERNEL
from facegroup.engines.batch_sizes import batches
from facegroup.engines.keras_runtime import Backend
from facegroup.types import Floats

CANVAS = (512, 1024)
"""Large, because a GPU needs much work per call; the canvases of a batch are processed together."""

BUCKETS: dict[Net, tuple[int, ...]] = {"pnet": (1, 2, 4, 8), "rnet": (32, 128, 512), "onet": (16, 64, 256)}


class KerasNets:
    """Implementation of `Nets` on Keras.

    Args:
        device: ``cpu`` or ``gpu:N``.
        threads: compute threads on a CPU.

    Raises:
        EngineUnavailable: as `Backend`.
    """

    canvas = CANVAS
    lanes = 1

    def __init__(self, device: str, threads: int) -> None:
        self._backend = Backend(device, threads)
        self.name = f"keras-{self._backend.name}"
        self.device = device
        with self._backend.place():
            self._forward = {name: self._backend.compiled(_model(layers(name)), _float) for name in BUCKETS}

    @property
    def lane(self) -> "KerasNets":
        """See `Nets`."""
        return self

    def pnet(self, canvases: Floats, mask: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """See `Nets`."""
        outputs = self._run("pnet", canvases, mask[..., None])
        return outputs[..., 4], outputs[..., :4]

    def rnet(self, crops: Floats) -> tuple[Floats, Floats]:
        """See `Nets`."""
        outputs = self._run("rnet", crops)
        return outputs[:, 4], outputs[:, :4]

    def onet(self, crops: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Nets`."""
        outputs = self._run("onet", crops)
        return outputs[:, 14], outputs[:, :4], outputs[:, 4:14]

    def warm(self) -> None:
        """See `Nets`."""
        for name, sizes in BUCKETS.items():
            side = layers(name).side
            shapes = [(side, side, 3)] if side else [(*CANVAS, 3), (*(each - KERNEL + 1 for each in CANVAS), 1)]
            for size in sizes:
                self._run(name, *(np.zeros((size, *shape), np.float32) for shape in shapes))

    def _run(self, name: Net, *inputs: Floats) -> Floats:
        """Run a network over inputs of equal length, in padded batches."""
        outputs = []
        with self._backend.place():
            for cut in zip(*(batches(each, BUCKETS[name]) for each in inputs), strict=True):
                parts, (real, *_) = zip(*cut, strict=True)
                outputs.append(self._forward[name](*parts)[0][:real])
        return np.concatenate(outputs)


def _float(*inputs: Any) -> Any:
    from keras import ops

    return [ops.cast(each, "float32") for each in inputs]


def _model(net: Layers) -> Any:
    """Build one network. Its output has the regressions first, then the log-odds of a face."""
    import keras

    side = net.side or None
    inputs = [keras.Input((side, side, 3))]
    if any(layer.kind == "mask" for layer in net.trunk):
        inputs.append(keras.Input((None, None, 1)))
    node = inputs[0]
    for layer in net.trunk:
        node = node - inputs[1] * MASKED if layer.kind == "mask" else _layer(layer)(node)
    return keras.Model(inputs, _dense(net.head)(node))


def _layer(layer: Layer) -> Any:
    import keras

    match layer.kind:
        case "conv" | "dense":
            return _dense((layer.weights[0], layer.weights[1]))
        case "prelu":
            return lambda node: _prelu(node, layer.weights[0])
        case "mask":
            raise AssertionError("a mask needs the second input")
        case "pool":
            return keras.layers.MaxPooling2D(layer.size, 2, "same" if layer.same else "valid")
        case "flatten":
            # The package flattens (w, h, c): its weights come from a column-major toolbox.
            return keras.Sequential([keras.layers.Permute((2, 1, 3)), keras.layers.Flatten()])


def _prelu(node: Any, slope: Floats) -> Any:
    from keras import ops

    return ops.maximum(node, 0) + ops.minimum(node, 0) * slope


def _dense(weights: tuple[Floats, Floats]) -> Any:
    """Return a dense or convolutional layer with these weights."""
    import keras

    kernel, bias = weights
    start = {
        "kernel_initializer": keras.initializers.Constant(kernel),
        "bias_initializer": keras.initializers.Constant(bias),
    }
    if kernel.ndim == 2:
        return keras.layers.Dense(kernel.shape[1], **start)
    return keras.layers.Conv2D(kernel.shape[3], kernel.shape[:2], **start)
