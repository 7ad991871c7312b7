"""What comparing costs: a matrix of rows and a few probes go in, their products come out, on a given number of threads.

Measured on 100,000 × 2048 float32 and 32 probes (docs/decisions/0006-index.md): OpenVINO takes 128 ms of CPU where
NumPy's BLAS takes 228, since it leaves the large matrix where it lies. In a small gallery products are NumPy's: nothing to
load. In a large one those with its small matrices are not: NumPy's threads spin for some 25 ms after each and take a core
from OpenVINO's, which was half of the time of 100,000 × 2048 on two cores.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from facegroup.engines.precision import compile_options
from facegroup.types import Descriptors, Floats

_SMALL = 1 << 22  # numbers in a matrix below which OpenVINO's own start costs more than it saves
_TINY = 1 << 13  # multiplications up to which NumPy's BLAS wakes no threads

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class Products:
    """Products on so many threads. What it needs is loaded when the first large matrix comes.

    Args:
        threads: of one product, and of `spread`.
    """

    def __init__(self, threads: int) -> None:
        self._threads = max(1, threads)
        self._one_at_a_time = threading.Lock()
        self._request: Any = None
        self._pool: ThreadPoolExecutor | None = None

    def of(self, rows: Floats, probes: Descriptors) -> Floats:
        """Return the products (n, b) float32 of (n, d) float32 rows and (b, d) float32 probes."""
        if rows.size * len(probes) <= _TINY or (rows.size < _SMALL and self._request is None):
            products: Floats = rows @ probes.T
            return products
        with self._one_at_a_time:
            import openvino

            if self._request is None:
                self._request = self._compiled(openvino)
            for place, array in enumerate((rows, probes)):
                self._request.set_input_tensor(place, openvino.Tensor(array, shared_memory=True))
            self._request.infer()
            out: Floats = self._request.get_output_tensor(0).data.copy()
            return out

    def spread(self, work: Callable[[_Item], _Answer], items: Iterable[_Item]) -> list[_Answer]:
        """Return `work` done on each item, on all threads; in there faiss uses one."""
        with self._one_at_a_time:
            if self._pool is None:
                import faiss

                self._pool = ThreadPoolExecutor(self._threads, "index", faiss.omp_set_num_threads, (1,))
        return list(self._pool.map(work, items))

    def _compiled(self, openvino: Any) -> Any:
        from openvino import opset13 as op

        rows, probes = (op.parameter([-1, -1], openvino.Type.f32) for _ in range(2))
        model = openvino.Model([op.matmul(rows, probes, False, True)], [rows, probes])
        options = compile_options("fp32", self._threads)
        return openvino.Core().compile_model(model, "CPU", options).create_infer_request()
