"""Faces and their crops → what can be said of their quality without a network."""

import cv2
import numpy as np

from facegroup.photos import Quality
from facegroup.types import Crops, Faces


def measure(faces: Faces, crops: Crops) -> Quality:
    """Return the parts of the quality of n faces.

    Args:
        faces: in pixels of the photo.
        crops: (n, s, s, 3) uint8 RGB; sharpness depends on s, so compare it within one network only.
    """
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    left, right, nose = (faces.landmarks[:, index] for index in (0, 1, 2))
    between = right - left
    distance = np.maximum(np.linalg.norm(between, axis=1), 1e-6)
    off = ((nose - (left + right) / 2) * between).sum(axis=1) / distance**2
    greys = [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]
    return Quality(
        size=sides.min(axis=1).astype(np.float32),
        sharpness=np.array([cv2.Laplacian(grey, cv2.CV_32F).std() for grey in greys], np.float32),
        brightness=np.array([grey.mean() / 255 for grey in greys], np.float32),
        yaw=np.clip(off, -9, 9).astype(np.float32),
        roll=np.degrees(np.arctan2(between[:, 1], between[:, 0])).astype(np.float32),
    )
