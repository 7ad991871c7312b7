"""Runs a Keras network on TensorFlow or JAX, on a CPU or a GPU: uint8 RGB crops go in, raw embeddings come out.

Channel order and mean are part of the compiled function. The backend is Keras's own choice (KERAS_BACKEND). `predict`
is never used: it costs tens of milliseconds a call.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import numpy as np

from facegroup.errors import EngineUnavailable
from facegroup.networks.base import NetworkSpec
from facegroup.networks.buckets import BUCKETS, batches, buckets
from facegroup.types import Crops, Floats

log = logging.getLogger(__name__)


class KerasEngine:
    """One Keras model, compiled.

    Args:
        spec: what the network is.
        make: returns the `keras.Model`, from float32 of the network's own input to (n, d); called once the device is
            set up, so that its weights are made there.
        device: ``cpu`` or ``gpu:N``.
        threads: compute threads on a CPU. They belong to the process: only its first engine can set them.
        batch: most crops in one call.

    Raises:
        EngineUnavailable: keras or its backend is not installed, or the device is not there. The CPU never takes the
            place of a missing GPU.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        make: Callable[[], Any],
        device: str = "cpu",
        threads: int = 1,
        batch: int = BUCKETS[-1],
    ) -> None:
        try:
            import keras
        except ImportError as error:
            raise EngineUnavailable(f"the engine keras cannot start: {error}") from error
        backend = keras.backend.backend()
        if backend not in ("tensorflow", "jax"):
            raise EngineUnavailable(f"the engine keras runs on tensorflow or jax; KERAS_BACKEND is {backend}")
        self.name = f"keras-{backend}"
        self.device = device
        self._spec = spec
        self._sizes = buckets(batch)
        gpu = device.startswith("gpu")
        prepare, compile_ = (_on_tensorflow, _tensorflow) if backend == "tensorflow" else (_on_jax, _jax)
        prepare(device, threads)
        self._place: Callable[[], AbstractContextManager[Any]] = lambda: keras.device(device if gpu else "cpu:0")
        with self._place():
            model = make()
            self._forward = compile_(model, lambda crops: _network_input(crops, spec), gpu)

    @classmethod
    def of(
        cls, spec: NetworkSpec, weights: Path, device: str = "cpu", threads: int = 1, batch: int = BUCKETS[-1]
    ) -> Self:
        """Return the engine of one of keras-vggface's networks with the weights of a release's file.

        Raises:
            WeightsInvalid: the file is damaged or another network's.
        """

        def make() -> Any:
            from facegroup.networks.release import load_weights
            from facegroup.networks.vggface import build

            model = build(spec.name)
            load_weights(model, weights)
            return model

        return cls(spec, make, device, threads, batch)

    def run(self, crops: Crops) -> Floats:
        """Return the raw embeddings of (n, s, s, 3) uint8 RGB crops as (n, d) float32, not normalised."""
        out = np.empty((len(crops), self._spec.dimension), np.float32)
        start = 0
        with self._place():
            for batch, real in batches(crops, self._sizes):
                out[start : start + real] = self._forward(batch)[:real]
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
    return pixels - ops.convert_to_tensor(np.asarray(spec.mean, np.float32))


def _tensorflow(model: Any, network_input: Callable[[Any], Any], gpu: bool) -> Callable[[Crops], Floats]:
    import tensorflow

    # On two cores XLA makes 16 to 21 faces/s of the ResNet-50, TensorFlow's own kernels 18 to 22.
    @tensorflow.function(jit_compile=gpu, autograph=False)  # type: ignore[untyped-decorator]
    def forward(crops: Any) -> Any:
        return model(network_input(crops), training=False)

    # A constant and not the array itself: arrays are part of a trace's key by value, tensors by shape.
    return lambda crops: np.asarray(forward(tensorflow.constant(crops)))


def _jax(model: Any, network_input: Callable[[Any], Any], gpu: bool) -> Callable[[Crops], Floats]:
    del gpu  # compiled on every device
    import jax

    trainable = [variable.value for variable in model.trainable_variables]
    fixed = [variable.value for variable in model.non_trainable_variables]

    @jax.jit  # type: ignore[untyped-decorator]
    def forward(trainable: Any, fixed: Any, crops: Any) -> Any:
        return model.stateless_call(trainable, fixed, network_input(crops), training=False)[0]

    return lambda crops: np.asarray(forward(trainable, fixed, crops))


def _on_tensorflow(device: str, threads: int) -> None:
    try:
        import tensorflow
    except ImportError as error:
        raise EngineUnavailable(f"the engine keras cannot start: {error}") from error
    cards = tensorflow.config.list_physical_devices("GPU")
    _require(device, len(cards))
    try:
        for card in cards:
            tensorflow.config.experimental.set_memory_growth(card, True)
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        have = tensorflow.config.threading.get_intra_op_parallelism_threads()
        if have != threads:
            log.warning("TensorFlow runs already in this process, with %s threads: %s are not set", have, threads)


def _on_jax(device: str, threads: int) -> None:
    del threads  # XLA's CPU client takes no number; it uses the cores that the process may use
    import jax

    try:
        cards = len(jax.devices("gpu")) if device.startswith("gpu") else 0
    except RuntimeError:
        cards = 0
    _require(device, cards)


def _require(device: str, cards: int) -> None:
    if device != "cpu" and int(device.removeprefix("gpu:")) >= cards:
        raise EngineUnavailable(f"the device {device} is not there: this process sees {cards} GPUs")
