"""Run MTCNN's networks on a CPU with OpenVINO.

Each thread is a stream of its own and runs whole inferences: networks this small gain nothing from two threads that wait
for each other after every layer.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from facegroup.detection.nets import MASKED, RANGES, Net, layers
from facegroup.detection.pyramid import CELL, KERNEL, STRIDE
from facegroup.engines.batch_sizes import PADDING, batches
from facegroup.engines.precision import compiled_for, narrow_weights
from facegroup.types import Floats

CANVAS = (256, 512)
"""Large enough to have little border, small enough that the feature maps stay in a core's cache."""

ROWS = (64, 96, 128, 160, 192, 224, 256)
"""Heights that P-Net runs with: only the used part of a canvas is processed."""

BUCKETS: dict[Net, tuple[int, ...]] = {"rnet": (8, 16, 32, 64), "onet": (4, 8, 16)}
"""Batch sizes of R-Net and O-Net. Larger ones are no faster."""

Job = TypeVar("Job")
Done = TypeVar("Done")


class OpenVinoNets:
    """Implementation of `Nets` on OpenVINO.

    Args:
        threads: compute threads, each of which runs one inference at a time.
        precision: fp32, bf16 or int8. With int8, P-Net and the heads stay in fp32, because no later stage finds a face that
            P-Net misses (docs/decisions/0005-precision.md).

    Raises:
        EngineUnavailable: OpenVINO cannot run in this precision on this CPU.
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
        for use, (name, shapes) in _USES.items():
            ranges = RANGES.get(name, ()) if precision == "int8" else ()
            arithmetic = "fp32" if precision == "int8" and not ranges else precision
            model = graph(name, ranges)
            model.reshape(dict(zip(model.inputs, shapes, strict=True)))
            compiled = compiled_for(
                core, model, arithmetic, threads, f"mtcnn's {name}", streams=threads, apart=bool(ranges)
            )
            self._idle[use] = SimpleQueue()
            for _ in range(threads):
                self._idle[use].put(compiled.create_infer_request())
        self.lane = copy.copy(self)
        if threads > 1:
            self._pool = ThreadPoolExecutor(threads, "mtcnn")

    def pnet(self, canvases: Floats, mask: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """See `Nets`."""
        windows = (CANVAS[0] - CELL) // STRIDE + 1, (CANVAS[1] - CELL) // STRIDE + 1
        outputs = np.empty((len(canvases), *windows, 5), np.float32)

        def propose(page: int) -> None:
            height = next(bucket for bucket in ROWS if bucket >= rows[page])
            use = "whole canvas" if height == CANVAS[0] else "pnet"
            inputs = canvases[page, None, :height], mask[page, None, : height - KERNEL + 1, :, None]
            with self._inferred(use, *inputs) as found:
                outputs[page, : found.shape[1]] = found[0]
                outputs[page, found.shape[1] :] = -np.inf

        self._each(propose, range(len(canvases)))
        return outputs[..., 4], outputs[..., :4]

    def rnet(self, crops: Floats) -> tuple[Floats, Floats]:
        """See `Nets`."""
        outputs = self._run("rnet", crops)
        return outputs[:, 4], outputs[:, :4]

    def onet(self, crops: Floats) -> tuple[Floats, Floats, Floats]:
        """See `Nets`."""
        outputs = self._run("onet", crops)
        return outputs[:, 14], outputs[:, :4], outputs[:, 4:14]

    def warm(self) -> None:
        """See `Nets`. The CPU plugin prepares its kernels at the first inference of each shape, for all streams."""
        canvases, mask = (np.zeros((self.lanes, *shape[1:]), np.float32) for shape in _USES["whole canvas"][1])
        for rows in ROWS:
            self.pnet(canvases, mask[..., 0], np.full(self.lanes, rows))
        for name, sizes in BUCKETS.items():
            for size in sizes:
                self._run(name, np.zeros((size, *_USES[name][1][0][1:]), np.float32))

    def _run(self, name: Net, crops: Floats) -> Floats:
        """Run crops in padded batches and return the output for each."""

        def infer(job: tuple[Floats, int]) -> Floats:
            batch, real = job
            with self._inferred(name, batch) as found:
                return found[:real].copy()

        return np.concatenate(self._each(infer, list(batches(crops, BUCKETS[name], PADDING))))

    def _each(self, do: Callable[[Job], Done], jobs: Sequence[Job]) -> list[Done]:
        return list(map(do, jobs) if self._pool is None or len(jobs) < 2 else self._pool.map(do, jobs))

    @contextmanager
    def _inferred(self, use: str, *inputs: Floats) -> Iterator[Floats]:
        """Yield a network's output, which must be copied before the context ends and another inference overwrites it."""
        request = self._idle[use].get()
        try:
            request.infer(dict(enumerate(inputs)), share_inputs=True)
            yield request.output_tensors[0].data
        finally:
            self._idle[use].put(request)


_FIRST = CANVAS[0] - KERNEL + 1, CANVAS[1] - KERNEL + 1  # output of P-Net's first layer for a canvas
_USES: dict[str, tuple[Net, tuple[list[int], ...]]] = {
    # Most canvases are full, and a fixed shape is a twelfth faster.
    "whole canvas": ("pnet", ([1, *CANVAS, 3], [1, *_FIRST, 1])),
    "pnet": ("pnet", ([1, -1, CANVAS[1], 3], [1, -1, _FIRST[1], 1])),
    "rnet": ("rnet", ([-1, 24, 24, 3],)),
    "onet": ("onet", ([-1, 48, 48, 3],)),
}
"""The graphs to compile: the network and the shapes of its inputs."""


def graph(name: Net, ranges: Sequence[tuple[float, float]] = ()) -> Any:
    """Build one network. Its inputs are (n, h, w, 3) pixels, and for P-Net also an (n, h - 2, w - 2, 1) mask.

    The last axis of the output has the regressions, then the log-odds of a face.

    Args:
        name: which network.
        ranges: range of each layer's input except the head's. If given, those layers run in int8.
    """
    import openvino
    from openvino import opset13 as op

    net, given = layers(name), iter(ranges)
    inputs = [op.parameter([1, *CANVAS, 3] if name == "pnet" else [1, net.side, net.side, 3], np.float32)]
    node = quantised(_planes(inputs[0]), next(given, None))
    for layer in net.trunk:
        match layer.kind:
            case "conv":
                node = _convolve(node, *layer.weights, exact=not ranges)
            case "dense":
                node = _multiply(node, *layer.weights, exact=not ranges)
            case "prelu":
                node = quantised(op.prelu(node, op.constant(layer.weights[0])), next(given, None))
            case "mask":
                inputs.append(op.parameter([1, *_FIRST, 1], np.float32))
                # As a convolution, the mask is added in place by the one before; otherwise it would be a separate pass.
                channels = net.trunk[0].weights[1].size
                kernel, bias = np.full((1, 1, 1, channels), -MASKED, np.float32), np.zeros(channels, np.float32)
                node = op.add(node, _convolve(_planes(inputs[1]), kernel, bias))
            case "pool":
                window, pad = [layer.size] * 2, "same_upper" if layer.same else "valid"
                node = op.max_pool(node, [2, 2], [1, 1], [0, 0], [0, 0], window, "floor", pad).output(0)
            case "flatten":
                # The package flattens (w, h, c): its weights come from a column-major toolbox.
                node = op.transpose(node, op.constant(np.array([0, 3, 2, 1])))
                node = op.reshape(node, op.constant(np.array([0, -1])), True)
    if net.side:
        return openvino.Model([_multiply(node, *net.head)], inputs)
    return openvino.Model([op.transpose(_convolve(node, *net.head), op.constant(np.array([0, 2, 3, 1])))], inputs)


def _planes(node: Any) -> Any:
    from openvino import opset13 as op

    return op.transpose(node, op.constant(np.array([0, 3, 1, 2])))


def _convolve(node: Any, kernel: Floats, bias: Floats, *, exact: bool = True) -> Any:
    from openvino import opset13 as op

    weights = _weights(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), (1, 2, 3), exact=exact)
    convolved = op.convolution(node, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    return op.add(convolved, op.constant(bias.reshape(1, -1, 1, 1)))


def _multiply(node: Any, kernel: Floats, bias: Floats, *, exact: bool = True) -> Any:
    from openvino import opset13 as op

    return op.add(op.matmul(node, _weights(kernel, (0,), exact=exact), False, False), op.constant(bias))


def _weights(kernel: Floats, axes: tuple[int, ...], *, exact: bool) -> Any:
    from openvino import opset13 as op

    return op.constant(kernel) if exact else narrowed(kernel, axes)


def narrowed(kernel: Floats, axes: tuple[int, ...]) -> Any:
    """Return a layer's weights rounded to 255 steps around 0 for each output (all axes but these).

    If the CPU needs one bit left free, the steps reach twice as far, so that the weights use half of them.
    """
    from openvino import opset13 as op

    most = np.abs(kernel).max(axis=axes, keepdims=True) * np.float32(2 if narrow_weights() else 1)
    low, high = op.constant(-most), op.constant(most)
    return op.fake_quantize(op.constant(kernel), low, high, low, high, 255)


def quantised(node: Any, limits: tuple[float, float] | None) -> Any:
    """Round a node to 256 steps between two limits, one of which is exactly 0. Without limits, return it unchanged."""
    from openvino import opset13 as op

    if limits is None:
        return node
    step = (limits[1] - limits[0]) / 255
    least = round(limits[0] / step)
    low, high = (op.constant(np.float32(each * step)) for each in (least, least + 255))
    return op.fake_quantize(node, low, high, low, high, 256)
