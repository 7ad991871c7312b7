"""Turn crops into unit-length descriptors with the network and engine that the settings choose."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import EngineUnavailable
from facegroup.networks import known_descriptor, onnx_file, registry, weights
from facegroup.networks.known_descriptor import Known
from facegroup.networks.spec import ONNX, Engine, NetworkSpec
from facegroup.settings import Settings
from facegroup.types import Crops, Descriptors, Floats

log = logging.getLogger(__name__)

_PRECISIONS = {
    "openvino": ("fp32", "bf16", "int8"),
    "keras": ("fp32", "bf16", "fp16"),
    "onnxruntime": ("fp32",),
    "dlib": ("fp32",),
}
_ON_GPUS = ("keras", "onnxruntime")


class Embedder:
    """Class that computes descriptors with one network on an engine. Only one thread may use it at a time.

    Args:
        spec: the network.
        engine: the engine that runs it.
        fingerprint: hash of its weights and preprocessing, or empty (fingerprint.py).
        known: how far its embeddings of drawn faces are from the known ones; None if they were not compared.
    """

    def __init__(self, spec: NetworkSpec, engine: Engine, fingerprint: str = "", known: Known | None = None) -> None:
        self.spec = spec
        self.engine = engine
        self.fingerprint = fingerprint
        self.known = known

    def embed(self, crops: Crops) -> Descriptors:
        """Return the descriptors of (n, s, s, 3) uint8 RGB crops as (n, d) float32 of unit length; n may be 0.

        A crop with an unusable embedding (zeros, NaN, infinity) becomes a row of zeros and does not affect the others. Its
        similarity to everybody is 0, never NaN. See `failed`.
        """
        if len(crops) == 0:
            return np.empty((0, self.spec.dimension), np.float32)
        return unit(self.engine.run(crops))

    def about(self) -> dict[str, Any]:
        """Return the names of network, engine and device, its fingerprint and its licence, for /readyz."""
        return {
            "network": self.spec.name,
            "dimension": self.spec.dimension,
            "engine": self.engine.name,
            "device": self.engine.device,
            "fingerprint": self.fingerprint,
            "licence": self.spec.licence,
        }

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

    The engine ``auto`` is OpenVINO on a CPU, Keras or ONNX Runtime on a GPU, and dlib for dlib's own network. A network of
    one's own, and any ONNX file, is tried on drawn faces first (behaviour.py). What every network
    but a simulated one answers for two drawn faces is compared with what is known (known_descriptor.py).

    Raises:
        UnknownNetwork: no network has that name.
        EngineUnavailable: the engine cannot run this network or precision or is not installed, or the device does not
            exist. No other engine or precision is used instead. Or its descriptors are not the known ones.
        InvalidSettings: int8 is set without photos for calibration.
        WeightsMissing: the weights are missing and cannot be downloaded.
        WeightsInvalid: the weights are damaged or belong to another network, or its descriptors cannot be used.
    """
    from facegroup.networks.fingerprint import fingerprint

    spec = registry.spec(settings.network, settings)
    base = registry.spec(spec.base, settings) if spec.base else spec
    engine = raw = _engine(base, settings)
    known = None
    if settings.embedder.engine != "simulated":
        in_fp32 = settings.model_copy(update={"embedder": settings.embedder.model_copy(update={"precision": "fp32"})})
        known = known_descriptor.check(
            raw,
            base,
            settings.embedder.precision,
            lambda: fingerprint(base, settings),
            settings.cache_dir / "known",
            lambda: _engine(base, in_fp32),
        )
    if spec.base:
        engine = _projected(raw, spec, base, settings)
    log.info("Network %s on %s, %s, %s", spec.name, engine.name, engine.device, settings.embedder.precision)
    return Embedder(spec, engine, fingerprint(spec, settings), known)


def _projected(engine: Engine, spec: NetworkSpec, base: NetworkSpec, settings: Settings) -> Engine:
    from facegroup.networks.projected_engine import ProjectedEngine, opened

    return ProjectedEngine(engine, opened(spec, base, settings))


def _engine(spec: NetworkSpec, settings: Settings) -> Engine:
    wanted = settings.embedder
    name: str = wanted.engine
    if name == "simulated":
        from facegroup.networks.simulated import SimulatedEngine

        return SimulatedEngine(spec, wanted.batch, wanted.simulated_ms)
    if name == "auto":
        name = next((each for each in spec.engines if each in _ON_GPUS and wanted.num_gpus > 0), spec.engines[0])
    if name not in spec.engines:
        raise EngineUnavailable(
            f"Network {spec.name} cannot run on the engine {name}. It runs on {' or '.join(spec.engines)}."
        )
    if wanted.num_gpus > 0 and name not in _ON_GPUS:
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
    device = "gpu:0" if wanted.num_gpus > 0 else "cpu"
    if name == "keras":
        from facegroup.networks.keras_engine import KerasEngine

        path = weights.fetch(spec, settings)[0]
        return KerasEngine.of(spec, path, device, threads, wanted.batch, wanted.precision)
    if name == "openvino":
        from facegroup.engines.precision import require_native

        require_native(wanted.precision)  # fails before minutes of download and conversion
    files = weights.fetch(spec, settings)
    if files[0].suffix.lower() == ONNX:
        onnx_file.checked(spec, files)
    if name == "openvino":
        engine = _openvino(spec, files, settings)
    else:
        from facegroup.networks.onnx_engine import OnnxEngine

        engine = OnnxEngine(spec, files[0], device, threads, wanted.batch)
    if spec.is_tried:
        _try(engine, spec, files, settings)
    return engine


def _openvino(spec: NetworkSpec, files: tuple[Path, ...], settings: Settings) -> Engine:
    from facegroup.networks.openvino_engine import OpenVinoEngine

    wanted, path = settings.embedder, files[0]
    threads = wanted.threads or max(1, int(wanted.num_cpus))
    cache = settings.cache_dir / "openvino"
    if path.suffix == ".h5":
        from facegroup.networks.conversion import converted

        path = converted(spec, path, cache)
    if wanted.precision == "int8":
        from facegroup.networks.quantization import quantised

        if path.suffix.lower() == ONNX:
            from facegroup.networks.ir import as_ir

            path = as_ir(spec, files, cache)
        path = quantised(spec, path, wanted.calibration, cache, threads)
    return OpenVinoEngine(spec, path, threads, wanted.batch, wanted.precision)


def _try(engine: Engine, spec: NetworkSpec, files: tuple[Path, ...], settings: Settings) -> None:
    """Try an engine on drawn faces. int8 has its own check, on real faces, when it is made (quantization.py)."""
    from facegroup.networks import behaviour

    precision = settings.embedder.precision
    behaviour.check(engine, spec, files[0], precision)
    if precision == "bf16":
        wanted = settings.embedder.model_copy(update={"precision": "fp32"})
        in_fp32 = settings.model_copy(update={"embedder": wanted})
        near = behaviour.check_precision(engine, spec, precision, lambda: _openvino(spec, files, in_fp32))
        log.info("Network %s in %s: %s", spec.name, precision, near)
