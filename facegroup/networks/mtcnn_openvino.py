"""MTCNN's networks on a CPU through OpenVINO: centred pixels in, probabilities and regressions out.

Each thread is a stream of its own, and infers for itself: a network as small as these gains nothing from two threads that
wait for each other after every layer.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from facegroup.networks.buckets import batches
from facegroup.networks.mtcnn_nets import NOTHING, Layers, Net, layers
from facegroup.networks.precision import compiled_for
from facegroup.pyramid import CELL, CHANNELS, STRIDE
from facegroup.types import Floats

CANVAS = (256, 512)
"""Large enough that little of it is border, small enough that its feature maps stay in a core's cache."""

ROWS = (64, 96, 128, 160, 192, 224, 256)
"""Heights that P-Net meets: of a canvas that is not full only the used part is looked at."""

BUCKETS: dict[Net, tuple[int, ...]] = {"rnet": (8, 32, 64), "onet": (4, 8, 16)}
"""Batches that R-Net and O-Net meet: larger ones gain nothing."""

Job = TypeVar("Job")
Done = TypeVar("Done")


class OpenVinoNets:
    """`Nets` on OpenVINO.

    Args:
        threads: compute threads, and as many inferences at once.
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
        self.lanes = threads
        self._pool: ThreadPoolExecutor | None = None
        self._idle: dict[str, SimpleQueue[Any]] = {}
        for use, (name, shape, taken) in _USES.items():
            graph = _graph(name, shape)
            graph.reshape(taken)
            compiled = compiled_for(core, graph, precision, threads, f"mtcnn's {name}", streams=threads)
            self._idle[use] = SimpleQueue()
            for _ in range(threads):
                self._idle[use].put(compiled.create_infer_request())
        self.lane = copy.copy(self)
        if threads > 1:
            self._pool = ThreadPoolExecutor(threads, "mtcnn")

    def pnet(self, canvases: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """See `Nets`."""
        windows = len(canvases), (CANVAS[0] - CELL) // STRIDE + 1, (CANVAS[1] - CELL) // STRIDE + 1
        scores = np.zeros(windows, np.float32)
        boxes = np.zeros((windows[0], 4, *windows[1:]), np.float32)

        def propose(page: int) -> None:
            height = next(bucket for bucket in ROWS if bucket >= rows[page])
            use = "whole canvas" if height == CANVAS[0] else "pnet"
            with self._inferred(use, canvases[page, None, :height]) as (regressions, found):
                scores[page, : found.shape[1]] = found[0]
                boxes[page, :, : found.shape[1]] = regressions[0]

        self._each(propose, range(len(canvases)))
        return scores, boxes.transpose(0, 2, 3, 1)

    def rnet(self, crops: Floats) -> tuple[Floats, Floats]:
        """See `Nets`."""
        boxes, scores = self._run("rnet", crops)
        return scores, boxes

    def onet(self, crops: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Nets`."""
        boxes, landmarks, scores = self._run("onet", crops)
        return scores, boxes, landmarks

    def warm(self) -> None:
        """See `Nets`. The CPU plugin prepares its kernels for a shape when it first meets it, for all streams."""
        for rows in ROWS:
            self.pnet(np.zeros((self.lanes, *CANVAS, CHANNELS), np.float32), np.full(self.lanes, rows))
        for name, sizes in BUCKETS.items():
            for size in sizes:
                self._run(name, np.zeros((size, *_USES[name][1][1:]), np.float32))

    def _run(self, name: Net, crops: Floats) -> list[Floats]:
        """Run crops in padded batches and return the outputs, joined."""

        def infer(job: tuple[Floats, int]) -> list[Floats]:
            batch, real = job
            with self._inferred(name, batch) as outputs:
                return [output[:real].copy() for output in outputs]

        parts = self._each(infer, list(batches(crops, BUCKETS[name])))
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _each(self, do: Callable[[Job], Done], jobs: Sequence[Job]) -> list[Done]:
        return list(map(do, jobs) if self._pool is None or len(jobs) < 2 else self._pool.map(do, jobs))

    @contextmanager
    def _inferred(self, use: str, pixels: Floats) -> Iterator[list[Floats]]:
        """Give what a network makes of its input; it must be copied before another inference may overwrite it."""
        request = self._idle[use].get()
        try:
            request.infer({0: pixels}, share_inputs=True)
            yield [tensor.data for tensor in request.output_tensors]
        finally:
            self._idle[use].put(request)


_USES: dict[str, tuple[Net, tuple[int, ...], list[int]]] = {
    # Most canvases are full, and a twelfth faster where their shape is known beforehand.
    "whole canvas": ("pnet", (1, *CANVAS, CHANNELS), [1, *CANVAS, CHANNELS]),
    "pnet": ("pnet", (1, *CANVAS, CHANNELS), [1, -1, CANVAS[1], CHANNELS]),
    "rnet": ("rnet", (1, 24, 24, 3), [-1, 24, 24, 3]),
    "onet": ("onet", (1, 48, 48, 3), [-1, 48, 48, 3]),
}
"""What is compiled: the network, the shape that its graph is built for, and the shapes that it takes."""


def _graph(name: Net, shape: tuple[int, ...]) -> Any:
    """Build one network for an input shape (n, h, w, 3): outputs are the regressions, then the face probability."""
    import openvino
    from openvino import opset13 as op

    net = layers(name)
    pixels = op.parameter(list(shape), np.float32)
    pixels.set_friendly_name("pixels")
    planes = node = op.transpose(pixels, op.constant(np.array([0, 3, 1, 2])))
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
            case "nothing":
                node = op.add(node, _nothing(planes, net.trunk[0].weights[1].size))
            case "pool":
                window, pad = [layer.size] * 2, "same_upper" if layer.same else "valid"
                node = op.max_pool(node, [2, 2], [1, 1], [0, 0], [0, 0], window, "floor", pad).output(0)
            case "flatten":
                # The package flattens (w, h, c): its weights come from a column-major toolbox.
                node = op.transpose(node, op.constant(np.array([0, 3, 2, 1])))
                node = op.reshape(node, op.constant(np.array([0, -1])), True)
    return openvino.Model(_heads(net, node, convolutional=net.side == 0), [pixels])


def _nothing(planes: Any, channels: int) -> Any:
    """Return what to add to a 3×3 convolution of canvases (n, 4, h, w) so that a pool passes over it.

    A convolution too, since its output then lies in memory as the other does: a pool over one plane took four times as long.
    """
    kernel = np.zeros((3, 3, CHANNELS, channels), np.float32)
    kernel[:, :, 3] = -NOTHING
    return _convolve(planes, kernel, np.zeros(channels, np.float32))


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
