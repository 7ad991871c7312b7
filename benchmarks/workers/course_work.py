"""The course work's own pipeline, as its packages are used: the mtcnn package, then keras-vggface's ResNet-50 by `predict`.

Photo by photo and face by face. The rest is numpy: centroids, cosine, maximum.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.workers.line import Clock, serve

_MEAN = np.array([91.4953, 103.8827, 131.0912], np.float32)  # keras_vggface's preprocess_input, version 2
_PEOPLE = 20


class CourseWork:
    """Detector and network of one process."""

    def __init__(self) -> None:
        self.detector: Any = None
        self.model: Any = None
        self.centroids = np.empty((0, 2048), np.float32)

    def open(self, weights: str | None = None) -> dict[str, Any]:
        """Load the packages; with `weights` the ResNet-50 as well. Runs each once."""
        import tensorflow
        from mtcnn import MTCNN

        self.detector = MTCNN()
        self.detector.detect_faces(np.full((250, 250, 3), 127, np.uint8))
        if weights:
            from facegroup.networks.vggface import build
            from facegroup.networks.vggface_weights import load_weights

            self.model = build("vggface2-resnet50")
            load_weights(self.model, Path(weights))
            self.embed(1)
            rows = np.random.default_rng(0).normal(size=(_PEOPLE, 2048)).astype(np.float32)
            self.centroids = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return {"threads": tensorflow.config.threading.get_intra_op_parallelism_threads() or "TensorFlow's default"}

    def pipeline(self, paths: list[str]) -> dict[str, Any]:
        """Name every face of every photo, face by face; beside it, what one `predict` a photo would have taken."""
        clock, grouped, faces, single, several = Clock(), 0.0, 0, 0.0, 0.0
        for path in paths:
            with clock.running():
                image = np.asarray(Image.open(path).convert("RGB"))
                crops = [_input(image, found["box"]) for found in self.detector.detect_faces(image)]
                start = time.perf_counter()
                for crop in crops:
                    self._name(self.model.predict(crop[None], verbose=0))
                single += time.perf_counter() - start
            faces += len(crops)
            if len(crops) > 1:
                start = time.perf_counter()
                self._name(self.model.predict(np.stack(crops), verbose=0))
                grouped += time.perf_counter() - start
                several += len(crops)
        # The photos with one face take the same either way.
        alone = single * (faces - several) / faces if faces else 0.0
        by_photo = clock.seconds - single + alone + grouped
        return clock.answer(images=len(paths), faces=faces, by_photo=by_photo)

    def detect(self, paths: list[str]) -> dict[str, Any]:
        """Find faces, photo by photo; decoding is not counted."""
        clock, faces = Clock(), 0
        for path in paths:
            image = np.asarray(Image.open(path).convert("RGB"))
            with clock.running():
                faces += len(self.detector.detect_faces(image))
        return clock.answer(images=len(paths), faces=faces)

    def embed(self, count: int) -> dict[str, Any]:
        """Embed faces one by one."""
        crops = np.random.default_rng(0).normal(0, 60, (count, 224, 224, 3)).astype(np.float32)
        clock = Clock()
        for crop in crops:
            with clock.running():
                self.model.predict(crop[None], verbose=0)
        return clock.answer(faces=count)

    def _name(self, embeddings: Any) -> list[int]:
        rows = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        scores = rows @ self.centroids.T
        return [int(row.argmax()) if row.max() > 0.4 else -1 for row in scores]


def _input(image: Any, box: list[int]) -> Any:
    x, y, width, height = box
    x, y = max(0, x), max(0, y)
    face = Image.fromarray(image[y : y + max(1, height), x : x + max(1, width)]).resize((224, 224))
    return np.asarray(face, np.float32)[..., ::-1] - _MEAN


if __name__ == "__main__":
    worker = CourseWork()
    serve({"open": worker.open, "pipeline": worker.pipeline, "detect": worker.detect, "embed": worker.embed})
