"""Opens the liveness detector that the settings choose, with its weights found or downloaded."""

import logging

from facegroup.errors import EngineUnavailable
from facegroup.liveness.detector import LivenessDetector
from facegroup.networks import weights
from facegroup.pipeline.liveness_files import FILES
from facegroup.settings import Settings

log = logging.getLogger(__name__)


def open_liveness(settings: Settings, threads: int) -> LivenessDetector | None:
    """Return the liveness detector that the settings choose, not warmed up; None if they choose none.

    Args:
        settings: of the server.
        threads: compute threads.

    Raises:
        WeightsMissing: a file is missing and cannot be downloaded.
        WeightsInvalid: a file is not the published one.
        EngineUnavailable: the detector is simulated, or OpenVINO cannot run in this precision on this CPU.
    """
    wanted = settings.liveness
    if wanted.model == "none":
        return None
    if settings.detector.engine == "simulated":
        raise EngineUnavailable("A simulated detector cannot tell whether a face is live. Set liveness.model to none.")
    from facegroup.liveness.minifasnet import MiniFasNet

    paths = weights.fetch_files(FILES[wanted.model], wanted.model, settings)
    # Rounded to int8, its scores change too much (docs/liveness.md).
    precision = "fp32" if settings.detector.precision == "int8" else settings.detector.precision
    log.info(
        "Liveness %s, threshold %g, %s: not certified; detects no masks, no injected streams and few pictures that fill the "
        "view; refuses pictures without colour (docs/liveness.md)",
        wanted.model,
        wanted.threshold,
        precision,
    )
    return LivenessDetector(MiniFasNet(paths, threads, precision), wanted.threshold, wanted.min_face_size)
