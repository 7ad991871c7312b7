"""Opens the detector on the engine that the settings choose. Another detector, or another engine for it, is added here."""

import logging

from facegroup.detection.detector import FaceDetector
from facegroup.detection.mtcnn import Mtcnn
from facegroup.detection.nets import Nets
from facegroup.errors import EngineUnavailable
from facegroup.settings import Detector

log = logging.getLogger(__name__)


def open_detector(wanted: Detector, threads: int) -> FaceDetector:
    """Return the detector that the settings choose.

    Args:
        wanted: the settings of the detector.
        threads: that it computes on.

    Raises:
        EngineUnavailable: the engine cannot run the detector, or the device does not exist. No other one is used instead.
    """
    nets = _nets(wanted, threads)
    log.info("Detector mtcnn on %s, %s, %s", nets.name, nets.device, wanted.precision)
    return Mtcnn(nets)


def _nets(wanted: Detector, threads: int) -> Nets:
    engine = wanted.engine
    if engine == "auto":
        engine = "keras" if wanted.num_gpus > 0 else "openvino"
    if engine == "openvino" and wanted.num_gpus > 0:
        raise EngineUnavailable("The detector on openvino runs on a CPU only. Set detector.num_gpus to 0.")
    if engine == "openvino":
        from facegroup.detection.nets_openvino import OpenVinoNets

        return OpenVinoNets(threads, wanted.precision)
    if engine == "keras":
        if wanted.precision != "fp32":
            raise EngineUnavailable(
                f"The detector on keras does not support {wanted.precision}. Set detector.precision to fp32."
            )
        from facegroup.detection.nets_keras import KerasNets

        return KerasNets("gpu:0" if wanted.num_gpus > 0 else "cpu", threads)
    raise EngineUnavailable(f"The detector cannot run on the engine {engine}. It runs on openvino or keras.")
