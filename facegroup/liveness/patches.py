"""Cut out a face with its surroundings, as the networks of Silent-Face-Anti-Spoofing were trained.

What surrounds a face tells a picture from a person: the border of a print, the frame of a screen, a hand that holds it.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.types import Floats, Image

SIDE = 80
"""Side of a patch in pixels."""


def cut(image: Image, box: Floats, scale: float, out: Image) -> None:
    """Cut a box out of an image, enlarged about its centre, and resize it to `out` without keeping its aspect.

    This is the geometry of the authors' ``CropImage`` (src/generate_patches.py): the factor is reduced until the box fits
    into the image, and a box that reaches over an edge is moved inside.

    Args:
        image: (h, w, 3) uint8.
        box: (4,) float32: x1, y1, x2, y2 in pixels, finite.
        scale: the factor.
        out: (s, s, 3) uint8 to write to.
    """
    x1, y1, x2, y2 = region(image.shape[1], image.shape[0], box, scale)
    out[:] = cv2.resize(image[y1 : y2 + 1, x1 : x2 + 1], out.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def region(width: int, height: int, box: Floats, scale: float) -> tuple[int, int, int, int]:
    """Return the first and last column and row of a patch, x1, y1, x2 and y2, all inside the image."""
    size = np.array([width, height], np.float64)
    low, high = box[:2].astype(np.float64), box[2:].astype(np.float64)
    sides = np.maximum(high - low, 1)
    half = sides * min(scale, *((size - 1) / sides)) / 2
    first = np.clip((low + high) / 2 - half, 0, size - 1 - 2 * half)
    x1, y1 = (int(each) for each in first)
    # A hair more, for what the addition rounds off where a patch ends with the image.
    x2, y2 = (int(each) for each in np.minimum(first + 2 * half + 1e-9, size - 1))
    return x1, y1, x2, y2


def usable(boxes: Floats, smallest: int) -> NDArray[np.bool_]:
    """Return which boxes, (n,), are finite and have sides of at least so many pixels."""
    with np.errstate(invalid="ignore"):
        sides = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(np.isfinite(boxes).all(axis=1) & (sides >= max(smallest, 1)).all(axis=1))
