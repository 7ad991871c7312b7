"""Opens the detector that the settings choose. Another detector, or another engine for one, is added here."""

import logging
from pathlib import Path

from facegroup.detection import yunet_check
from facegroup.detection.detector import FaceDetector
from facegroup.detection.mtcnn import THRESHOLDS, Mtcnn
from facegroup.detection.nets import Nets
from facegroup.detection.yunet import Yunet, YunetNet
from facegroup.detection.yunet_spec import YunetSpec
from facegroup.errors import EngineUnavailable
from facegroup.settings import Detector

log = logging.getLogger(__name__)


def open_mtcnn(wanted: Detector, threads: int) -> FaceDetector:
    """Return MTCNN, whose weights come with its package.

    Args:
        wanted: the settings of the detector.
        threads: that it computes on.

    Raises:
        EngineUnavailable: the engine cannot run the detector, or the device does not exist. No other one is used instead.
    """
    nets = _nets(wanted, threads)
    log.info("Detector mtcnn on %s, %s, %s", nets.name, nets.device, wanted.precision)
    return Mtcnn(nets, THRESHOLDS[2] if wanted.min_confidence is None else wanted.min_confidence)


def open_yunet(spec: YunetSpec, path: Path, wanted: Detector, threads: int) -> FaceDetector:
    """Return YuNet, or another network of its form.

    Args:
        spec: the network.
        path: its ONNX file.
        wanted: the settings of the detector.
        threads: that it computes on.

    Raises:
        EngineUnavailable: the engine cannot run the detector, or the device does not exist. No other one is used instead.
        WeightsInvalid: the file cannot be read, or is of another form.
    """
    net = _yunet(spec, path, wanted, threads)
    if spec.source:
        yunet_check.check(net, spec, path)
    log.info("Detector %s on %s, %s, %s", spec.name, net.name, net.device, wanted.precision)
    return Yunet(net, spec, wanted.min_confidence)


def _yunet(spec: YunetSpec, path: Path, wanted: Detector, threads: int) -> YunetNet:
    engine: str = wanted.engine
    if engine == "auto":
        engine = "onnxruntime" if wanted.num_gpus > 0 else "openvino"
    if engine == "openvino" and wanted.num_gpus > 0:
        raise EngineUnavailable("The detector on openvino runs on a CPU only. Set detector.num_gpus to 0.")
    if engine == "openvino":
        from facegroup.detection.yunet_openvino import OpenVinoYunet

        return OpenVinoYunet(spec, path, threads, wanted.precision)
    if engine == "onnxruntime":
        if wanted.precision != "fp32":
            raise EngineUnavailable(
                f"The detector on onnxruntime does not support {wanted.precision}. Set detector.precision to fp32."
            )
        from facegroup.detection.yunet_onnx import OnnxYunet

        return OnnxYunet(spec, path, "gpu:0" if wanted.num_gpus > 0 else "cpu", threads)
    raise EngineUnavailable(
        f"The detector {spec.name} cannot run on the engine {engine}. It runs on openvino or onnxruntime."
    )


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
