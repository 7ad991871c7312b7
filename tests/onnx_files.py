"""ONNX files for tests: small embedders with random, seeded weights, and files that are wrong in one way each."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Nodes = list[Any]


def weights(seed: int, dimension: int, cells: int, channels: int = 3) -> dict[str, Any]:
    """Return the weights of `embedder`, tame for inputs of a standard deviation of about one."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Any:
        return rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)

    return {
        "first": normal(16, channels, 7, 7),
        "second": normal(32, 16, 3, 3),
        "full": (rng.normal(0, 1, (32 * cells**2, dimension)) / np.sqrt(32 * cells**2)).astype(np.float32),
        "bias": rng.normal(0, 0.1, dimension).astype(np.float32),
    }


def embedder(
    path: Path,
    side: int = 112,
    dimension: int = 128,
    batch: int | str = "n",
    *,
    seed: int = 0,
    shape: tuple[Any, ...] | None = None,
    channels_last: bool = False,
    before: Nodes | None = None,
    after: Nodes | None = None,
    opset: int = 17,
    names: tuple[str, str] = ("input", "output"),
    outputs: dict[str, tuple[Any, ...]] | None = None,
    inputs: dict[str, tuple[Any, ...]] | None = None,
    kind: int = TensorProto.FLOAT,
) -> Path:
    """Write a small network: two convolutions, a mean over a grid of cells, and a full layer.

    Args:
        path: where to.
        side: of its input.
        dimension: of its output.
        batch: a number, or the name of a dynamic dimension.
        seed: of its weights.
        shape: shape of the input, if it is not (batch, 3, side, side).
        channels_last: whether the input is (batch, side, side, 3).
        before: nodes from the input `given` to `x`.
        after: nodes from `y` to the output.
        opset: the opset that it says.
        names: names of input and output.
        outputs: further outputs and their shapes.
        inputs: further inputs and their shapes.
        kind: type of the input.
    """
    cells = 4
    arrays = weights(seed, dimension, cells)
    name, answer = names
    nodes: Nodes = []
    before = list(before or [])
    if channels_last:
        before.append(helper.make_node("Transpose", [name], ["x"], perm=[0, 3, 1, 2]))
    nodes += before
    first = "x" if before else name
    step = side // 8 // cells  # the second convolution gives side / 8
    nodes += [
        helper.make_node("Conv", [first, "first"], ["a"], kernel_shape=[7, 7], strides=[4, 4], pads=[3, 3, 3, 3]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("AveragePool", ["d"], ["e"], kernel_shape=[step, step], strides=[step, step]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "full", "bias"], ["y" if after else answer]),
        *(after or []),
    ]
    given = shape if shape is not None else ((batch, side, side, 3) if channels_last else (batch, 3, side, side))
    graph = helper.make_graph(
        nodes,
        "embedder",
        [helper.make_tensor_value_info(name, kind, given)]
        + [helper.make_tensor_value_info(each, TensorProto.FLOAT, dims) for each, dims in (inputs or {}).items()],
        [helper.make_tensor_value_info(answer, TensorProto.FLOAT, (batch, dimension))]
        + [helper.make_tensor_value_info(each, TensorProto.FLOAT, dims) for each, dims in (outputs or {}).items()],
        [numpy_helper.from_array(array, each) for each, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def with_external_data(path: Path, data: str = "weights.bin") -> Path:
    """Write an embedder whose weights are in a file beside it."""
    embedder(path)
    model = onnx.load(str(path))
    path.unlink()
    onnx.save_model(model, str(path), save_as_external_data=True, location=data, size_threshold=0)
    return path
