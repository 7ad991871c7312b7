"""Runs a network and a learned projection after it: crops go in, x' = W·φ/‖φ‖ comes out, not normalised.

The base runs as it would by itself, on whatever engine and in whatever precision the settings ask for.
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
    """An `Engine` over the engine of the base.

    Args:
        base: runs the base.
        learned: what comes after it.
    """

    def __init__(self, base: Engine, learned: Projection) -> None:
        self._base = base
        self._transposed = np.ascontiguousarray(learned.matrix.T)
        self.name = base.name
        self.device = base.device

    def run(self, crops: Crops) -> Floats:
        """Return the projected embeddings of (n, s, s, 3) crops as (n, k) float32; what is not finite stays so."""
        return project(self._base.run(crops), self._transposed)

    def warm(self) -> None:
        """Make the base as fast as it will be."""
        self._base.warm()


def project(embeddings: Floats, transposed: Floats) -> Floats:
    """Return W·φ/‖φ‖ of (n, d) raw embeddings φ, with Wᵀ of (d, k); rows of zeros stay zeros."""
    norms = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # infinity over infinity: no number, and Embedder answers zeros for it
        rows = (embeddings / np.where(norms > 0, norms, 1)).astype(np.float32)
        return np.asarray(rows @ transposed, np.float32)


def opened(spec: NetworkSpec, base: NetworkSpec, settings: Settings) -> Projection:
    """Return the projection of a network, for the weights of the base that are here.

    Raises:
        WeightsInvalid: it is damaged, or was learned on other weights.
        SetupError: the base's weights are not to be had; see `weights.fetch`.
    """
    learned = projection.read(spec.name, base, settings)
    if settings.embedder.engine != "simulated" and (found := fingerprint(base, settings)) != learned.base_sha256:
        raise WeightsInvalid(
            f"{spec.name} was learned on other weights of {base.name} (fingerprint {learned.base_sha256[:16]}…) than "
            f"those here ({found[:16]}…): get those weights, or learn it anew under another name"
        )
    return learned


def fingerprint(base: NetworkSpec, settings: Settings) -> str:
    """Return a hash, of 64 hexadecimal digits, of the files that a network's weights are.

    Raises:
        SetupError: they are not to be had.
    """
    if base.weights:
        files = weights.fetch(base, settings)
    else:
        from facegroup.networks.dlib_engine import MODEL, model_file

        files = (model_file(MODEL),)
    return hashlib.sha256("\n".join(weights.sha256(path) for path in files).encode()).hexdigest()
