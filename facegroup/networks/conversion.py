"""A Keras network's weights go in, an OpenVINO IR comes out, from the user's cache after the first time.

The conversion runs in a process of its own, on TensorFlow: the server's process never holds its 980 MB. Keras's own
OpenVINO backend converts as exactly without TensorFlow, but leaves 269 transpositions in the ResNet-50, and runs at half
the speed.
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
    """Return the IR (.xml) of a Keras network with the given weights, in fp32; convert it if that is not done yet.

    The cache is keyed by the network, the contents of the weights file and the versions of the libraries that make the
    graph; an entry appears whole or not at all. A graph that is to run in bf16 is the same graph.

    Args:
        spec: the network.
        weights: its weights file, as released.
        folder: the cache.

    Raises:
        WeightsInvalid: the file is damaged or another network's.
        EngineUnavailable: a package that the conversion needs is missing, or it fails.
    """
    libraries = [f"{name} {cache.release(name)}" for name in ("openvino", "keras", "keras-vggface", "tensorflow")]
    key = hashlib.sha256("\n".join([spec.name, "fp32", sha256(weights), *libraries]).encode()).hexdigest()
    entry = folder / f"{spec.name}-fp32-{key[:16]}"

    def convert(making: Path) -> None:
        log.info("converting %s for OpenVINO: once, into %s", spec.name, entry)
        failure = f"{spec.name} could not be converted for OpenVINO"
        worker_process.run(
            _CHILD, (spec.name, weights, making / cache.IR), f"converting {spec.name}", failure, _TIMEOUT
        )

    return cache.made(entry, convert)


def main(network: str, weights: str, out: str) -> None:
    """Convert in this process, for `converted`: write the IR to `out`."""
    with worker_process.reporting() as report:
        from facegroup.networks.vggface import build
        from facegroup.networks.vggface_weights import Release

        # The converter would report its use to its makers; without the package it has a stand-in that does not.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        report("weights", 0, 0)
        release = Release(Path(weights))  # before the seconds that TensorFlow takes
        report("building", 0, 0)
        model = build(network)
        release.into(model)
        report("writing", 0, 0)
        model.export(out, format="openvino", verbose=False)
