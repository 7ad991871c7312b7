"""Create the finder that the settings choose, on the engine for its detector."""

import logging

from facegroup.detection.mtcnn import Mtcnn
from facegroup.detection.nets import Nets
from facegroup.errors import EngineUnavailable
from facegroup.networks.alignment import Aligner
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.simulated_finder import SimulatedFinder
from facegroup.settings import Settings

log = logging.getLogger(__name__)


def open_finder(settings: Settings, spec: NetworkSpec) -> Finder:
    """Return the finder that the settings choose, with crops for the network `spec`, not warmed up.

    Raises:
        EngineUnavailable: the engine cannot run the detector, or the device does not exist. No other one is used instead.
    """
    wanted = settings.detector
    if wanted.engine == "simulated":
        return SimulatedFinder(settings, spec)
    threads = wanted.threads or max(1, int(wanted.num_cpus))
    nets = _nets(settings, threads)
    log.info("Detector mtcnn on %s, %s, %s", nets.name, nets.device, wanted.precision)
    return Finder(Mtcnn(nets), Aligner(spec), settings.limits, wanted, max(2, threads))


def _nets(settings: Settings, threads: int) -> Nets:
    wanted = settings.detector
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
