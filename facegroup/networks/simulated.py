"""A network on a device that is not there: it takes a fixed time for a batch, asleep, and answers with made-up numbers.

For measuring what is around the networks (docs/scaling.md): how many replicas the processes between them can feed. Chosen
by name only (`embedder.engine: simulated`), never by `auto`, and /readyz says `simulated`.
"""

import math
import time

import numpy as np

from facegroup.networks.spec import NetworkSpec
from facegroup.types import Crops, Floats

NAME = "simulated"
_KINDS = 256


class Device:
    """Something that works on a batch for a fixed time and costs this machine nothing meanwhile.

    Args:
        milliseconds: for a batch.
        batch: most items of a batch; more are several batches, one after the other.
    """

    def __init__(self, milliseconds: float, batch: int) -> None:
        self._seconds = milliseconds / 1000
        self._batch = batch

    def work(self, items: int) -> None:
        """Take the time of so many items."""
        time.sleep(math.ceil(items / self._batch) * self._seconds)


class SimulatedEngine:
    """An `Engine` that looks at the first byte of a crop only: the same crop has the same embedding.

    Args:
        spec: the network that it stands for; its dimension is that of the embeddings.
        batch: most crops of a batch.
        milliseconds: for a batch.
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
        """There is nothing to warm."""
