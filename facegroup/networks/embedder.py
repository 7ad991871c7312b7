"""Turn crops into unit-length descriptors with the network and engine that the settings choose."""

import logging

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import EngineUnavailable
from facegroup.networks import registry, weights
from facegroup.networks.spec import Engine, NetworkSpec
from facegroup.settings import Settings
from facegroup.types import Crops, Descriptors, Floats

log = logging.getLogger(__name__)

_PRECISIONS = {"openvino": ("fp32", "bf16", "int8"), "keras": ("fp32", "bf16", "fp16"), "dlib": ("fp32",)}


class Embedder:
    """Class that computes descriptors with one network on an engine. Only one thread may use it at a time.

    Args:
        spec: the network.
        engine: the engine that runs it.
    """

    def __init__(self, spec: NetworkSpec, engine: Engine) -> None:
        self.spec = spec
        self.engine = engine

    def embed(self, crops: Crops) -> Descriptors:
        """Return the descriptors of (n, s, s, 3) uint8 RGB crops as (n, d) float32 of unit length; n may be 0.

        A crop with an unusable embedding (zeros, NaN, infinity) becomes a row of zeros and does not affect the others. Its
        similarity to everybody is 0, never NaN. See `failed`.
        """
        if len(crops) == 0:
            return np.empty((0, self.spec.dimension), np.float32)
        return unit(self.engine.run(crops))

    def warm(self) -> None:
        """Warm up the engine, so that the first request is as fast as the next."""
        self.engine.warm()


def unit(embeddings: Floats) -> Descriptors:
    """Return (n, d) embeddings divided by their L2 norms, with zeros for rows that have no finite, positive norm."""
    rows = embeddings.astype(np.float64)
    rows[~np.isfinite(rows).all(axis=1)] = 0
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1)).astype(np.float32)


def unit_mean(rows: Floats) -> Floats:
    """Return the mean of (n, d) rows, n ≥ 1, scaled to unit length, or zeros if they cancel out."""
    mean: Floats = unit(np.mean(rows, axis=0, dtype=np.float64, keepdims=True))[0]
    return mean


def failed(descriptors: Descriptors) -> NDArray[np.bool_]:
    """Return which rows of (n, d) descriptors are zeros. They match nobody and must not be enrolled."""
    return np.logical_not(descriptors.any(axis=1))


def open_embedder(settings: Settings) -> Embedder:
    """Return the embedder that the settings choose, with its weights found or downloaded, but not warmed up.

    The engine ``auto`` is OpenVINO on a CPU, Keras on a GPU, and dlib for dlib's own network.

    Raises:
        UnknownNetwork: no network has that name.
        EngineUnavailable: the engine cannot run this network or precision or is not installed, or the device does not
            exist. No other engine or precision is used instead.
        InvalidSettings: int8 is set without photos for calibration.
        WeightsMissing: the weights are missing and cannot be downloaded.
        WeightsInvalid: the weights are damaged or belong to another network.
    """
    spec = registry.spec(settings.network, settings)
    engine = _projected(spec, settings) if spec.base else _engine(spec, settings)
    log.info("Network %s on %s, %s, %s", spec.name, engine.name, engine.device, settings.embedder.precision)
    return Embedder(spec, engine)


def _projected(spec: NetworkSpec, settings: Settings) -> Engine:
    from facegroup.networks.projected_engine import ProjectedEngine, opened

    base = registry.spec(spec.base)
    learned = opened(spec, base, settings)
    return ProjectedEngine(_engine(base, settings), learned)


def _engine(spec: NetworkSpec, settings: Settings) -> Engine:
    wanted = settings.embedder
    name: str = wanted.engine
    if name == "simulated":
        from facegroup.networks.simulated import SimulatedEngine

        return SimulatedEngine(spec, wanted.batch, wanted.simulated_ms)
    if name == "auto":
        name = "keras" if wanted.num_gpus > 0 and "keras" in spec.engines else spec.engines[0]
    if name not in spec.engines:
        raise EngineUnavailable(
            f"Network {spec.name} cannot run on the engine {name}. It runs on {' or '.join(spec.engines)}."
        )
    if wanted.num_gpus > 0 and name != "keras":
        raise EngineUnavailable(
            f"num_gpus is {wanted.num_gpus:g}, but {spec.name} on {name} runs only on a CPU. Set num_gpus to 0."
        )
    if wanted.precision not in _PRECISIONS[name]:
        raise EngineUnavailable(
            f"The engine {name} does not support {wanted.precision}. Set precision to {', '.join(_PRECISIONS[name])}."
        )
    threads = wanted.threads or max(1, int(wanted.num_cpus))
    if name == "dlib":
        from facegroup.networks.dlib_engine import DlibEngine

        return DlibEngine(spec, batch=wanted.batch)
    if name == "openvino":
        return _openvino(spec, settings, threads)
    from facegroup.networks.keras_engine import KerasEngine

    device = "gpu:0" if wanted.num_gpus > 0 else "cpu"
    path = weights.fetch(spec, settings)[0]
    return KerasEngine.of(spec, path, device, threads, wanted.batch, wanted.precision)


def _openvino(spec: NetworkSpec, settings: Settings, threads: int) -> Engine:
    from facegroup.engines.precision import require_native
    from facegroup.networks.openvino_engine import OpenVinoEngine

    wanted = settings.embedder
    require_native(wanted.precision)  # fails before minutes of download and conversion
    cache = settings.cache_dir / "openvino"
    path = weights.fetch(spec, settings)[0]
    if path.suffix != ".xml":
        from facegroup.networks.conversion import converted

        path = converted(spec, path, cache)
    if wanted.precision == "int8":
        from facegroup.networks.quantization import quantised

        path = quantised(spec, path, wanted.calibration, cache, threads)
    return OpenVinoEngine(spec, path, threads, wanted.batch, wanted.precision)
