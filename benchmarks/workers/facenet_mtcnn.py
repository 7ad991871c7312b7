"""facenet-pytorch's MTCNN, photo by photo.

Where the installed torchvision has no operators for the installed torch, its one that is needed, non-maximum
suppression, is OpenCV's; the answer of `open` says so.
"""

import sys
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.workers.line import Clock, serve

_made: list[Any] = []


def load() -> dict[str, Any]:
    """Import it and run it once."""
    import torch

    try:
        import torchvision  # noqa: F401
    except Exception:
        _stand_in(torch)
        nms = "OpenCV"
    else:
        nms = "torchvision"
    from facenet_pytorch import MTCNN

    _made.append(MTCNN(keep_all=True, device="cpu"))
    _made[0].detect(np.full((250, 250, 3), 127, np.uint8))
    return {"nms": nms, "threads": torch.get_num_threads()}


def detect(paths: list[str]) -> dict[str, Any]:
    """Find faces; decoding is not counted."""
    clock, faces = Clock(), 0
    for path in paths:
        image = np.asarray(Image.open(path).convert("RGB"))
        with clock.running():
            boxes, _ = _made[0].detect(image)
        faces += 0 if boxes is None else len(boxes)
    return clock.answer(images=len(paths), faces=faces)


def _stand_in(torch: Any) -> None:
    import cv2

    def batched_nms(boxes: Any, scores: Any, groups: Any, threshold: float) -> Any:
        apart = boxes + (groups.to(boxes) * (boxes.max() + 1))[:, None] if len(boxes) else boxes
        corners = apart.numpy().astype(np.float64)
        corners[:, 2:] -= corners[:, :2]
        kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), 0.0, threshold)
        return torch.as_tensor(np.asarray(kept, np.int64).reshape(-1))

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    modules = {name: ModuleType(name) for name in _PARTS}
    vars(modules["torchvision.ops.boxes"])["batched_nms"] = batched_nms
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    vars(modules["torchvision.transforms"])["functional"] = modules["torchvision.transforms.functional"]
    sys.modules.update(modules)


_PARTS = (
    "torchvision",
    "torchvision.ops",
    "torchvision.ops.boxes",
    "torchvision.transforms",
    "torchvision.transforms.functional",
)

if __name__ == "__main__":
    serve({"open": load, "detect": detect})
