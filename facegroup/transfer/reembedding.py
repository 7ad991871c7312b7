"""New descriptors from kept crops: the face is detected again in the crop and aligned for the new network.

A crop is what the old network saw, JPEG, mostly without anything around the face. So that MTCNN's windows and the new
crop's edges have somewhere to lie, it is given a border. What is not found is said, never guessed.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from facegroup.errors import NotAnImage
from facegroup.networks.embedder import failed, open_embedder
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.settings import Settings
from facegroup.types import Floats, Image

Fault = Literal["no_crop", "bad_crop", "no_face", "no_descriptor"]
"""Why a sample cannot be embedded anew."""

MARGINS = (0.0, 0.5)
"""Borders of a crop, in its sides, that are tried one after the other; docs/gallery.md has the measurement."""
_GREY = (127, 127, 127)
_SMALLEST = 0.25  # of the crop's side: a face in a crop fills most of it


class Embeds(Protocol):
    """Class of what embeds crops for a migration."""

    spec: NetworkSpec
    fingerprint: str
    """Of the network (`facegroup.networks.fingerprint`); "" if it has none."""
    detector: str
    """Name of the detector that finds the faces in the crops again; "" if it is not known."""

    def embed(self, crops: Sequence[bytes]) -> list[Floats | Fault]:
        """Return the descriptor of each crop, or why there is none."""


class Reembedder:
    """Class that embeds crops made for another network.

    Args:
        settings: which network, on what.

    Raises:
        SetupError: as `open_embedder` and `open_finder` do.
    """

    def __init__(self, settings: Settings) -> None:
        from facegroup.networks.alignment import Aligner  # imports OpenCV, which few commands need
        from facegroup.pipeline.open_finder import open_finder

        self._embedder = open_embedder(settings)
        self.spec = self._embedder.spec
        self.fingerprint = self._embedder.fingerprint
        self._finder = open_finder(settings, self.spec)
        self.detector = self._finder.about()["detector"]
        self._aligner = Aligner(self.spec)
        self._simulated = settings.detector.engine == "simulated"

    def embed(self, crops: Sequence[bytes]) -> list[Floats | Fault]:
        """Return the descriptor, (d,) float32 of unit length, of each JPEG, or why there is none."""
        cut: list[Image | Fault] = [self._simulate(each) for each in crops] if self._simulated else self._cut(crops)
        faces = [each for each in cut if not isinstance(each, str)]
        size = self.spec.size
        rows = self._embedder.embed(np.stack(faces) if faces else np.empty((0, size, size, 3), np.uint8))
        made = iter(zip(rows, failed(rows), strict=True))
        answers: list[Floats | Fault] = []
        for each in cut:
            if isinstance(each, str):
                answers.append(each)
            else:
                row, bad = next(made)
                answers.append("no_descriptor" if bad else np.array(row))
        return answers

    def close(self) -> None:
        """Stop the threads."""
        self._finder.close()

    def _cut(self, crops: Sequence[bytes]) -> list[Image | Fault]:
        cut = self._look(crops, MARGINS[0])
        for margin in MARGINS[1:]:
            left = [index for index, each in enumerate(cut) if isinstance(each, str) and each == "no_face"]
            for index, each in zip(left, self._look([crops[index] for index in left], margin), strict=True):
                cut[index] = each
        return cut

    def _look(self, crops: Sequence[bytes], margin: float) -> list[Image | Fault]:
        images = [bordered(each, margin) for each in crops]
        there = [each for each in images if not isinstance(each, str)]
        sizes = [max(12, round(_SMALLEST * min(image.shape[:2]) / (1 + 2 * margin))) for image in there]
        found = iter(zip(there, self._finder.detector.detect(there, sizes) if there else [], strict=True))
        cut: list[Image | Fault] = []
        for each in images:
            if isinstance(each, str):
                cut.append(each)
                continue
            image, faces = next(found)
            sure = faces[np.flatnonzero(faces.confidence >= self._finder.min_confidence)]
            if not len(sure):
                cut.append("no_face")
                continue
            middle = sure.boxes.reshape(-1, 2, 2).mean(axis=1) - np.array(image.shape[1::-1]) / 2
            nearest = int(np.argmin(np.hypot(*middle.T)))
            cut.append(self._aligner.align(image, sure[[nearest]])[0])
        return cut

    def _simulate(self, crop: bytes) -> Image | Fault:
        (found,) = self._finder.find([Photo(crop, liveness=False)])
        return found.crops[0] if isinstance(found, DetectedFaces) else "bad_crop"


def bordered(crop: bytes, margin: float) -> Image | Fault:
    """Return a JPEG with a grey border, of so many of its sides, (h, w, 3) uint8 RGB."""
    import cv2

    from facegroup.networks.alignment import from_jpeg

    try:
        image = from_jpeg(crop)
    except (NotAnImage, cv2.error):
        return "bad_crop"
    edge = round(margin * min(image.shape[:2]))
    wide: Image = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=_GREY)
    return wide
