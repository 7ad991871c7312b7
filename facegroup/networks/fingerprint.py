"""Compute the fingerprint of a network: it changes with everything that changes a descriptor, and with nothing else."""

import hashlib
import json
from collections.abc import Iterable

from facegroup.errors import SetupError
from facegroup.networks import projected_engine, projection, registry, weights
from facegroup.networks.spec import TEMPLATES, NetworkSpec
from facegroup.settings import Settings

_DIGITS = 9  # of a number of the preprocessing


def fingerprint(spec: NetworkSpec, settings: Settings) -> str:
    """Return a network's fingerprint: 64 hexadecimal digits, or empty for a simulated network, which has no weights.

    It is the sha256 of the hashes of its weights files, of its alignment and its preprocessing, and of a projection's
    matrix. The name of the network, the names of its files, the engine and the precision are not part of it.

    Raises:
        SetupError: its weights are not available; see `weights.fetch`.
    """
    if settings.embedder.engine == "simulated":
        return ""
    base = registry.spec(spec.base, settings) if spec.base else spec
    made_of = {
        "files": projected_engine.fingerprint(base, settings),
        "crop": base.crop,
        "points": [_rounded(point) for point in base.points or TEMPLATES.get(base.crop, ())],
        "margin": round(base.margin, _DIGITS),
        "framed": base.framed,
        "size": base.size,
        "channels": base.channels,
        "mean": _rounded(base.mean),
        "scale": _rounded(base.scale),
        "dimension": base.dimension,
        "matrix": list(projection.tag(settings)) if spec.base else [],
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def known(spec: NetworkSpec, settings: Settings) -> str:
    """Return a network's fingerprint if its files are on this machine and can be used, or "". Nothing is downloaded."""
    try:
        base = registry.spec(spec.base, settings) if spec.base else spec
        return fingerprint(spec, settings) if weights.ready(base, settings) else ""
    except SetupError:
        return ""


def _rounded(numbers: Iterable[float]) -> list[float]:
    return [round(float(each), _DIGITS) for each in numbers]
