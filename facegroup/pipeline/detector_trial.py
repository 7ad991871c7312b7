"""Try a detector of one's own in a child process before a server starts, so that a bad one starts nothing."""

import json
from pathlib import Path

from facegroup.detection.detector import MTCNN
from facegroup.engines import worker_process
from facegroup.pipeline import detector_file
from facegroup.settings import Settings, load

_CHILD = "import sys; from facegroup.pipeline.detector_trial import main; main(*sys.argv[1:])"
_TIMEOUT = 600


def run(settings: Settings) -> None:
    """Find or download the detector's file, and try the detector if a YAML file describes it.

    A GPU stays free for the server: the child uses the same engine on the CPU.

    Raises:
        SetupError: the detector cannot be used; the message says why.
    """
    wanted = settings.detector
    if wanted.engine == "simulated" or wanted.model == MTCNN:
        return
    spec, _ = detector_file.fetched(settings)
    if not spec.source:
        return
    engine = "onnxruntime" if wanted.num_gpus > 0 and wanted.engine == "auto" else wanted.engine
    detector = {"model": wanted.model, "engine": engine, "precision": wanted.precision, "num_gpus": 0}
    folders = {name: str(path) for name in ("model_dir", "cache_dir") if (path := getattr(settings, name)) is not None}
    name = Path(wanted.model).stem
    given = json.dumps({**folders, "detector": detector})
    worker_process.run(_CHILD, (given,), f"trying {name}", f"{name} could not be tried", _TIMEOUT)


def main(given: str) -> None:
    """Open the detector in this process, and report why it cannot be used."""
    from facegroup.pipeline.open_finder import open_detector

    with worker_process.reporting():
        open_detector(load(**json.loads(given)), 1).close()
