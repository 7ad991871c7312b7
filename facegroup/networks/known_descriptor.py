"""Compare what a network answers for two drawn faces with what it answered before, at every start.

A broken library, or a wrong order of channels, raises no error: the numbers are other numbers. For networks that can be had
here they are in the folder `recorded`. For the others those of the first run, in fp32, are kept in the cache.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegroup.errors import EngineUnavailable
from facegroup.networks.spec import Engine, NetworkSpec
from facegroup.types import Crops, Floats

MOST = {"fp32": 0.02, "bf16": 0.05, "fp16": 0.05, "int8": 0.3}
"""Greatest distance of an embedding from the known one in fp32, as a share of the known one's length, by precision.

With swapped channels it is 0.57 for retail-0095 and 0.16 for dlib-resnet29; retail-0095 in bf16 has 0.024.
"""

_ON_GPU = 0.05  # TensorFlow multiplies fp32 in TF32 there
_FACES = 2
_RECORDED = Path(__file__).parent / "recorded"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """Result of a comparison.

    Attributes:
        source: `recorded`, `first run`, or `new` if this run was the first.
        distance: greatest distance of an embedding from the known one, as a share of the known one's length.
        most: the greatest that is allowed.
    """

    source: str
    distance: float
    most: float


def check(
    engine: Engine,
    spec: NetworkSpec,
    precision: str,
    fingerprint: Callable[[], str],
    folder: Path,
    in_fp32: Callable[[], Engine],
) -> Known:
    """Compare a network's embeddings of drawn faces with the known ones, and refuse others.

    Args:
        engine: the engine that runs it.
        spec: the network.
        precision: the precision that it runs in.
        fingerprint: returns that of the network (fingerprint.py); called if nothing is recorded.
        folder: where values of first runs are kept. If it cannot be written, nothing is kept, and the log says so.
        in_fp32: opens the same network in fp32; called if this run is the first and in another precision.

    Raises:
        EngineUnavailable: they are too far from the known ones; the message has the figure.
    """
    crops = _drawn(spec.size)
    found = engine.run(crops)
    most = max(MOST[precision], _ON_GPU) if engine.device.startswith("gpu") else MOST[precision]
    picture = hashlib.sha256(crops.tobytes()).hexdigest()
    removal = ""
    known, source = recorded(spec, picture), "recorded"
    if known is None:
        path = folder / f"{fingerprint()[:32]}-{picture[:16]}.json"
        known, source = _read(path, found.shape), "first run"
        removal = f" If the change is meant, remove {path}."
        if known is None:
            known, source, removal = (found if precision == "fp32" else in_fp32().run(crops)), "new", ""
            if np.isfinite(known).all():
                _keep(path, known)
    distance = _distance(found, known)
    if not distance <= most:
        raise EngineUnavailable(
            f"{spec.name} on {engine.name} in {precision} gives other numbers for drawn faces than it should (distance "
            f"{distance:.3g} from {_NAMES[source]}, at most {most:g}). A library is broken, or the order of channels is "
            f"wrong. Install the releases of requirements.lock again.{removal}"
        )
    log.debug("Network %s: distance %.3g from the known embeddings (%s)", spec.name, distance, source)
    return Known(source, distance, most)


_NAMES = {"recorded": "the recorded ones", "first run": "those of its first run here", "new": "those in fp32"}


def recorded(spec: NetworkSpec, picture: str) -> Floats | None:
    """Return the recorded embeddings of a network, or None if there are none for this picture.

    Args:
        spec: the network. One that a YAML file describes has none.
        picture: sha256 of the drawn faces. Another release of OpenCV may draw others.
    """
    path = _RECORDED / f"{spec.name}.json"
    if spec.source or not path.is_file():
        return None
    record = json.loads(path.read_text())
    return np.asarray(record["embeddings"], np.float32) if record["picture"] == picture else None


def as_record(engine: Engine, size: int) -> str:
    """Return the content of a file of the folder `recorded` for a network in fp32, with crops of this size."""
    crops = _drawn(size)
    rows = [[float(f"{number:.5g}") for number in row] for row in engine.run(crops)]
    return json.dumps({"picture": hashlib.sha256(crops.tobytes()).hexdigest(), "embeddings": rows}) + "\n"


def _drawn(size: int) -> Crops:
    from facegroup.networks import drawn_faces  # and with it OpenCV, which few processes need

    return drawn_faces.faces(size, _FACES)


def _distance(found: Floats, known: Floats) -> float:
    if found.shape != known.shape or not np.isfinite(found).all():
        return float("inf")
    apart = np.linalg.norm(found.astype(np.float64) - known, axis=1)
    return float((apart / np.maximum(np.linalg.norm(known.astype(np.float64), axis=1), 1e-30)).max())


def _read(path: Path, shape: tuple[int, ...]) -> Floats | None:
    """Return the embeddings of the first run, or None if there are none that can be read."""
    try:
        known = np.asarray(json.loads(path.read_text()), np.float32)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s cannot be read and is made again: %s", path, error)
        return None
    return known if known.shape == shape and np.isfinite(known).all() else None


def _keep(path: Path, known: Floats) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(known.tolist()))
        part.replace(path)
    except OSError as error:
        log.warning("The embeddings of the first run cannot be kept in %s: %s", path.parent, error)
