"""Run an ONNX file with ONNX Runtime, on a GPU with CUDA or on a CPU."""

from pathlib import Path
from typing import Any

import numpy as np

from facegroup.engines.batch_sizes import BUCKETS, batches, buckets
from facegroup.engines.onnx_runtime import NAME, open_session, said
from facegroup.errors import WeightsInvalid
from facegroup.networks import onnx_file
from facegroup.networks.pixels import network_pixels
from facegroup.networks.spec import NetworkSpec
from facegroup.types import Crops, Floats


class OnnxEngine:
    """`Engine` on ONNX Runtime, in the precision of the file.

    Args:
        spec: the network.
        path: its ONNX file.
        device: ``cpu`` or ``gpu:N``.
        threads: compute threads on a CPU.
        batch: most crops in one call.

    Raises:
        EngineUnavailable: onnxruntime is not installed, or CUDA does not start.
        WeightsInvalid: the file cannot be read or does not fit the network.
    """

    name = NAME

    def __init__(
        self, spec: NetworkSpec, path: Path, device: str = "cpu", threads: int = 1, batch: int = BUCKETS[-1]
    ) -> None:
        self._fit = onnx_file.fit(onnx_file.inspect(path), spec)
        self._session = open_session(path, device, threads)
        self.device = device
        self._spec = spec
        self._path = path
        self._sizes = buckets(batch, spec.batch) if self._fit.batch is None else (self._fit.batch,)
        if self._fit.batch is None and spec.batch > 1 and not self._takes_one():
            self._sizes = (spec.batch,)  # its graph names that size somewhere

    def run(self, crops: Crops) -> Floats:
        """Return the raw embeddings of (n, s, s, 3) uint8 RGB crops as (n, d) float32, not normalised."""
        out = np.empty((len(crops), self._spec.dimension), np.float32)
        start = 0
        for batch, real in batches(crops, self._sizes):
            out[start : start + real] = self._forward(batch)[:real]
            start += real
        return out

    def warm(self) -> None:
        """Run every batch size once."""
        for size in self._sizes:
            self.run(np.zeros((size, self._spec.size, self._spec.size, 3), np.uint8))

    def _forward(self, batch: Crops) -> Floats:
        try:
            rows = self._answer(batch)
        except Exception as error:  # its errors have no common base but this
            hint = " It takes one: set batch to 1." if len(batch) > 1 and self._takes_one() else ""
            raise WeightsInvalid(f"{self._path} cannot take {len(batch)} crops at once: {said(error)}{hint}") from error
        if np.size(rows) != len(batch) * self._spec.dimension:
            raise WeightsInvalid(
                f"{self._path} gives numbers of shape {np.shape(rows)} for {len(batch)} crops, but {self._spec.name} has "
                f"{self._spec.dimension} a face. Set batch to 1 or dimension to what it gives."
            )
        return np.asarray(rows, np.float32).reshape(len(batch), -1)

    def _takes_one(self) -> bool:
        try:
            self._answer(np.zeros((1, self._spec.size, self._spec.size, 3), np.uint8))
        except Exception:
            return False
        return True

    def _answer(self, batch: Crops) -> Any:
        pixels = network_pixels(batch, self._spec, self._fit.layout)
        given = pixels.astype(np.float16) if self._fit.half else pixels
        return self._session.run([self._fit.output], {self._fit.input: given})[0]
