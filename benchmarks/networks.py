"""Find the fastest way to run a network on this machine's CPU: faces per second by precision, threads, streams and batch.

    python -m benchmarks.networks retail-0095 [--calibration FOLDER] [--rounds 3]

Each arrangement is measured in several rounds, and the best one is reported, since other work on the machine only slows it
down. The best rate per second of processor time, which is disturbed less, is reported too. Crops are made up. int8 needs a
network in the cache, or photos for calibration.
"""

import argparse
import os
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import weights
from facegroup.engines.precision import compile_options, require_executed
from facegroup.errors import SetupError
from facegroup.networks import registry
from facegroup.networks.conversion import converted
from facegroup.networks.openvino_engine import opened, with_preprocessing
from facegroup.networks.quantization import quantised
from facegroup.networks.spec import NetworkSpec
from facegroup.settings import load

BATCHES = (1, 2, 4, 8, 16, 32)
PRECISIONS = ("fp32", "bf16", "int8")
SECONDS = 0.3


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("network", nargs="?", default=weights.RETAIL, choices=[weights.RETAIL, weights.RESNET50])
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    spec = registry.spec(given.network)
    cores = len(os.sched_getaffinity(0))
    kinds = [(1, 1)] + [(cores, 1), (cores, cores)] * (cores > 1)
    runs: dict[tuple[str, int, int, int], Callable[[], int]] = {}
    for precision in PRECISIONS:
        try:
            path = _ir(spec, precision, given.calibration)
        except SetupError as error:
            print(f"{precision}: {error}")
            continue
        for (threads, streams), batch in product(kinds, BATCHES):
            runs[precision, threads, streams, batch] = _run(spec, path, precision, threads, streams, batch)
    rates: dict[tuple[str, int, int, int], tuple[float, float]] = {}
    for _ in range(given.rounds):
        for key, run in runs.items():
            before, now = rates.get(key, (0, 0)), _rates(run)
            rates[key] = max(before[0], now[0]), max(before[1], now[1])
    print(f"| {spec.name}: precision, threads, streams | " + " | ".join(f"{batch}" for batch in BATCHES) + " |")
    print("|---" * (1 + len(BATCHES)) + "|")
    for precision, (threads, streams) in product(PRECISIONS, kinds):
        if (precision, threads, streams, 1) in rates:
            figures = ["{:.0f} ({:.0f})".format(*rates[precision, threads, streams, batch]) for batch in BATCHES]
            print(f"| {precision}, {threads}, {streams} | " + " | ".join(figures) + " |")


def _ir(spec: NetworkSpec, precision: str, calibration: Path | None) -> Path:
    cache = load().cache_dir / "openvino"
    if spec.name == weights.RETAIL:
        folder = weights.retail()
        if folder is None:
            raise SystemExit("the weights of retail-0095 are not here")
        path = folder / spec.weights[0].name
    else:
        path = converted(spec, weights.resnet50()[0], cache)
    return quantised(spec, path, calibration, cache, 2) if precision == "int8" else path


def _run(spec: NetworkSpec, path: Path, precision: str, threads: int, streams: int, batch: int) -> Callable[[], int]:
    """Return what runs one batch on every stream, and says how many faces that were."""
    import openvino

    core, model, layout = opened(spec, path)
    options: dict[str, Any] = compile_options(precision, threads) | {"NUM_STREAMS": streams}
    if streams > 1:
        options["PERFORMANCE_HINT"] = "THROUGHPUT"
    compiled = core.compile_model(with_preprocessing(model, spec, layout), "CPU", options)
    require_executed(compiled, precision, spec.name)
    crops = np.random.default_rng(0).integers(0, 256, (batch, spec.size, spec.size, 3), np.uint8)
    queue = openvino.AsyncInferQueue(compiled, streams)

    def run() -> int:
        for _ in range(streams):
            queue.start_async({0: crops}, share_inputs=True)
        queue.wait_all()
        return batch * streams

    run()
    return run


def _rates(run: Callable[[], int]) -> tuple[float, float]:
    """Return faces per second, and faces per second of processor time."""
    faces, start, worked = 0, time.perf_counter(), time.process_time()
    while (spent := time.perf_counter() - start) < SECONDS or not faces:
        faces += run()
    return faces / spent, faces / (time.process_time() - worked)


if __name__ == "__main__":
    main()
