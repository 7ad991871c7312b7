"""deepface's `represent` with its mtcnn backend and VGG-Face, photo by photo.

The weights of VGG-Face are random: they cannot be had everywhere, and do not change the time.
"""

from typing import Any

from benchmarks.workers.line import Clock, serve


def load() -> dict[str, Any]:
    """Import it, without its download."""
    from deepface.commons import weight_utils

    weight_utils.download_weights_if_necessary = lambda *_, **__: ""
    weight_utils.load_model_weights = lambda model, *_, **__: model
    from deepface import DeepFace

    DeepFace.build_model("VGG-Face")
    return {}


def pipeline(paths: list[str]) -> dict[str, Any]:
    """Describe every face of every photo."""
    from deepface import DeepFace

    clock, faces = Clock(), 0
    for path in paths:
        with clock.running():
            found = DeepFace.represent(path, "VGG-Face", enforce_detection=False, detector_backend="mtcnn")
        faces += len(found)
    return clock.answer(images=len(paths), faces=faces)


if __name__ == "__main__":
    serve({"open": load, "pipeline": pipeline})
