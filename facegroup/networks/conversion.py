"""A Keras network's weights go in, an OpenVINO IR comes out, from the user's cache after the first time.

The conversion runs in a process of its own, on TensorFlow: the server's process never holds its 980 MB. Keras's own
OpenVINO backend converts as exactly without TensorFlow, but leaves 269 transpositions in the ResNet-50, and runs at half
the speed.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from facegroup.errors import EngineUnavailable, FacegroupError, WeightsInvalid
from facegroup.networks.base import NetworkSpec
from facegroup.networks.file_lock import locked
from facegroup.networks.weights import sha256

_FILE = "network.xml"
_CHILD = "import sys; from facegroup.networks.conversion import main; main(*sys.argv[1:])"
_REFUSED = 3
_TIMEOUT = 600
# A conversion needs no GPU, and must not take the memory of one that serves.
_QUIET = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}

log = logging.getLogger(__name__)


def converted(spec: NetworkSpec, weights: Path, folder: Path, precision: str) -> Path:
    """Return the IR (.xml) of a Keras network with the given weights; convert it if that has not been done yet.

    The cache is keyed by the network, the precision, the contents of the weights file and the versions of the
    libraries that make the graph; an entry appears whole or not at all.

    Args:
        spec: the network.
        weights: its weights file, as released.
        folder: the cache.
        precision: arithmetic that the graph is made for.

    Raises:
        WeightsInvalid: the file is damaged or another network's.
        EngineUnavailable: a package that the conversion needs is missing, or it fails.
    """
    libraries = [f"{name} {_version(name)}" for name in ("openvino", "keras", "keras-vggface", "tensorflow")]
    key = hashlib.sha256("\n".join([spec.name, precision, sha256(weights), *libraries]).encode()).hexdigest()
    entry = folder / f"{spec.name}-{precision}-{key[:16]}"
    if (entry / _FILE).is_file():
        return entry / _FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / f"{entry.name}.lock"):
            if not (entry / _FILE).is_file():
                log.info("converting %s for OpenVINO: once, into %s", spec.name, entry)
                _convert(spec.name, weights, entry)
    except OSError as error:
        raise EngineUnavailable(f"the converted network cannot be kept in {folder}: {error}") from error
    return entry / _FILE


def main(network: str, weights: str, out: str) -> None:
    """Convert in this process, for `converted`: write the IR to `out`, or an error as JSON to stdout, and exit."""
    try:
        from facegroup.networks.release import Release
        from facegroup.networks.vggface import build

        # The converter would report its use to its makers; without the package it has a stand-in that does not.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        release = Release(Path(weights))  # before the seconds that TensorFlow takes
        model = build(network)
        release.into(model)
        model.export(out, format="openvino", verbose=False)
    except FacegroupError as error:
        sys.stdout.write(json.dumps({"code": error.code, "detail": error.detail}))
        raise SystemExit(_REFUSED) from None


def _convert(network: str, weights: Path, entry: Path) -> None:
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=entry.parent))
    try:
        _run(network, weights, making / _FILE)
        making.chmod(0o755)  # mkdtemp's is for its maker alone; a cache may be shared
        making.rename(entry)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _run(network: str, weights: Path, out: Path) -> None:
    path = os.pathsep.join(str(Path(folder).absolute()) for folder in sys.path)  # an empty entry is this folder
    surroundings = os.environ | {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": path, **_QUIET}
    command = [sys.executable, "-c", _CHILD, network, str(weights), str(out)]
    try:
        child = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise EngineUnavailable(f"{network} was not converted within {_TIMEOUT} seconds") from error
    if child.returncode == _REFUSED:
        said = json.loads(child.stdout.splitlines()[-1])
        kind = WeightsInvalid if said["code"] == WeightsInvalid.code else EngineUnavailable
        raise kind(said["detail"])
    if child.returncode != 0 or not out.is_file():
        last = (child.stderr.strip().splitlines() or [f"exit status {child.returncode}"])[-1]
        raise EngineUnavailable(f"{network} could not be converted for OpenVINO: {last}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
