"""Run a network followed by a learned projection, x' = W·φ/‖φ‖.

The base network runs as usual, on the engine and in the precision of the settings.
"""

import hashlib

import numpy as np

from facegroup.errors import WeightsInvalid
from facegroup.networks import projection, weights
from facegroup.networks.projection import Projection
from facegroup.networks.spec import Engine, NetworkSpec
from facegroup.settings import Settings
from facegroup.types import Crops, Floats


class ProjectedEngine:
    """`Engine` that applies a projection to the output of another engine.

    Args:
        base: the engine of the base network.
        learned: the projection.
    """

    def __init__(self, base: Engine, learned: Projection) -> None:
        self._base = base
        self._transposed = np.ascontiguousarray(learned.matrix.T)
        self.name = base.name
        self.device = base.device

    def run(self, crops: Crops) -> Floats:
        """Return the projected embeddings of (n, s, s, 3) crops as (n, k) float32, not normalised. NaN and infinity stay."""
        return project(self._base.run(crops), self._transposed)

    def warm(self) -> None:
        """Warm up the base engine."""
        self._base.warm()


def project(embeddings: Floats, transposed: Floats) -> Floats:
    """Return W·φ/‖φ‖ of (n, d) raw embeddings φ, with Wᵀ of (d, k). Rows of zeros stay zeros."""
    norms = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # infinity / infinity is NaN, which Embedder turns into zeros
        rows = (embeddings / np.where(norms > 0, norms, 1)).astype(np.float32)
        return np.asarray(rows @ transposed, np.float32)


def opened(spec: NetworkSpec, base: NetworkSpec, settings: Settings) -> Projection:
    """Return the projection of a network, after checking that it belongs to the base's weights on this machine.

    Raises:
        WeightsInvalid: it is damaged, or was learned on other weights.
        SetupError: the base's weights are not available; see `weights.fetch`.
    """
    learned = projection.read(spec.name, base, settings)
    if settings.embedder.engine != "simulated" and (found := fingerprint(base, settings)) != learned.base_sha256:
        raise WeightsInvalid(
            f"{spec.name} was learned on other weights of {base.name} (fingerprint {learned.base_sha256[:16]}…) than "
            f"those here ({found[:16]}…). Install those weights, or train it again under another name."
        )
    return learned


def fingerprint(base: NetworkSpec, settings: Settings) -> str:
    """Return a hash of a network's weights files, as 64 hexadecimal digits.

    Raises:
        SetupError: they are not available.
    """
    if base.weights:
        files = weights.fetch(base, settings)
    else:
        from facegroup.networks.dlib_engine import MODEL, model_file

        files = (model_file(MODEL),)
    return hashlib.sha256("\n".join(weights.sha256(path) for path in files).encode()).hexdigest()
