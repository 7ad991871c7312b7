"""MTCNN's networks on a CPU through OpenVINO: uint8 pixels in, probabilities and regressions out, every shape static."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegroup.networks.mtcnn_nets import Layers, Net, layers
from facegroup.networks.precision import compiled_for
from facegroup.pyramid import CELL, STRIDE
from facegroup.types import Crops, Floats

CANVAS = (256, 512)
"""Large enough that little of it is border, small enough that its feature maps stay in a core's cache."""

ROWS = (64, 96, 128, 160, 192, 224, 256)
"""Heights for which P-Net is compiled: of a canvas that is not full only the used part is looked at."""

BUCKETS: dict[Net, tuple[int, ...]] = {"rnet": (8, 32, 128), "onet": (4, 16, 64)}


class OpenVinoNets:
    """`Nets` on OpenVINO.

    Args:
        threads: compute threads.
        precision: arithmetic, fp32 or bf16.

    Raises:
        EngineUnavailable: OpenVINO cannot compute in this precision on this CPU.
    """

    name = "openvino"
    device = "cpu"
    canvas = CANVAS

    def __init__(self, threads: int, precision: str = "fp32") -> None:
        import openvino

        core = openvino.Core()

        def request(name: Net, shape: tuple[int, ...]) -> Any:
            graph = _graph(name, shape)
            return compiled_for(core, graph, precision, threads, f"mtcnn's {name}").create_infer_request()

        self._pnet = {rows: request("pnet", (1, rows, CANVAS[1], 3)) for rows in ROWS}
        self._requests = {
            name: {bucket: request(name, (bucket, *2 * (layers(name).side,), 3)) for bucket in buckets}
            for name, buckets in BUCKETS.items()
        }

    def pnet(self, canvases: NDArray[np.uint8], rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """See `Nets`."""
        windows = len(canvases), (CANVAS[0] - CELL) // STRIDE + 1, (CANVAS[1] - CELL) // STRIDE + 1
        scores = np.zeros(windows, np.float32)
        boxes = np.zeros((windows[0], 4, *windows[1:]), np.float32)
        for canvas, used, score, box in zip(canvases, rows, scores, boxes, strict=True):
            bucket = next(bucket for bucket in ROWS if bucket >= used)
            request = self._pnet[bucket]
            request.infer({0: canvas[None, :bucket]}, share_inputs=True)
            found = request.get_output_tensor(1).data[0]
            score[: len(found)] = found
            box[:, : len(found)] = request.get_output_tensor(0).data[0]
        return scores, boxes.transpose(0, 2, 3, 1)

    def rnet(self, crops: Crops) -> tuple[Floats, Floats]:
        """See `Nets`."""
        boxes, scores = self._run("rnet", crops)
        return scores, boxes

    def onet(self, crops: Crops) -> tuple[Floats, Floats, Floats]:
        """See `Nets`."""
        boxes, landmarks, scores = self._run("onet", crops)
        return scores, boxes, landmarks

    def warm(self) -> None:
        """See `Nets`."""
        for rows in ROWS:
            self.pnet(np.zeros((1, *CANVAS, 3), np.uint8), np.array([rows]))
        for name, buckets in BUCKETS.items():
            for bucket in buckets:
                self._run(name, np.zeros((bucket, *2 * (layers(name).side,), 3), np.uint8))

    def _run(self, name: Net, crops: Crops) -> list[Floats]:
        """Run crops in the fewest padded buckets and return the outputs, joined."""
        requests = self._requests[name]
        largest = max(requests)
        parts = []
        for start in range(0, len(crops), largest):
            part = crops[start : start + largest]
            bucket = next(bucket for bucket in requests if bucket >= len(part))
            padded = part
            if bucket > len(part):
                padded = np.zeros((bucket, *crops.shape[1:]), np.uint8)
                padded[: len(part)] = part
            request = requests[bucket]
            request.infer({0: padded}, share_inputs=True)
            parts.append([tensor.data[: len(part)].copy() for tensor in request.output_tensors])
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def _graph(name: Net, shape: tuple[int, ...]) -> Any:
    """Build one network for one input shape (n, h, w, 3): outputs are the regressions, then the face probability."""
    import openvino
    from openvino import opset13 as op

    net = layers(name)
    pixels = op.parameter(list(shape), np.uint8)
    pixels.set_friendly_name("pixels")
    node = op.transpose(op.convert(pixels, np.float32), op.constant(np.array([0, 3, 1, 2])))
    for layer in net.trunk:
        match layer.kind:
            case "conv":
                node = _convolve(node, *layer.weights)
            case "dense":
                node = op.add(
                    op.matmul(node, op.constant(layer.weights[0]), False, False), op.constant(layer.weights[1])
                )
            case "prelu":
                node = op.prelu(node, op.constant(layer.weights[0]))
            case "pool":
                window, pad = [layer.size] * 2, "same_upper" if layer.same else "valid"
                node = op.max_pool(node, [2, 2], [1, 1], [0, 0], [0, 0], window, "floor", pad).output(0)
            case "flatten":
                # The package flattens (w, h, c): its weights come from a column-major toolbox.
                node = op.transpose(node, op.constant(np.array([0, 3, 2, 1])))
                node = op.reshape(node, op.constant(np.array([shape[0], -1])), False)
    return openvino.Model(_heads(net, node, convolutional=net.side == 0), [pixels])


def _heads(net: Layers, node: Any, *, convolutional: bool) -> list[Any]:
    """Return the regressions as they are, and of the two class scores σ(face - no face), which is their softmax."""
    from openvino import opset13 as op

    def head(kernel: Floats, bias: Floats) -> Any:
        if convolutional:
            return _convolve(node, kernel, bias)
        return op.add(op.matmul(node, op.constant(kernel), False, False), op.constant(bias))

    *regressions, (kernel, bias) = net.heads
    face = op.sigmoid(head(kernel[..., 1:] - kernel[..., :1], bias[1:] - bias[:1]))
    return [*(head(*each) for each in regressions), op.squeeze(face, op.constant(np.array([1])))]


def _convolve(node: Any, kernel: Floats, bias: Floats) -> Any:
    from openvino import opset13 as op

    weights = op.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    convolved = op.convolution(node, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    return op.add(convolved, op.constant(bias.reshape(1, -1, 1, 1)))
