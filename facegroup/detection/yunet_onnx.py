"""Run YuNet with ONNX Runtime, on a GPU with CUDA or on a CPU."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from facegroup.detection.yunet_anchors import OUTPUTS
from facegroup.detection.yunet_copies import CELL
from facegroup.detection.yunet_spec import YunetSpec
from facegroup.engines.onnx_runtime import NAME, open_session, said
from facegroup.errors import WeightsInvalid
from facegroup.types import Floats, Image


class OnnxYunet:
    """`YunetNet` on ONNX Runtime, in fp32.

    Args:
        spec: the network.
        path: its ONNX file.
        device: ``cpu`` or ``gpu:N``.
        threads: compute threads on a CPU.

    Raises:
        EngineUnavailable: onnxruntime is not installed, or CUDA does not start. The CPU is never used instead.
        WeightsInvalid: the file cannot be read.
    """

    name = NAME
    lanes = 1

    def __init__(self, spec: YunetSpec, path: Path, device: str = "cpu", threads: int = 1) -> None:
        self.device = device
        # CUDA chooses its kernels anew for each size, so there are fewer of them, and more in a batch.
        self.step = CELL if device == "cpu" else 4 * CELL
        self.pixels = (1 << 20) if device == "cpu" else (1 << 24)
        self._spec = spec
        self._path = path
        self._session = open_session(path, device, threads)
        self._input = self._session.get_inputs()[0].name

    @contextmanager
    def inferred(self, pixels: Image) -> Iterator[Sequence[Floats]]:
        """See `YunetNet`."""
        try:
            yield self._session.run(list(OUTPUTS), {self._input: self._network_input(pixels)})
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "onnxruntime":
                raise
            raise WeightsInvalid(f"{self._path} cannot be used as {self._spec.name}: {said(error)}") from error

    def _network_input(self, pixels: Image) -> Floats:
        spec = self._spec
        planes = pixels.transpose(0, 3, 1, 2)
        planes = planes[:, ::-1] if spec.channels == "BGR" else planes
        given = np.ascontiguousarray(planes, np.float32)
        if any(spec.mean):
            given -= np.array(spec.mean, np.float32).reshape(3, 1, 1)
        if spec.divisor != (1.0, 1.0, 1.0):
            given /= np.array(spec.divisor, np.float32).reshape(3, 1, 1)
        return given
