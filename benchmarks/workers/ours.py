"""facegroup in one process: the whole pipeline, the detector alone, a network alone."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workers.line import Clock, serve

_PEOPLE = 20
_made: dict[str, Any] = {}


def load(
    network: str,
    precision: str,
    threads: int,
    model_dir: str | None = None,
    kind: str = "recognizer",
    calibration: str | None = None,
    detector: str | None = None,
    model: str = "mtcnn",
) -> dict[str, Any]:
    """Open a recognizer with a gallery of a few people, or a detector or an embedder alone, and warm it.

    Args:
        network: the embedder's.
        precision: of both networks.
        threads: of each.
        model_dir: where weights are.
        kind: recognizer, finder or embedder.
        calibration: photos for int8.
        detector: the detector's own precision.
        model: the detector.
    """
    from facegroup.networks.embedder import open_embedder
    from facegroup.networks.registry import spec
    from facegroup.pipeline.open_finder import open_finder
    from facegroup.recognizer import Recognizer
    from facegroup.settings import load as settings_of
    from facegroup.types import Sample

    arithmetic = {"precision": precision} | ({"calibration": calibration} if calibration else {})
    settings = settings_of(
        network=network,
        model_dir=model_dir,
        store=f"sqlite:///{Path(tempfile.mkdtemp(prefix='facegroup-benchmark-')) / 'gallery.db'}",
        detector={"model": model, "threads": threads, "num_cpus": threads, "precision": detector or precision},
        embedder={"threads": threads, "num_cpus": threads, **arithmetic},
    )
    if kind == "finder":
        _made["finder"] = open_finder(settings, spec(network))
        _made["finder"].warm()
        return {}
    if kind == "embedder":
        _made["embedder"] = open_embedder(settings)
        _made["embedder"].warm()
        return {}
    recognizer = Recognizer(settings)
    recognizer.finder.warm()
    recognizer.embedder.warm()
    recognizer.new_gallery("group")
    rows = np.random.default_rng(0).normal(size=(_PEOPLE, recognizer.spec.dimension)).astype(np.float32)
    for number, row in enumerate(rows / np.linalg.norm(rows, axis=1, keepdims=True)):
        person = recognizer.store.create_person("group", f"person {number}")
        recognizer.store.add_samples("group", person.id, [Sample(f"{number:064x}", row)], network)
    _made["recognizer"] = recognizer
    return {}


def pipeline(paths: list[str], batch: int) -> dict[str, Any]:
    """Name every face of every photo, `batch` photos at once."""
    clock, faces = Clock(), 0
    for start in range(0, len(paths), batch):
        with clock.running():
            data = [Path(path).read_bytes() for path in paths[start : start + batch]]
            seen = _made["recognizer"].identify(data, "group")
        faces += sum(len(each.faces) for each in seen)
    return clock.answer(images=len(paths), faces=faces)


def latency(path: str, times: int) -> dict[str, Any]:
    """Name the faces of one photo, again and again: the median."""
    took = []
    for _ in range(times):
        took.append(pipeline([path], 1)["seconds"])
    return {"seconds": float(np.median(took))}


def detect(paths: list[str], batch: int) -> dict[str, Any]:
    """Find faces; decoding is not counted."""
    from facegroup.images.decode import decode
    from facegroup.settings import Limits

    images = [decode(Path(path).read_bytes(), Limits()).image for path in paths]
    clock, faces = Clock(), 0
    for start in range(0, len(images), batch):
        with clock.running():
            found = _made["finder"].detector.detect(images[start : start + batch])
        faces += sum(len(each) for each in found)
    return clock.answer(images=len(paths), faces=faces)


def embed(count: int, batch: int) -> dict[str, Any]:
    """Embed faces, `batch` at once."""
    embedder = _made["embedder"]
    side = embedder.spec.size
    crops = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    clock = Clock()
    for start in range(0, count, batch):
        with clock.running():
            embedder.embed(crops[start : start + batch])
    return clock.answer(faces=count)


if __name__ == "__main__":
    serve({"open": load, "pipeline": pipeline, "latency": latency, "detect": detect, "embed": embed})
