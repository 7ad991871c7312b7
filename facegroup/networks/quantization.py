"""Quantise an OpenVINO IR from fp32 to int8, calibrated on real faces and checked on others.

It uses NNCF's post-training quantisation (MIXED: symmetric weights, asymmetric activations; fast bias correction), once, in
a child process. A server that finds the quantised network in the cache needs neither NNCF nor the photos.
"""

import hashlib
import json
import logging
from pathlib import Path

from facegroup.engines import worker_process
from facegroup.engines.precision import LEAST, Agreement, agreement, narrow_weights, require_native
from facegroup.errors import EngineUnavailable, InvalidSettings
from facegroup.networks import cache, calibration_photos
from facegroup.networks.pixels import network_pixels
from facegroup.networks.spec import NetworkSpec
from facegroup.networks.weights import sha256
from facegroup.types import Crops, Floats

RECORD = "agreement.json"
"""File beside the IR with its agreement with fp32 and the versions it was made with."""

_CHILD = "import sys; from facegroup.pipeline.quantizing import main; main(*sys.argv[1:])"
_TIMEOUT = 3600

log = logging.getLogger(__name__)


def quantised(spec: NetworkSpec, ir: Path, calibration: Path | None, folder: Path, threads: int) -> Path:
    """Return the IR of a network in int8, quantising it if that has not been done with these photos yet.

    The cache is keyed by the network, its weights, the versions of openvino and nncf, the photos, and how much of their
    range weights may use on this CPU. Without photos, the newest entry for these weights is used, of any nncf version if
    nncf is not installed.

    Args:
        spec: the network.
        ir: its fp32 IR, with the weights beside it.
        calibration: a folder of photos with faces, or None to use only the cache.
        folder: the cache.
        threads: number of threads for the work.

    Raises:
        InvalidSettings: there are no photos to calibrate on, and the cache has no entry.
        EngineUnavailable: nncf is not installed, this CPU has no instructions for int8, or the result differs too much from
            fp32.
    """
    require_native("int8")
    nncf = cache.release("nncf")
    weights = [sha256(ir), sha256(ir.with_suffix(".bin"))]
    bits = ["7 bits"] if narrow_weights() else []  # other CPUs run both; older keys, without it, mean 8 bits
    key = hashlib.sha256("\n".join([spec.name, *weights, cache.release("openvino"), *bits]).encode()).hexdigest()
    stem = f"{spec.name}-int8-{key[:16]}"
    if calibration is None:
        return _logged(_newest(folder, f"{stem}-{'*' if nncf == 'absent' else f'nncf{nncf}'}-*", spec))

    photos = calibration_photos.chosen(calibration)
    photographed = calibration_photos.fingerprint(photos)[:16]
    before = sorted(folder.glob(f"{stem}-nncf*-{photographed}/{cache.IR}")) if nncf == "absent" else []
    if before:
        return _logged(before[-1])
    if nncf == "absent":
        raise EngineUnavailable("Quantising to int8 needs the package nncf. Run: pip install 'facegroup[int8]'")
    entry = folder / f"{stem}-nncf{nncf}-{photographed}"

    def quantise(making: Path) -> None:
        log.info("Quantising %s to %s. This is done once.", spec.name, entry)
        arguments = (spec.setting, ir, calibration.absolute(), threads, making / cache.IR)
        worker_process.run(
            _CHILD, arguments, f"quantising {spec.name}", f"{spec.name} could not be quantised", _TIMEOUT
        )

    return _logged(cache.made(entry, quantise))


def ready(spec: NetworkSpec, folder: Path) -> bool:
    """Return whether the cache has the network in int8 for this CPU, with any weights."""
    records = folder.glob(f"{spec.base or spec.name}-int8-*/{RECORD}")
    return any(json.loads(record.read_text()).get("narrow", False) == narrow_weights() for record in records)


def quantise(spec: NetworkSpec, ir: Path, crops: Crops, out: Path, report: worker_process.Report) -> None:
    """Write a network in int8 to `out`, calibrated on (n, s, s, 3) uint8 RGB crops.

    Raises:
        EngineUnavailable: nncf or openvino is not installed.
    """
    try:
        import nncf
        import openvino
        from nncf.quantization.advanced_parameters import OverflowFix
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet
    except ImportError as error:
        raise EngineUnavailable(f"The package nncf cannot start: {error}") from error
    from facegroup.networks.openvino_engine import opened

    nncf.set_log_level(logging.ERROR)
    network = opened(spec, ir)

    def network_input(index: int) -> Floats:
        report("calibrating", index, len(crops))
        return network_pixels(crops[index : index + 1], spec, network.layout)

    data = nncf.Dataset(range(len(crops)), network_input)
    # NNCF's default, the mean of each crop's extremes, cuts off the outputs of distinct faces: on LFW and crowds it gives
    # retail-0095 a mean cosine of 0.978; the extremes over all crops give 0.992.
    ranges = nncf.AdvancedQuantizationParameters(
        activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
        overflow_fix=OverflowFix.ENABLE if narrow_weights() else None,
    )
    made = nncf.quantize(
        network.model,
        data,
        preset=nncf.QuantizationPreset.MIXED,
        fast_bias_correction=True,
        subset_size=len(crops),
        advanced_parameters=ranges,
    )
    openvino.save_model(made, out, compress_to_fp16=False)


def check(spec: NetworkSpec, ir: Path, made: Path, crops: Crops, threads: int) -> Agreement:
    """Compare a network in int8 with fp32 on (n, s, s, 3) crops on which it was not calibrated.

    Raises:
        EngineUnavailable: they differ too much; the message has the figure.
    """
    from facegroup.networks.openvino_engine import OpenVinoEngine

    def run(path: Path, precision: str) -> Floats:
        return OpenVinoEngine(spec, path, threads, precision=precision).run(crops)

    found = agreement(run(ir, "fp32"), run(made, "int8"))
    if not found.mean >= LEAST["int8"]:
        raise EngineUnavailable(
            f"{spec.name} in int8 is too far from fp32: {found}. The mean must be at least {LEAST['int8']}. "
            "Set embedder.precision to bf16 or fp32, or embedder.calibration to more and more typical photos."
        )
    return found


def _newest(folder: Path, pattern: str, spec: NetworkSpec) -> Path:
    found = sorted(folder.glob(f"{pattern}/{cache.IR}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise InvalidSettings(
            "embedder.precision int8 needs embedder.calibration. Set it to a folder of photos with faces: "
            f"{spec.name} has not been quantised on this machine yet ({folder})."
        )
    return found[-1]


def _logged(path: Path) -> Path:
    record = json.loads(path.with_name(RECORD).read_text())
    found = Agreement(*(record[field] for field in Agreement.__dataclass_fields__))
    log.info("Network %s in int8: %s", record["network"], found)
    return path
