"""The protocol of a detector (`FaceDetector`), and what its confidence means (`ConfidenceScale`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from facegroup.types import Faces, Floats, Image

MTCNN = "mtcnn"
"""Name of the default detector, whose confidence is the scale of all limits."""


@dataclass(frozen=True, slots=True)
class ConfidenceScale:
    """How a detector's confidence compares with MTCNN's, for which the quality policies' limits were measured.

    Attributes:
        least: least confidence of a face in an answer, if `detector.min_confidence` sets none.
        points: rising pairs of a confidence and the MTCNN confidence that means the same; straight lines between them. Empty
            if both are the same.
        lead: log-odds on MTCNN's scale by which the best face of a further pass must beat that of the first.
        close: log-odds by which the best pass must beat those in other orientations; otherwise the orientation is uncertain.
    """

    least: float = 0.8
    points: tuple[tuple[float, float], ...] = ()
    lead: float = 2.5
    close: float = 1.6

    def certainty(self, confidence: Floats) -> Floats:
        """Return (n,) float32 confidences as the MTCNN confidences that mean the same."""
        if not self.points:
            return confidence
        own, same = np.array([(0, 0), *self.points, (1, 1)]).T
        certain: Floats = np.interp(confidence, own, same).astype(np.float32)
        return certain


MTCNN_SCALE = ConfidenceScale()


class FaceDetector(Protocol):
    """Protocol of a detector. Only one thread may use it at a time; `beside` returns one for another thread."""

    name: str
    """The value of `detector.model`, as in answers and samples."""

    engine: str
    """`openvino`, `keras-tensorflow`, `onnxruntime`, as reported by /readyz."""

    device: str
    """`cpu` or `gpu:0`, the device it really runs on."""

    scale: ConfidenceScale

    def detect(self, images: Sequence[Image], min_face_size: int | Sequence[int] = 20) -> list[Faces]:
        """Return the faces of each image, from the least confidence on that the detector ever returns.

        Args:
            images: (h, w, 3) uint8 RGB each, of any sizes.
            min_face_size: smallest face to detect, in pixels of the image; one number for all images, or one for each.
        """

    def turns(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[Floats]:
        """Return how upright each face looks as it is, and turned by 90, 180 and 270 degrees counter-clockwise.

        Args:
            images: (h, w, 3) uint8 RGB each.
            faces: the faces of each image, in its pixels.

        Returns:
            (n, 4) float32 for each image: the greatest number of a row is the most likely orientation.
        """

    def beside(self) -> "FaceDetector | None":
        """Return a detector on the same networks for another thread, which is closed by itself.

        Returns None on a device that runs one batch at a time.
        """

    def warm(self) -> None:
        """Warm up the networks, so that the first request is as fast as the next."""

    def close(self) -> None:
        """Stop the threads."""
