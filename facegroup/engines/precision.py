"""Compile a network in a given precision, check that the CPU really uses it, and measure its agreement with fp32.

OpenVINO treats a precision as a hint: on a CPU without it, it silently runs in fp32 or emulates. Here a precision that the
CPU cannot run natively is refused.
"""

import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegroup.errors import EngineUnavailable
from facegroup.types import Floats

LEAST: Mapping[str, float] = {"fp32": 0.9999, "bf16": 0.999, "fp16": 0.999, "int8": 0.99}
"""Least mean cosine to fp32 over real crops for each precision."""

# Names in /proc/cpuinfo on x86 and Arm. AVX-512 alone emulates bf16.
_ADDS_IN_32_BITS = {"avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp"}
_NATIVE = {
    "bf16": {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"},
    "int8": _ADDS_IN_32_BITS | {"avx2"},
}
_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
_SUFFIXES = {"fp32": "f32", "bf16": "bf16", "int8": "i8"}
_COMPUTING = {"Convolution", "FullyConnected", "MatMul", "Deconvolution"}
_CPU_FLAGS = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of a network in some precision with the same network in fp32, over real crops.

    Attributes:
        mean: mean cosine of a crop's two descriptors.
        least: lowest cosine of all crops.
        crops: number of crops.
        strangers: mean cosine of two different crops in fp32. If it is high, a high `mean` says less.
    """

    mean: float
    least: float
    crops: int
    strangers: float

    def __str__(self) -> str:
        return (
            f"cosine to fp32 over {self.crops} crops: mean {self.mean:.5f}, least {self.least:.4f} "
            f"(between different crops {self.strangers:.3f})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary for JSON."""
        return asdict(self)


def agreement(reference: Floats, answer: Floats) -> Agreement:
    """Compare (n, d) raw embeddings with those in fp32, n ≥ 2. A row that is not finite counts as a cosine of 0."""
    expected, given = _unit(reference), _unit(answer)
    cosines = (expected * given).sum(axis=1)
    n = len(expected)
    others = (np.square(expected.sum(axis=0)).sum() - n) / (n * (n - 1))
    return Agreement(float(cosines.mean()), float(cosines.min()), n, float(others))


def compiled_for(
    core: Any, model: Any, precision: str, threads: int, network: str, streams: int = 1, *, apart: int = 0
) -> Any:
    """Compile an OpenVINO model for this CPU in exactly this precision.

    Args:
        core: OpenVINO's core.
        model: the model to compile.
        precision: the precision.
        threads: compute threads.
        network: the network's name, for messages.
        streams: concurrent inferences.
        apart: how many layers stay in fp32.

    Raises:
        EngineUnavailable: OpenVINO cannot run the model in this precision.
    """
    options = compile_options(precision, threads, streams)
    try:
        compiled = core.compile_model(model, "CPU", options)
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise EngineUnavailable(f"OpenVINO cannot run {network} in {precision} on this CPU: {last}") from error
    require_executed(compiled, precision, network, apart)
    return compiled


def compile_options(precision: str, threads: int, streams: int = 1) -> dict[str, Any]:
    """Return OpenVINO's options for a network on a CPU. `require_executed` checks that the precision hint was followed.

    Raises:
        EngineUnavailable: this CPU has no instructions for the precision.
    """
    require_native(precision)
    return {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],  # without it, machines with bf16 would use that
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": streams,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # replicas share the machine; pinned ones would all use its first cores
    }


def require_native(precision: str) -> None:
    """Refuse a precision that OpenVINO has no option for, or that this CPU has no instructions for.

    Raises:
        EngineUnavailable: the precision is not supported.
    """
    if precision not in _HINTS:
        raise EngineUnavailable(
            f"The engine openvino does not support {precision} on a CPU. Set precision to {', '.join(_HINTS)}."
        )
    flags = _flags()
    if precision in _NATIVE and flags and not flags & _NATIVE[precision]:
        raise EngineUnavailable(
            f"This CPU has no instructions for {precision} ({', '.join(sorted(_NATIVE[precision]))}). Set precision to fp32."
        )


def narrow_weights() -> bool:
    """Return whether int8 weights must stay within half of their range on this CPU.

    AVX2 alone adds two 8-bit products in 16 bits (``vpmaddubsw``), which saturates: 255 · 127 · 2 does not fit, 255 · 64 · 2
    does. A CPU without flags counts as such a CPU, unless it is an Arm.
    """
    flags = _flags()
    return not flags & _ADDS_IN_32_BITS if flags else platform.machine() in ("x86_64", "AMD64")


def executed(compiled: Any) -> Counter[str]:
    """Count a compiled model's convolutions and products by the precision they run in: f32, bf16, f16 or i8.

    It is read from the names of the kernels, such as ``brgconv_avx512_1x1_bf16``. A layer's ``runtimePrecision`` is only
    that of its stored weights.
    """
    layers = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    kernels = [_text(info["primitiveType"]) for info in layers if _text(info["layerType"]) in _COMPUTING]
    return Counter(kernel.rsplit("_", 1)[-1].lower() for kernel in kernels)


def require_executed(compiled: Any, precision: str, network: str, apart: int = 0) -> None:
    """Refuse a compiled model in which more than `apart` layers run in another precision.

    Raises:
        EngineUnavailable: too many layers do. With int8, a tenth of the remaining layers may: those are not quantised.
    """
    found = executed(compiled)
    share = found[_SUFFIXES[precision]] / max(1, found.total() - apart)
    if share < (0.9 if precision == "int8" else 1):
        kinds = ", ".join(f"{count} in {kind}" for kind, count in found.most_common())
        raise EngineUnavailable(
            f"OpenVINO does not run {network} in {precision} on this CPU (layers: {kinds}). Set precision to fp32."
        )


def _unit(rows: Floats) -> Any:
    rows = np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, 0).astype(np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def _flags() -> set[str]:
    """Return the CPU flags from the kernel, or an empty set if there is no such file."""
    try:
        lines = _CPU_FLAGS.read_text().splitlines()
    except OSError:
        return set()
    found = (line.partition(":")[2] for line in lines if line.split(":")[0].strip() in ("flags", "Features"))
    return set(next(found, "").split())


def _text(value: Any) -> str:
    return str(value.value if hasattr(value, "value") else value)
