"""Run an ONNX file with ONNX Runtime, on exactly the device that was asked for.

ONNX Runtime takes its CPU provider where CUDA does not start, and says so only in its log. Here that is an error.
"""

from pathlib import Path
from typing import Any

from facegroup.errors import EngineUnavailable, WeightsInvalid

NAME = "onnxruntime"


def open_session(path: Path, device: str = "cpu", threads: int = 1) -> Any:
    """Return ONNX Runtime's `InferenceSession` for a file.

    Args:
        path: the ONNX file, with its external data beside it.
        device: ``cpu`` or ``gpu:N``.
        threads: compute threads on a CPU.

    Raises:
        EngineUnavailable: onnxruntime is not installed, or CUDA does not start on that GPU. The CPU is never used instead.
        WeightsInvalid: ONNX Runtime cannot read or build the network.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineUnavailable(
            "The engine onnxruntime needs the package onnxruntime. Run: pip install 'facegroup[onnxruntime]', or on a "
            "machine with a GPU: pip install 'facegroup[gpu]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # replicas share the machine
    providers = _providers(device, onnxruntime.get_available_providers())
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its errors have no common base but this
        raise WeightsInvalid(f"ONNX Runtime cannot run {path}: {said(error)}") from error
    if device != "cpu" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise EngineUnavailable(
            f"ONNX Runtime cannot start CUDA on {device}. Check the driver and the versions of CUDA and cuDNN that "
            "onnxruntime-gpu needs, or set num_gpus to 0."
        )
    return session


def said(error: BaseException) -> str:
    """Return the last line of an engine's error, which says what is wrong."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


def _providers(device: str, available: list[str]) -> list[Any]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in available:
        raise EngineUnavailable(
            f"This onnxruntime has no CUDA (it has {', '.join(available)}). Run: pip uninstall onnxruntime; "
            "pip install onnxruntime-gpu, or set num_gpus to 0."
        )
    # TF32 rounds to 10 bits: it is not the fp32 that was asked for.
    return [("CUDAExecutionProvider", {"device_id": device.removeprefix("gpu:"), "use_tf32": "0"})]
