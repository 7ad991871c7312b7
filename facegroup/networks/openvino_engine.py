"""Run a network on a CPU with OpenVINO.

The network is an ONNX file, or an OpenVINO IR, either published or converted from Keras (conversion.py). Channel order,
mean, scale and layout are part of the graph, so its input is bytes. TensorFlow and Keras are never imported here.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from facegroup.engines.batch_sizes import BUCKETS, PADDING, batches, buckets
from facegroup.engines.onnx_runtime import said
from facegroup.engines.precision import compiled_for, require_native
from facegroup.errors import EngineUnavailable, WeightsInvalid
from facegroup.networks.spec import NetworkSpec
from facegroup.types import Crops, Floats

# Crops per thread in one inference. More are no faster on a CPU, and small networks fall out of its caches: a core runs
# retail-0095 at 145 faces/s in fp32 batches of 4 and 117 in batches of 32; in int8 at 354 in 4 and 375 in 8
# (docs/performance.md).
_FACES_PER_THREAD = {"fp32": 4, "bf16": 4, "int8": 8}


@dataclass(frozen=True, slots=True)
class Opened:
    """A network that OpenVINO has read.

    Attributes:
        core: OpenVINO's core.
        model: the model, for any number of crops, or for `batch`.
        layout: order of its input's dimensions.
        output: index of the output with the descriptors.
        batch: crops in one inference, if its graph allows no other number; None if any.
    """

    core: Any
    model: Any
    layout: Literal["NCHW", "NHWC"]
    output: int
    batch: int | None


class OpenVinoEngine:
    """`Engine` on a network compiled for this machine's CPU.

    Args:
        spec: the network.
        path: its ONNX file, or its IR (.xml, with the .bin beside it); for int8 a quantised one (quantization.py).
        threads: compute threads.
        batch: most crops in one inference. A few per thread are enough, so larger batches are split.
        precision: fp32, bf16 or int8.

    Raises:
        EngineUnavailable: openvino is not installed, or cannot run in this precision on this CPU.
        WeightsInvalid: the file cannot be read or belongs to another network.
    """

    name = "openvino"
    device = "cpu"

    def __init__(
        self, spec: NetworkSpec, path: Path, threads: int = 1, batch: int = BUCKETS[-1], precision: str = "fp32"
    ) -> None:
        require_native(precision)
        network = opened(spec, path)
        self._spec = spec
        self._output = network.output
        few = min(batch, _FACES_PER_THREAD[precision] * threads)
        self._sizes = buckets(few, spec.batch) if network.batch is None else (network.batch,)
        graph = with_preprocessing(network.model, spec, network.layout)
        self._request = compiled_for(network.core, graph, precision, threads, spec.name).create_infer_request()

    def run(self, crops: Crops) -> Floats:
        """Return the raw embeddings of (n, s, s, 3) uint8 RGB crops as (n, d) float32, not normalised."""
        out = np.empty((len(crops), self._spec.dimension), np.float32)
        start = 0
        for batch, real in batches(crops, self._sizes, PADDING):
            result = self._request.infer({0: batch}, share_inputs=True, share_outputs=True)[self._output]
            if result.size != len(batch) * self._spec.dimension:
                raise WeightsInvalid(
                    f"{self._spec.name} gives numbers of shape {result.shape} for {len(batch)} crops, not "
                    f"{self._spec.dimension} a face. Set batch to 1, or dimension to what it gives."
                )
            out[start : start + real] = result.reshape(len(batch), -1)[:real]
            start += real
        return out

    def warm(self) -> None:
        """Run every batch size once, because the CPU plugin prepares its kernels at the first inference of each shape."""
        for size in self._sizes:
            self.run(np.zeros((size, self._spec.size, self._spec.size, 3), np.uint8))


def opened(spec: NetworkSpec, path: Path) -> Opened:
    """Return a network's ONNX file or IR, for any number of crops if its graph allows that.

    Raises:
        EngineUnavailable: openvino is not installed.
        WeightsInvalid: the file cannot be read or belongs to another network.
    """
    try:
        import openvino
    except ImportError as error:
        raise EngineUnavailable("The engine openvino needs the package openvino. Run: pip install openvino") from error
    core = openvino.Core()
    try:
        model = core.read_model(path)
        if len(model.inputs) != 1:
            raise WeightsInvalid(f"{path} has {len(model.inputs)} inputs. A network of faces has one, the crop.")
        shape = model.input().partial_shape
        own = shape[0].get_length() if shape.rank.is_static and len(shape) and shape[0].is_static else None
        # A graph that was made for one batch may name its size somewhere: then it runs in batches of that size.
        fixed = [each for each in dict.fromkeys((spec.batch, own)) if each]
        tried: list[int | None] = [*fixed] if spec.batch and spec.batch in (1, own) else [None, *fixed]
        for batch in tried[:-1]:
            with suppress(WeightsInvalid, RuntimeError):
                return _shaped(core, model, path, spec, batch)
            model = core.read_model(path)  # the try has changed it
        return _shaped(core, model, path, spec, tried[-1])
    except RuntimeError as error:
        raise WeightsInvalid(f"{path} cannot be used as {spec.name}: {said(error)}") from error


def _shaped(core: Any, model: Any, path: Path, spec: NetworkSpec, batch: int | None) -> Opened:
    shape, size = model.input().partial_shape, spec.size
    layout: Literal["NCHW", "NHWC"] = "NHWC" if len(shape) == 4 and shape[3] == 3 and shape[1] != 3 else "NCHW"
    crop = (3, size, size) if layout == "NCHW" else (size, size, 3)
    if len(shape) != 4 or any(
        have.is_static and have.get_length() != side for have, side in zip(list(shape)[1:], crop, strict=True)
    ):
        raise WeightsInvalid(f"{path} takes crops of shape {shape}, but {spec.name} cuts out (n, 3, {size}, {size}).")
    model.reshape([batch or 1, *crop])  # finds layers that do not fit, which a dynamic batch hides
    if batch is None:
        model.reshape([-1, *crop])
    shapes = [output.partial_shape for output in model.outputs]
    numbers = [_numbers(each, batch) for each in shapes]
    fitting = [index for index, each in enumerate(numbers) if each == spec.dimension]
    if len(fitting) != 1:
        has = " and ".join(str(each or shape) for each, shape in zip(numbers, shapes, strict=True))
        raise WeightsInvalid(f"{path} has {has} numbers per face, but {spec.name} has {spec.dimension}.")
    return Opened(core, model, layout, fitting[0], batch)


def _numbers(shape: Any, batch: int | None) -> int | None:
    """Return how many numbers an output has for each crop, or None if that is not the same for every crop."""
    if shape.rank.is_dynamic or not len(shape) or any(each.is_dynamic for each in list(shape)[1:]):
        return None
    if shape[0].is_static and (batch is None or shape[0].get_length() != batch):
        return None
    return int(np.prod([each.get_length() for each in list(shape)[1:]]))


def with_preprocessing(model: Any, spec: NetworkSpec, layout: str) -> Any:
    """Return the model with uint8 RGB crops (n, s, s, 3) as its input, with channel order, mean, scale and layout in it."""
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
        change = change.mean(list(spec.mean))
    if set(spec.scale) != {1.0}:
        change.scale(list(spec.scale))
    return steps.build()
