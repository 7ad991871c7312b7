"""Run MiniFASNet V2 and V1SE on a CPU with OpenVINO: patches of faces in, how live each is out.

The networks are those of minivision-ai/Silent-Face-Anti-Spoofing (Apache-2.0), as exported to ONNX in
yakhyo/face-anti-spoofing. Their three classes are two kinds of attack and, between them, a live face. The authors add the
softmax of both networks.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegroup.engines.batch_sizes import PADDING, batches, buckets
from facegroup.engines.precision import compiled_for
from facegroup.errors import WeightsInvalid
from facegroup.liveness.patches import SIDE
from facegroup.types import Floats

SCALES = (2.7, 4.0)
"""Factor by which a face's box is enlarged for each network: V2, then V1SE."""

_LIVE = 1
_CLASSES = 3
_PER_THREAD = 8  # faces of an inference: more are no faster


class MiniFasNet:
    """Class that says how live faces are. Any thread may use it; they take turns.

    Args:
        paths: the ONNX files of V2 and V1SE.
        threads: compute threads.
        precision: fp32 or bf16.

    Raises:
        WeightsInvalid: a file cannot be read or is another network.
        EngineUnavailable: OpenVINO cannot run in this precision on this CPU.
    """

    name = "minifasnet"
    engine = "openvino"

    def __init__(self, paths: Sequence[Path], threads: int, precision: str) -> None:
        import openvino

        core = openvino.Core()
        self.precision = precision
        self._sizes = buckets(_PER_THREAD * threads)
        self._lock = threading.Lock()
        self._requests = [
            compiled_for(core, _opened(core, path), precision, threads, path.stem).create_infer_request()
            for path in paths
        ]
        if not np.isfinite(self.scores(np.zeros((1, len(SCALES), SIDE, SIDE, 3), np.uint8))).all():
            raise WeightsInvalid(
                f"{', '.join(map(str, paths))} return numbers that are not finite. Download them again."
            )

    def scores(self, patches: NDArray[np.uint8]) -> Floats:
        """Return how live n faces are, in 0..1: the mean of both networks' probability of a live face.

        Args:
            patches: (n, 2, 80, 80, 3) uint8 RGB: each face cut out by each of `SCALES`.

        Returns:
            (n,) float32.
        """
        with self._lock:
            each = [self._live(request, patches[:, index]) for index, request in enumerate(self._requests)]
        return np.asarray(np.mean(each, axis=0), np.float32).reshape(len(patches))

    def warm(self) -> None:
        """Run every batch size once, because the CPU plugin prepares its kernels at the first inference of each shape."""
        for size in self._sizes:
            self.scores(np.zeros((size, len(SCALES), SIDE, SIDE, 3), np.uint8))

    def _live(self, request: Any, patches: NDArray[np.uint8]) -> NDArray[np.float64]:
        out = [np.empty(0)]
        for batch, real in batches(patches, self._sizes, PADDING):
            outputs = request.infer({0: batch}, share_inputs=True, share_outputs=True)[0][:real].astype(np.float64)
            odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            out.append(odds[:, _LIVE] / odds.sum(axis=1))
        return np.concatenate(out)


def _opened(core: Any, path: Path) -> Any:
    """Return a network for any number of faces, with uint8 RGB patches (n, 80, 80, 3) as its input."""
    import openvino
    from openvino.preprocess import ColorFormat, PrePostProcessor

    try:
        model = core.read_model(path)
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise WeightsInvalid(
                f"{path} has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not one of each."
            )
        model.reshape([-1, 3, SIDE, SIDE])
        shape = model.output().partial_shape
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise WeightsInvalid(f"{path} cannot be used as MiniFASNet: {last}") from error
    if str(shape) != f"[?,{_CLASSES}]":
        raise WeightsInvalid(f"{path} is not MiniFASNet: its output is {shape}, not {_CLASSES} classes for each face.")
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().tensor().set_color_format(ColorFormat.RGB)
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).convert_color(ColorFormat.BGR)
    return steps.build()
