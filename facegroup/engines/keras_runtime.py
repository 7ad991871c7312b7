"""Run models on Keras 3 with the backend in KERAS_BACKEND, each as one compiled function on a checked device.

`predict` is not used because it costs tens of milliseconds per call.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import numpy as np

from facegroup.errors import EngineUnavailable
from facegroup.types import Floats

log = logging.getLogger(__name__)

Forward: TypeAlias = Callable[..., list[Floats]]
"""Function from a model's input arrays to all of its outputs."""


class Backend:
    """Keras on one device.

    Args:
        device: ``cpu`` or ``gpu:N``.
        threads: compute threads on a CPU. Only the first engine of a process can set them.

    Raises:
        EngineUnavailable: keras or its backend is not installed, or the device does not exist. The CPU is never used
            instead of a missing GPU.
    """

    def __init__(self, device: str, threads: int) -> None:
        try:
            import keras
        except ImportError as error:
            raise EngineUnavailable(f"The engine keras cannot start: {error}") from error
        self.name = keras.backend.backend()
        if self.name not in ("tensorflow", "jax"):
            raise EngineUnavailable(f"The engine keras runs on tensorflow or jax, but KERAS_BACKEND is {self.name}.")
        self.device = device
        (_on_tensorflow if self.name == "tensorflow" else _on_jax)(device, threads)

    def place(self) -> AbstractContextManager[Any]:
        """Return a context in which models are created and run on the device."""
        import keras

        context: AbstractContextManager[Any] = keras.device(self.device if self.gpu else "cpu:0")
        return context

    @property
    def gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.startswith("gpu")

    def compiled(self, model: Any, network_input: Callable[..., Any]) -> Forward:
        """Return a model as one function, compiled once per shape.

        Args:
            model: a `keras.Model`.
            network_input: converts the arrays to the model's input, as part of the compiled function.
        """
        return (_tensorflow if self.name == "tensorflow" else _jax)(model, network_input, self.gpu)


def _tensorflow(model: Any, network_input: Callable[..., Any], gpu: bool) -> Forward:
    import keras
    import tensorflow

    # On two cores, the ResNet-50 runs 16 to 21 faces/s with XLA and 18 to 22 with TensorFlow's own kernels.
    @tensorflow.function(jit_compile=gpu, autograph=False)  # type: ignore[untyped-decorator]
    def forward(*inputs: Any) -> Any:
        return keras.tree.flatten(model(network_input(*inputs), training=False))

    # A constant and not the array itself: arrays are part of a trace's key by value, tensors by shape.
    return lambda *inputs: [np.asarray(each) for each in forward(*map(tensorflow.constant, inputs))]


def _jax(model: Any, network_input: Callable[..., Any], gpu: bool) -> Forward:
    del gpu  # compiled on every device
    import jax
    import keras

    trainable = [variable.value for variable in model.trainable_variables]
    fixed = [variable.value for variable in model.non_trainable_variables]

    @jax.jit  # type: ignore[untyped-decorator]
    def forward(trainable: Any, fixed: Any, *inputs: Any) -> Any:
        return keras.tree.flatten(model.stateless_call(trainable, fixed, network_input(*inputs), training=False)[0])

    return lambda *inputs: [np.asarray(each) for each in forward(trainable, fixed, *inputs)]


def _on_tensorflow(device: str, threads: int) -> None:
    try:
        import tensorflow
    except ImportError as error:
        raise EngineUnavailable(f"The engine keras cannot start: {error}") from error
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
            log.warning(
                "TensorFlow already runs in this process with %s threads. It cannot be set to %s.", have, threads
            )


def _on_jax(device: str, threads: int) -> None:
    del threads  # XLA's CPU client has no such option; it uses all cores available to the process
    import jax

    try:
        cards = len(jax.devices("gpu")) if device.startswith("gpu") else 0
    except RuntimeError:
        cards = 0
    _require(device, cards)


def _require(device: str, cards: int) -> None:
    if device != "cpu" and int(device.removeprefix("gpu:")) >= cards:
        raise EngineUnavailable(f"The device {device} does not exist: this process sees {cards} GPUs.")
