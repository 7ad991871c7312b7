"""Draw simple faces, to try a network at the start without a photo of anybody.

They only have to be alike enough to faces that a face network tells them apart, and always the same.
"""

import cv2
import numpy as np

from facegroup.types import Crops, Image

COUNT = 8
"""Number of different faces."""

_SCALE = 4  # drawn larger and averaged, so that edges are soft
_LANDMARKS = ((0.34, 0.46), (0.66, 0.46), (0.50, 0.64), (0.37, 0.82), (0.63, 0.82))


def faces(size: int, count: int = COUNT) -> Crops:
    """Return (count, size, size, 3) uint8 RGB drawings of different faces, with landmarks where templates have them."""
    return np.stack([_face(size, np.random.default_rng(number)) for number in range(count)])


def at_brightness(crops: Crops, factor: float) -> Crops:
    """Return crops with every pixel multiplied by `factor` and clipped."""
    return np.clip(np.rint(crops * np.float64(factor)), 0, 255).astype(np.uint8)


def _face(size: int, rng: np.random.Generator) -> Image:
    side = size * _SCALE
    skin = np.array([225, 180, 150]) * rng.uniform(0.45, 1.05)
    hair, backdrop, clothes = (rng.uniform(10, 230, 3) for _ in range(3))
    picture: Image = np.empty((side, side, 3), np.uint8)
    picture[:] = backdrop

    def ellipse(x: float, y: float, wide: float, high: float, colour: object, turn: float = 0, line: int = -1) -> None:
        centre, axes = (int(x * side), int(y * side)), (int(wide * side), int(high * side))
        paint = tuple(float(part) for part in np.clip(np.asarray(colour, np.float64), 0, 255))
        thick = line if line < 0 else max(1, line * side // 448)
        cv2.ellipse(picture, centre, axes, turn, 0, 360, paint, thick, cv2.LINE_AA)

    wide, high = rng.uniform(0.33, 0.44), rng.uniform(0.46, 0.56)
    ellipse(0.5, 1.1, 0.5, 0.2, clothes)
    ellipse(0.5, 0.42, wide * rng.uniform(1.05, 1.3), high * rng.uniform(1.05, 1.25), hair)
    ellipse(0.5, 0.56, wide, high, skin)
    ellipse(0.5, 0.06, wide * 0.9, rng.uniform(0.05, 0.2), hair)
    apart, drop = rng.uniform(-0.03, 0.03), rng.uniform(-0.02, 0.02)
    (left, level), (right, _), (nose, tip), (corner, mouth), (other, _) = _LANDMARKS
    iris, brow, lips = rng.uniform(20, 140, 3), hair * 0.6, skin * np.array([0.9, 0.55, 0.55])
    lens = rng.uniform() < 0.4
    for x in (left - apart, right + apart):
        ellipse(x, level + drop, rng.uniform(0.055, 0.085), rng.uniform(0.025, 0.045), (245, 245, 240))
        ellipse(x, level + drop, 0.03, 0.03, iris)
        ellipse(x, level + drop, 0.012, 0.012, (10, 10, 10))
        ellipse(x, level - rng.uniform(0.07, 0.11), 0.09, rng.uniform(0.008, 0.025), brow, rng.uniform(-8, 8))
        if lens:
            ellipse(x, level + drop, 0.115, 0.09, (30, 30, 30), line=8)
    ellipse(nose, tip - 0.02, rng.uniform(0.03, 0.07), rng.uniform(0.06, 0.1), skin * 0.85)
    ellipse(nose, mouth, (other - corner) / 2 * rng.uniform(0.85, 1.2), rng.uniform(0.015, 0.05), lips)
    if rng.uniform() < 0.35:
        ellipse(0.5, 0.97, wide * 0.75, rng.uniform(0.06, 0.12), hair)
    shade = 1 + rng.uniform(-0.3, 0.3) * (np.linspace(-0.5, 0.5, side)[None, :, None])
    small = cv2.resize(np.clip(picture * shade, 0, 255).astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    noisy = cv2.GaussianBlur(small, (0, 0), size / 160) + rng.normal(0, 3, small.shape)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)
