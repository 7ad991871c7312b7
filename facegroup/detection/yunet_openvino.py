"""Run YuNet on a CPU with OpenVINO. Each thread runs whole inferences, as in `nets_openvino.py`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from facegroup.detection.nets_openvino import narrowed, quantised
from facegroup.detection.yunet_anchors import OUTPUTS
from facegroup.detection.yunet_copies import CELL
from facegroup.detection.yunet_ranges import RANGES
from facegroup.detection.yunet_spec import YunetSpec
from facegroup.engines.precision import compiled_for
from facegroup.errors import EngineUnavailable, WeightsInvalid
from facegroup.types import Floats, Image

_CONVOLUTIONS = ("Convolution", "GroupConvolution")


class OpenVinoYunet:
    """`YunetNet` on OpenVINO.

    Args:
        spec: the network.
        path: its ONNX file.
        threads: compute threads, each of which runs one inference at a time.
        precision: fp32, bf16 or int8, which only YuNet n itself has.

    Raises:
        EngineUnavailable: OpenVINO cannot run in this precision on this CPU.
        WeightsInvalid: the file cannot be read, or has another form.
    """

    name = "openvino"
    device = "cpu"
    step = CELL
    pixels = 1 << 20  # a batch that falls out of the caches takes longer than its images one by one

    def __init__(self, spec: YunetSpec, path: Path, threads: int, precision: str = "fp32") -> None:
        import openvino

        self.lanes = threads
        core = openvino.Core()
        graph = _graph(core, spec, path)
        apart = _quantise(graph, spec) if precision == "int8" else 0
        compiled = compiled_for(core, graph, precision, threads, spec.name, streams=threads, apart=apart)
        self._order = [compiled.outputs.index(compiled.output(each)) for each in OUTPUTS]
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(threads):
            self._idle.put(compiled.create_infer_request())

    @contextmanager
    def inferred(self, pixels: Image) -> Iterator[Sequence[Floats]]:
        """See `YunetNet`."""
        request = self._idle.get()
        try:
            request.infer({0: pixels}, share_inputs=True)
            tensors = request.output_tensors
            yield [tensors[index].data for index in self._order]
        finally:
            self._idle.put(request)


def _graph(core: Any, spec: YunetSpec, path: Path) -> Any:
    """Return the network with uint8 RGB (n, h, w, 3) as its input: its preprocessing is part of the graph.

    Raises:
        WeightsInvalid: the file cannot be read, or does not take images of any size.
    """
    import openvino
    from openvino.preprocess import ColorFormat, PrePostProcessor

    try:
        model = core.read_model(path)
        model.reshape([-1, 3, -1, -1])
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise WeightsInvalid(f"{path} cannot be used as {spec.name}: {last}") from error
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().tensor().set_color_format(ColorFormat.RGB)
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    change = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    if spec.channels == "BGR":
        change = change.convert_color(ColorFormat.BGR)
    if any(spec.mean):
        change = change.mean(list(spec.mean))
    if spec.divisor != (1.0, 1.0, 1.0):
        change.scale(list(spec.divisor))
    return steps.build()


def _quantise(model: Any, spec: YunetSpec) -> int:
    """Round the inputs and weights of the convolutions of `RANGES` to 8 bits; return how many others there are.

    Raises:
        EngineUnavailable: the ranges of the network are not known.
    """
    if spec.source:
        raise EngineUnavailable(
            f"{spec.name} cannot run in int8: only yunet can. Set detector.precision to fp32 or bf16."
        )
    convolutions = [each for each in model.get_ordered_ops() if each.get_type_name() in _CONVOLUTIONS]
    known = [each for each in convolutions if _name(each) in RANGES]
    for each in known:
        rounded = quantised(each.input_value(0), RANGES[_name(each)])
        kernel = np.asarray(each.input_value(1).get_node().get_data(), np.float32)
        axes = tuple(range(1 if each.get_type_name() == "Convolution" else 2, kernel.ndim))
        each.input(0).replace_source_output(rounded.output(0))
        each.input(1).replace_source_output(narrowed(kernel, axes).output(0))
    model.validate_nodes_and_infer_types()
    return len(convolutions) - len(known)


def _name(convolution: Any) -> str:
    return str(convolution.get_friendly_name()).partition("/")[0]
