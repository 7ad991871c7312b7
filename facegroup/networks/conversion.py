"""Convert a Keras network to an OpenVINO IR, once, and keep it in the user's cache.

The conversion runs in a child process with TensorFlow, so that the server's process never holds its 980 MB. Keras's own
OpenVINO backend needs no TensorFlow and is as exact, but leaves 269 transpositions in the ResNet-50 and halves its speed.
"""

import hashlib
import logging
import sys
from pathlib import Path

from facegroup.engines import worker_process
from facegroup.networks import cache
from facegroup.networks.spec import NetworkSpec
from facegroup.networks.weights import sha256

_CHILD = "import sys; from facegroup.networks.conversion import main; main(*sys.argv[1:])"
_TIMEOUT = 600

log = logging.getLogger(__name__)


def converted(spec: NetworkSpec, weights: Path, folder: Path) -> Path:
    """Return the fp32 IR (.xml) of a Keras network with the given weights, converting it if it is not in the cache.

    The cache is keyed by the network, the contents of the weights file and the versions of the libraries that make the
    graph. The same graph is used for bf16.

    Args:
        spec: the network.
        weights: its weights file, as released.
        folder: the cache.

    Raises:
        WeightsInvalid: the file is damaged or belongs to another network.
        EngineUnavailable: the conversion fails, or a package for it is missing.
    """
    libraries = [f"{name} {cache.release(name)}" for name in ("openvino", "keras", "keras-vggface", "tensorflow")]
    key = hashlib.sha256("\n".join([spec.name, "fp32", sha256(weights), *libraries]).encode()).hexdigest()
    entry = folder / f"{spec.name}-fp32-{key[:16]}"

    def convert(making: Path) -> None:
        log.info("Converting %s for OpenVINO to %s. This is done once.", spec.name, entry)
        failure = f"{spec.name} could not be converted for OpenVINO"
        worker_process.run(
            _CHILD, (spec.name, weights, making / cache.IR), f"converting {spec.name}", failure, _TIMEOUT
        )

    return cache.made(entry, convert)


def main(network: str, weights: str, out: str) -> None:
    """Convert in this process, as the child of `converted`, and write the IR to `out`."""
    with worker_process.reporting() as report:
        from facegroup.networks.vggface import build
        from facegroup.networks.vggface_weights import Release

        # The converter would send usage data; without this package it uses a stand-in that does not.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        report("weights", 0, 0)
        release = Release(Path(weights))  # fails before the seconds that TensorFlow takes to start
        report("building", 0, 0)
        model = build(network)
        release.into(model)
        report("writing", 0, 0)
        model.export(out, format="openvino", verbose=False)
