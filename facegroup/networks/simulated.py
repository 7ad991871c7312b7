"""Simulate a network: sleep for a fixed time per batch and return made-up embeddings.

It measures everything around the networks, such as how many replicas the other processes can feed (docs/scaling.md). It is
only used if chosen by name (`embedder.engine: simulated`), never by `auto`, and /readyz shows `simulated`.
"""

import math
import time

import numpy as np

from facegroup.networks.spec import NetworkSpec
from facegroup.types import Crops, Floats

NAME = "simulated"
_KINDS = 256


class Device:
    """Simulated device that takes a fixed time per batch without using this machine's processor.

    Args:
        milliseconds: time per batch.
        batch: most items in a batch. More items are several batches, one after the other.
    """

    def __init__(self, milliseconds: float, batch: int) -> None:
        self._seconds = milliseconds / 1000
        self._batch = batch

    def work(self, items: int) -> None:
        """Sleep for the time that `items` items take."""
        time.sleep(math.ceil(items / self._batch) * self._seconds)


class SimulatedEngine:
    """`Engine` that only uses the first byte of a crop, so that the same crop has the same embedding.

    Args:
        spec: the simulated network, which sets the dimension of the embeddings.
        batch: most crops in a batch.
        milliseconds: time per batch.
    """

    name = NAME
    device = NAME

    def __init__(self, spec: NetworkSpec, batch: int, milliseconds: float) -> None:
        self._device = Device(milliseconds, batch)
        self._embeddings = np.random.default_rng(0).normal(size=(_KINDS, spec.dimension)).astype(np.float32)

    def run(self, crops: Crops) -> Floats:
        """Return made-up embeddings of (n, s, s, 3) crops as (n, d) float32, n ≥ 1."""
        self._device.work(len(crops))
        return self._embeddings[crops[:, 0, 0, 0]]

    def warm(self) -> None:
        """Do nothing."""
