"""Multiplications and additions a second in one large product, and how many of them a face takes."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workers.line import serve

_SIDE = 1536


def peak(precision: str, threads: int) -> dict[str, Any]:
    """Return the most operations a second, of the fastest of some products of matrices that stay in the caches."""
    import openvino
    from openvino import opset13 as op

    from facegroup.engines.precision import compiled_for

    rows = op.parameter([_SIDE, _SIDE], np.float32)
    weights = np.random.default_rng(0).normal(size=(_SIDE, _SIDE)).astype(np.float32)
    product = op.matmul(rows, op.constant(weights), False, False)
    model = openvino.Model([product], [rows])
    request = compiled_for(openvino.Core(), model, precision, threads, "a product").create_infer_request()
    took = []
    for _ in range(30):
        start = time.perf_counter()
        request.infer({0: weights}, share_inputs=True)
        took.append(time.perf_counter() - start)
    return {"operations": 2 * _SIDE**3 / min(took), "seconds": sum(took)}


def network(weights: str, name: str) -> dict[str, Any]:
    """Return the operations of one face: two for each weight and place of every convolution."""
    import openvino

    from facegroup.networks.conversion import converted
    from facegroup.networks.registry import spec
    from facegroup.settings import load

    model = openvino.Core().read_model(converted(spec(name), Path(weights), load().cache_dir / "openvino"))
    side = spec(name).size
    model.reshape([1, side, side, 3])
    total = 0
    for node in model.get_ops():
        if node.get_type_name() == "Convolution":
            out, kernel = node.output(0).shape, node.input_value(1).shape
            total += 2 * int(np.prod(out)) * int(np.prod(kernel)) // kernel[0]
    return {"operations": total}


if __name__ == "__main__":
    serve({"peak": peak, "network": network})
