"""Run dlib's face recognition ResNet on a CPU."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from facegroup.engines.batch_sizes import BUCKETS
from facegroup.errors import EngineUnavailable, WeightsInvalid
from facegroup.networks.spec import NetworkSpec
from facegroup.types import Crops, Floats

MODEL = "dlib_face_recognition_resnet_model_v1.dat"
"""The network's file in the package face_recognition_models."""


def model_file(name: str) -> Path:
    """Return a file of the package face_recognition_models.

    The package is located without importing it, because it imports pkg_resources, which newer setuptools lack.

    Raises:
        EngineUnavailable: the package or the file does not exist.
    """
    package = find_spec("face_recognition_models")
    if package is None or not package.submodule_search_locations:
        raise EngineUnavailable(_needs("face_recognition_models"))
    path = Path(package.submodule_search_locations[0]) / "models" / name
    if not path.is_file():
        raise EngineUnavailable(f"{path} does not exist. Reinstall face_recognition_models.")
    return path


def library() -> Any:
    """Return the module dlib.

    Raises:
        EngineUnavailable: it is not installed.
    """
    try:
        import dlib
    except ImportError as error:
        raise EngineUnavailable(_needs("dlib")) from error
    return dlib


class DlibEngine:
    """`Engine` on dlib's face_recognition_model_v1.

    Args:
        spec: the network.
        batch: most chips in one call.

    Raises:
        EngineUnavailable: the extra "dlib" is not installed.
        WeightsInvalid: dlib cannot read the model file.
    """

    name = "dlib"
    device = "cpu"

    def __init__(self, spec: NetworkSpec, batch: int = BUCKETS[-1]) -> None:
        dlib, path = library(), model_file(MODEL)
        self._spec = spec
        self._batch = batch
        try:
            self._network = dlib.face_recognition_model_v1(str(path))
        except RuntimeError as error:
            raise WeightsInvalid(f"dlib cannot read {path}: {error}") from error

    def run(self, crops: Crops) -> Floats:
        """Return the raw embeddings of (n, 150, 150, 3) uint8 RGB chips as (n, 128) float32, not normalised."""
        rows = [
            np.asarray(descriptor, np.float32)
            for start in range(0, len(crops), self._batch)
            for descriptor in self._network.compute_face_descriptor(
                [np.ascontiguousarray(chip) for chip in crops[start : start + self._batch]]
            )
        ]
        return np.stack(rows)

    def warm(self) -> None:
        """Run the network once."""
        self.run(np.zeros((1, self._spec.size, self._spec.size, 3), np.uint8))


def _needs(package: str) -> str:
    return f"The engine dlib needs the package {package}. Run: pip install 'facegroup[dlib]'"
