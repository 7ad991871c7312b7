"""Run a Keras network on TensorFlow or JAX, on a CPU or a GPU.

Channel order and mean are part of the compiled function. KERAS_BACKEND chooses the backend. `predict` is not used because it
costs tens of milliseconds per call.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np

from facegroup.engines.batch_sizes import BUCKETS, batches, buckets
from facegroup.engines.keras_runtime import Backend
from facegroup.errors import EngineUnavailable
from facegroup.networks.spec import NetworkSpec
from facegroup.types import Crops, Floats

_POLICIES = {"fp32": "float32", "bf16": "mixed_bfloat16", "fp16": "mixed_float16"}


class KerasEngine:
    """`Engine` on a compiled Keras model.

    Args:
        spec: the network.
        make: returns the `keras.Model`, from the network's float32 input to (n, d). It is called when the device is set up,
            so that the weights are created there.
        device: ``cpu`` or ``gpu:N``.
        threads: compute threads on a CPU. Only the first engine of a process can set them.
        batch: most crops in one call.

    Raises:
        EngineUnavailable: keras or its backend is not installed, or the device does not exist. The CPU is never used
            instead of a missing GPU.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        make: Callable[[], Any],
        device: str = "cpu",
        threads: int = 1,
        batch: int = BUCKETS[-1],
    ) -> None:
        self._backend = Backend(device, threads)
        self.name = f"keras-{self._backend.name}"
        self.device = device
        self._spec = spec
        self._sizes = buckets(batch)
        with self._backend.place():
            self._forward = self._backend.compiled(make(), lambda crops: _network_input(crops, spec))

    @classmethod
    def of(
        cls,
        spec: NetworkSpec,
        weights: Path,
        device: str = "cpu",
        threads: int = 1,
        batch: int = BUCKETS[-1],
        precision: str = "fp32",
    ) -> Self:
        """Return the engine for a network of keras-vggface with the weights of a released file.

        With bf16 and fp16, the pixels minus the mean, the stored weights and the embeddings stay float32.

        Raises:
            EngineUnavailable: as the class, or the precision is not supported.
            WeightsInvalid: the file is damaged or belongs to another network.
        """
        if precision not in _POLICIES:
            raise EngineUnavailable(
                f"The engine keras does not support {precision}. Set precision to {', '.join(_POLICIES)}."
            )

        def make() -> Any:
            from facegroup.networks.vggface import build
            from facegroup.networks.vggface_weights import load_weights

            model = build(spec.name, _POLICIES[precision])
            load_weights(model, weights)
            return model

        return cls(spec, make, device, threads, batch)

    def run(self, crops: Crops) -> Floats:
        """Return the raw embeddings of (n, s, s, 3) uint8 RGB crops as (n, d) float32, not normalised."""
        out = np.empty((len(crops), self._spec.dimension), np.float32)
        start = 0
        with self._backend.place():
            for batch, real in batches(crops, self._sizes):
                out[start : start + real] = self._forward(batch)[0][:real]
                start += real
        return out

    def warm(self) -> None:
        """Compile and run every batch size once."""
        for size in self._sizes:
            self.run(np.zeros((size, self._spec.size, self._spec.size, 3), np.uint8))


def _network_input(crops: Any, spec: NetworkSpec) -> Any:
    from keras import ops

    pixels = ops.cast(crops, "float32")
    if spec.channels == "BGR":
        pixels = ops.flip(pixels, axis=-1)
    centred = pixels - ops.convert_to_tensor(np.asarray(spec.mean, np.float32))
    return centred / ops.convert_to_tensor(np.asarray(spec.scale, np.float32)) if set(spec.scale) != {1.0} else centred
