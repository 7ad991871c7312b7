"""Presentation-attack detection on the faces of a batch of photos (`LivenessDetector`)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegroup.liveness.liveness import Liveness
from facegroup.liveness.minifasnet import SCALES, MiniFasNet
from facegroup.liveness.patches import SIDE, cut, usable
from facegroup.types import Floats, Image


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """The faces of one photo, cut out with their surroundings.

    Attributes:
        pixels: (m, 2, 80, 80, 3) uint8 RGB of the faces that are large enough.
        usable: (n,) which of all faces those are.
    """

    pixels: NDArray[np.uint8]
    usable: NDArray[np.bool_]


class LivenessDetector:
    """Class that decides which faces are live. Any thread may use it.

    Args:
        networks: score patches.
        threshold: a score must exceed this to be live.
        min_face_size: shorter side of the smallest box that is scored, in pixels.

    Attributes:
        threshold: as given.
    """

    def __init__(self, networks: MiniFasNet, threshold: float, min_face_size: int) -> None:
        self._networks = networks
        self.threshold = threshold
        self._min_face_size = min_face_size

    def cut(self, image: Image, boxes: Floats) -> Patches:
        """Return the patches of the faces with (n, 4) boxes in an upright image, (h, w, 3) uint8 RGB."""
        fit = usable(boxes, self._min_face_size)
        pixels = np.empty((int(fit.sum()), len(SCALES), SIDE, SIDE, 3), np.uint8)
        for box, patches in zip(boxes[fit], pixels, strict=True):
            for scale, patch in zip(SCALES, patches, strict=True):
                cut(image, box, scale, patch)
        return Patches(pixels, fit)

    def judge(self, photos: Sequence[Patches]) -> list[Liveness]:
        """Return the liveness of the faces of each photo, all scored in common batches."""
        if not photos:
            return []
        scores = self._networks.scores(np.concatenate([each.pixels for each in photos]))
        parts = np.split(scores, np.cumsum([len(each.pixels) for each in photos])[:-1])
        return [self._judged(each, part) for each, part in zip(photos, parts, strict=True)]

    def warm(self) -> None:
        """Warm up the networks, so that the first photo is as fast as the next."""
        self._networks.warm()

    def about(self) -> dict[str, str | float]:
        """Return the names and numbers of what decides, for /readyz."""
        networks = self._networks
        about = {"model": networks.name, "engine": networks.engine, "precision": networks.precision}
        return {**about, "threshold": self.threshold, "min_face_size": self._min_face_size}

    def _judged(self, patches: Patches, scores: Floats) -> Liveness:
        every = np.full(len(patches.usable), np.nan, np.float32)
        every[patches.usable] = scores
        return Liveness.judged(every, self.threshold)
