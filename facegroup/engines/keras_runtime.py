"""Keras 3 on whichever backend is chosen (KERAS_BACKEND): a device is checked, a model becomes one compiled function.

`predict` is never used: it costs tens of milliseconds a call.
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
"""Arrays in, such as uint8 pixels, and every output of the model out."""


class Backend:
    """Keras on one device.

    Args:
        device: ``cpu`` or ``gpu:N``.
        threads: compute threads on a CPU. They belong to the process: only its first engine can set them.

    Raises:
        EngineUnavailable: keras or its backend is not installed, or the device is not there. The CPU never takes the
            place of a missing GPU.
    """

    def __init__(self, device: str, threads: int) -> None:
        try:
            import keras
        except ImportError as error:
            raise EngineUnavailable(f"the engine keras cannot start: {error}") from error
        self.name = keras.backend.backend()
        if self.name not in ("tensorflow", "jax"):
            raise EngineUnavailable(f"the engine keras runs on tensorflow or jax; KERAS_BACKEND is {self.name}")
        self.device = device
        (_on_tensorflow if self.name == "tensorflow" else _on_jax)(device, threads)

    def place(self) -> AbstractContextManager[Any]:
        """Make what is created or run inside live on the device."""
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
            network_input: from the arrays to what the model takes; it becomes a part of the function.
        """
        return (_tensorflow if self.name == "tensorflow" else _jax)(model, network_input, self.gpu)


def _tensorflow(model: Any, network_input: Callable[..., Any], gpu: bool) -> Forward:
    import keras
    import tensorflow

    # On two cores XLA makes 16 to 21 faces/s of the ResNet-50, TensorFlow's own kernels 18 to 22.
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
