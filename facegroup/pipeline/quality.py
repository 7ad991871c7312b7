"""Measure the quality of faces without a network; `facegroup.pipeline.quality_policies` decides what is good enough.

Sharpness, brightness and contrast are measured on the face alone, from brow to chin, scaled to 64 × 64 pixels, so that they
are comparable between the crops of all networks. A small face is magnified for its crop, and therefore less sharp.
Sharpness is relative to the contrast, so that a dark photo does not count as blurred.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.networks.spec import Cut
from facegroup.pipeline.messages import Quality
from facegroup.types import Crops, Faces, Floats, Image

_SIDE = 64
_WINDOWS: dict[Cut, tuple[float, float, float, float]] = {
    "five_point": (0.15, 0.29, 0.85, 0.99),
    "dlib_chip": (0.155, 0.12, 0.835, 0.875),
    "box": (0.065, 0.22, 0.95, 0.92),
    "framed": (0.18, 0.22, 0.83, 0.92),  # MTCNN's boxes are 0.74 as wide as high
}
"""The same part of a face in each kind of crop: left, top, right and bottom as fractions of its side."""

_HALF = np.array([1.8, 2.45])
_ABOVE = 0.35
"""Half the width and height of the box around a face, and how far its centre is above that of the landmarks. The unit is the
mean distance of the landmarks from their centre; the values are medians of LFW."""

_FRONTAL = 0.54
"""Position of the nose tip between eyes (0) and mouth (1) in a frontal face: the median of LFW."""


def measure(faces: Faces, crops: Crops, kind: Cut, width: int, height: int) -> Quality:
    """Return the parts of the quality of n faces.

    A part that cannot be measured, such as the pose of landmarks that are not finite, is NaN and only meets the policy off.

    Args:
        faces: the n faces, in pixels of the photo.
        crops: (n, s, s, 3) uint8 RGB.
        kind: how the crops were cut out.
        width: width of the photo, in pixels.
        height: height of the photo, in pixels.
    """
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    yaw, pitch, roll = _pose(faces.landmarks.astype(np.float64))
    light = np.array([_light(crop, _WINDOWS[kind]) for crop in crops], np.float32).reshape(-1, 3)
    return Quality(
        size=sides.min(axis=1).astype(np.float32),
        sharpness=light[:, 0],
        brightness=light[:, 1],
        contrast=light[:, 2],
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        inside=_inside(faces.landmarks.astype(np.float64), width, height),
    )


def _pose(landmarks: NDArray[np.float64]) -> tuple[Floats, Floats, Floats]:
    left, right, nose = (landmarks[:, index] for index in (0, 1, 2))
    eyes, mouth = (left + right) / 2, landmarks[:, 3:].mean(axis=1)
    across, down = right - left, mouth - eyes
    yaw = ((nose - eyes) * across).sum(axis=1) / np.maximum((across**2).sum(axis=1), 1e-12)
    pitch = ((nose - eyes) * down).sum(axis=1) / np.maximum((down**2).sum(axis=1), 1e-12) - _FRONTAL
    roll = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    return np.clip(yaw, -9, 9).astype(np.float32), np.clip(pitch, -9, 9).astype(np.float32), roll.astype(np.float32)


def _inside(landmarks: NDArray[np.float64], width: int, height: int) -> Floats:
    """Return how much of the box around each face's landmarks lies in the photo, in 0..1."""
    middle = landmarks.mean(axis=1)
    unit = np.linalg.norm(landmarks - middle[:, None], axis=2).mean(axis=1)[:, None]
    middle, half = middle - [0, _ABOVE] * unit, _HALF * unit
    low, high = np.maximum(middle - half, -0.5), np.minimum(middle + half, np.array([width, height]) - 0.5)
    shares = np.clip(high - low, 0, None) / np.maximum(2 * half, 1e-6)
    return np.asarray(shares.prod(axis=1), np.float32)


def _light(crop: Image, window: tuple[float, float, float, float]) -> tuple[float, float, float]:
    """Return sharpness, brightness and contrast of the face in a crop."""
    x1, y1, x2, y2 = (round(edge * len(crop)) for edge in window)
    grey = cv2.resize(
        cv2.cvtColor(crop[y1:y2, x1:x2], cv2.COLOR_RGB2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA
    )
    # The smaller of the two, because motion blurs in one direction only.
    edges = min(cv2.meanStdDev(cv2.Sobel(grey, cv2.CV_16S, *way, ksize=1))[1].item() for way in ((2, 0), (0, 2)))
    mean, spread = (part.item() for part in cv2.meanStdDev(grey))
    return edges / max(spread, 1), mean / 255, spread / 255
