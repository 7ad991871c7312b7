"""MTCNN's networks on Keras 3: on a GPU, or on the CPU of any backend. One compiled function per network and shape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegroup.networks.buckets import batches
from facegroup.networks.keras_runtime import Backend
from facegroup.networks.mtcnn_nets import NOTHING, Layer, Layers, Net, layers
from facegroup.pyramid import CHANNELS
from facegroup.types import Floats

CANVAS = (512, 1024)
"""A GPU wants much work in one call, and the canvases of a batch go in together."""

BUCKETS: dict[Net, tuple[int, ...]] = {"pnet": (1, 2, 4, 8), "rnet": (32, 128, 512), "onet": (16, 64, 256)}


class KerasNets:
    """`Nets` on Keras.

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

    def pnet(self, canvases: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """See `Nets`."""
        boxes, scores = self._run("pnet", canvases)
        return scores, boxes

    def rnet(self, crops: Floats) -> tuple[Floats, Floats]:
        """See `Nets`."""
        boxes, scores = self._run("rnet", crops)
        return scores, boxes

    def onet(self, crops: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Nets`."""
        boxes, landmarks, scores = self._run("onet", crops)
        return scores, boxes, landmarks

    def warm(self) -> None:
        """See `Nets`."""
        for name, sizes in BUCKETS.items():
            side = layers(name).side
            shape = (side, side, 3) if side else (*CANVAS, CHANNELS)
            for size in sizes:
                self._run(name, np.zeros((size, *shape), np.float32))

    def _run(self, name: Net, pixels: Floats) -> list[Floats]:
        with self._backend.place():
            parts = [
                [output[:real] for output in self._forward[name](batch)]
                for batch, real in batches(pixels, BUCKETS[name])
            ]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def _float(pixels: Any) -> Any:
    from keras import ops

    return ops.cast(pixels, "float32")


def _model(net: Layers) -> Any:
    """Build one network: outputs are the regressions, then the face probability."""
    import keras
    from keras import ops

    side = net.side or None
    pixels = keras.Input((side, side, 3 if side else CHANNELS))
    node = pixels
    for layer in net.trunk:
        node = node - _nothing(pixels) if layer.kind == "nothing" else _layer(layer)(node)
    *regressions, (kernel, bias) = net.heads
    outputs = [_dense(head)(node) for head in regressions]
    difference = _dense((kernel[..., 1:] - kernel[..., :1], bias[1:] - bias[:1]))(node)
    return keras.Model(pixels, [*outputs, ops.squeeze(ops.sigmoid(difference), -1)])


def _nothing(canvases: Any) -> Any:
    """Return what to take from a 3×3 convolution of canvases (n, h, w, 4) so that a pool passes over it."""
    import keras

    return keras.layers.MaxPooling2D(3, 1, "valid")(canvases[..., 3:]) * NOTHING


def _layer(layer: Layer) -> Any:
    import keras

    match layer.kind:
        case "conv" | "dense":
            return _dense((layer.weights[0], layer.weights[1]))
        case "prelu":
            return lambda node: _prelu(node, layer.weights[0])
        case "nothing":
            raise AssertionError("it needs the canvases")
        case "pool":
            return keras.layers.MaxPooling2D(layer.size, 2, "same" if layer.same else "valid")
        case "flatten":
            # The package flattens (w, h, c): its weights come from a column-major toolbox.
            return keras.Sequential([keras.layers.Permute((2, 1, 3)), keras.layers.Flatten()])


def _prelu(node: Any, slope: Floats) -> Any:
    from keras import ops

    return ops.maximum(node, 0) + ops.minimum(node, 0) * slope


def _dense(weights: tuple[Floats, Floats]) -> Any:
    """Return a dense or convolutional layer that has these weights already."""
    import keras

    kernel, bias = weights
    start = {
        "kernel_initializer": keras.initializers.Constant(kernel),
        "bias_initializer": keras.initializers.Constant(bias),
    }
    if kernel.ndim == 2:
        return keras.layers.Dense(kernel.shape[1], **start)
    return keras.layers.Conv2D(kernel.shape[3], kernel.shape[:2], **start)
