"""Creates the finder that the settings choose: a detector (`facegroup.detection.open_detector`) and an aligner."""

from facegroup.detection.detector import MTCNN, FaceDetector
from facegroup.detection.open_detector import open_mtcnn, open_yunet
from facegroup.networks.alignment import Aligner
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline import detector_file
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.open_liveness import open_liveness
from facegroup.pipeline.simulated_finder import SimulatedFinder
from facegroup.settings import Settings


def open_finder(settings: Settings, spec: NetworkSpec) -> Finder:
    """Return the finder that the settings choose, with crops for the network `spec`, not warmed up.

    Raises:
        EngineUnavailable: the engine cannot run the detector, or the device does not exist. No other one is used instead.
        WeightsMissing: a file of the detector or of the liveness detector is missing and cannot be downloaded.
        WeightsInvalid: it is damaged, or of another network.
    """
    wanted = settings.detector
    threads = wanted.threads or max(1, int(wanted.num_cpus))
    liveness = open_liveness(settings, threads)
    if wanted.engine == "simulated":
        return SimulatedFinder(settings, spec)
    return Finder(open_detector(settings, threads), Aligner(spec), settings.limits, wanted, max(2, threads), liveness)


def open_detector(settings: Settings, threads: int) -> FaceDetector:
    """Return the detector that the settings choose. Errors are those of `open_finder`."""
    wanted = settings.detector
    if wanted.model == MTCNN:
        return open_mtcnn(wanted, threads)
    spec, path = detector_file.fetched(settings)
    return open_yunet(spec, path, wanted, threads)
