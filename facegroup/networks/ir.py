"""Write an ONNX file as an OpenVINO IR, once, and keep it in the user's cache: int8 is made from an IR."""

import hashlib
import logging
from pathlib import Path

from facegroup.networks import cache
from facegroup.networks.spec import NetworkSpec
from facegroup.networks.weights import sha256

log = logging.getLogger(__name__)


def as_ir(spec: NetworkSpec, files: tuple[Path, ...], folder: Path) -> Path:
    """Return the fp32 IR (.xml) of a network's ONNX file.

    Args:
        spec: the network.
        files: its files, the ONNX file first.
        folder: the cache.

    Raises:
        WeightsInvalid: OpenVINO cannot read the file.
        EngineUnavailable: the cache cannot be written.
    """
    key = hashlib.sha256("\n".join([*map(sha256, files), cache.release("openvino")]).encode()).hexdigest()

    def write(making: Path) -> None:
        import openvino

        from facegroup.networks.openvino_engine import opened

        opened(spec, files[0])  # refuses what cannot be read, in its own words
        openvino.save_model(openvino.Core().read_model(files[0]), making / cache.IR, compress_to_fp16=False)
        log.info("Wrote %s for OpenVINO to %s. This is done once.", spec.name, folder)

    return cache.made(folder / f"{spec.name}-fp32-{key[:16]}", write)
