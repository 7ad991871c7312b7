"""Run a network on a CPU with OpenVINO.

The network is an OpenVINO IR, either published or converted from Keras (conversion.py). Channel order, mean and layout are
part of the graph, so its input is bytes. TensorFlow and Keras are never imported here.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from facegroup.engines.batch_sizes import BUCKETS, PADDING, batches, buckets
from facegroup.engines.precision import compiled_for, require_native
from facegroup.errors import EngineUnavailable, WeightsInvalid
from facegroup.networks.spec import NetworkSpec
from facegroup.types import Crops, Floats

# Crops per thread in one inference. More are no faster on a CPU, and small networks fall out of its caches: a core runs
# retail-0095 at 145 faces/s in fp32 batches of 4 and 117 in batches of 32; in int8 at 354 in 4 and 375 in 8
# (docs/performance.md).
_FACES_PER_THREAD = {"fp32": 4, "bf16": 4, "int8": 8}


class OpenVinoEngine:
    """`Engine` on a network compiled for this machine's CPU.

    Args:
        spec: the network.
        path: its IR (.xml, with the .bin beside it); for int8 a quantised one (quantization.py).
        threads: compute threads.
        batch: most crops in one inference. A few per thread are enough, so larger batches are split.
        precision: fp32, bf16 or int8.

    Raises:
        EngineUnavailable: openvino is not installed, or cannot run in this precision on this CPU.
        WeightsInvalid: the IR cannot be read or belongs to another network.
    """

    name = "openvino"
    device = "cpu"

    def __init__(
        self, spec: NetworkSpec, path: Path, threads: int = 1, batch: int = BUCKETS[-1], precision: str = "fp32"
    ) -> None:
        require_native(precision)
        core, model, layout = opened(spec, path)
        self._spec = spec
        self._sizes = buckets(min(batch, _FACES_PER_THREAD[precision] * threads))
        graph = with_preprocessing(model, spec, layout)
        self._request = compiled_for(core, graph, precision, threads, spec.name).create_infer_request()

    def run(self, crops: Crops) -> Floats:
        """Return the raw embeddings of (n, s, s, 3) uint8 RGB crops as (n, d) float32, not normalised."""
        out = np.empty((len(crops), self._spec.dimension), np.float32)
        start = 0
        for batch, real in batches(crops, self._sizes, PADDING):
            result = self._request.infer({0: batch}, share_inputs=True, share_outputs=True)[0]
            out[start : start + real] = result.reshape(len(batch), -1)[:real]
            start += real
        return out

    def warm(self) -> None:
        """Run every batch size once, because the CPU plugin prepares its kernels at the first inference of each shape."""
        for size in self._sizes:
            self.run(np.zeros((size, self._spec.size, self._spec.size, 3), np.uint8))


def opened(spec: NetworkSpec, path: Path) -> tuple[Any, Any, Literal["NCHW", "NHWC"]]:
    """Return OpenVINO's core, a network's IR for any number of crops, and the layout of its float32 input.

    Raises:
        EngineUnavailable: openvino is not installed.
        WeightsInvalid: the IR cannot be read or belongs to another network.
    """
    try:
        import openvino
    except ImportError as error:
        raise EngineUnavailable("The engine openvino needs the package openvino. Run: pip install openvino") from error
    core = openvino.Core()
    layout: Literal["NCHW", "NHWC"]
    try:
        model = core.read_model(path)
        layout = "NCHW" if model.input().partial_shape[1] == 3 else "NHWC"
        side = (3, spec.size, spec.size) if layout == "NCHW" else (spec.size, spec.size, 3)
        model.reshape([-1, *side])
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise WeightsInvalid(f"{path} cannot be used as {spec.name}: {last}") from error
    dimension = int(np.prod([axis.get_length() for axis in list(model.output().partial_shape)[1:]]))
    if dimension != spec.dimension:
        raise WeightsInvalid(f"{path} has {dimension} numbers per face, but {spec.name} has {spec.dimension}.")
    return core, model, layout


def with_preprocessing(model: Any, spec: NetworkSpec, layout: str) -> Any:
    """Return the IR with uint8 RGB crops (n, s, s, 3) as its input, with channel order, mean and layout in the graph."""
    import openvino
    from openvino.preprocess import ColorFormat, PrePostProcessor

    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().tensor().set_color_format(ColorFormat.RGB)
    steps.input().model().set_layout(openvino.Layout(layout))
    change = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    if spec.channels == "BGR":
        change = change.convert_color(ColorFormat.BGR)
    if any(spec.mean):
        change.mean(list(spec.mean))
    return steps.build()
