"""Make poor copies of good photos: small, blurred, dark and so on, at several levels, reproducible by a seed.

The copies show how quality and recognition decrease together. They are not real poor photos, and are reported separately.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.types import Image

Random = np.random.Generator

_FACE = (0.32, 0.27, 0.68, 0.74)
"""Position of the face in an LFW photo: left, top, right and bottom as fractions."""


def small(image: Image, pixels: float, _: Random) -> Image:
    """Return the photo scaled down, so that the face has this width in pixels."""
    scale = pixels / (image.shape[1] * (_FACE[2] - _FACE[0]))
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def blurred(image: Image, sigma: float, _: Random) -> Image:
    """Return the photo out of focus, by a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def moved(image: Image, length: float, random: Random) -> Image:
    """Return the photo with motion blur of this length in pixels, in a random direction."""
    side = int(length) | 1
    kernel = np.zeros((side, side), np.float32)
    kernel[side // 2] = 1
    turn = cv2.getRotationMatrix2D((side // 2, side // 2), random.uniform(0, 180), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (side, side)))
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def dark(image: Image, gain: float, random: Random) -> Image:
    """Return the photo under-exposed, with sensor noise."""
    return _clipped(image * gain + random.normal(0, 2, image.shape))


def bright(image: Image, gain: float, _: Random) -> Image:
    """Return the photo over-exposed."""
    return _clipped(image.astype(np.float64) * gain)


def foggy(image: Image, gain: float, random: Random) -> Image:
    """Return the photo with little contrast around a middle grey, with noise."""
    return _clipped((image - image.mean()) * gain + 128 + random.normal(0, 1.5, image.shape))


def cut(image: Image, share: float, random: Random) -> Image:
    """Return the photo cropped so that one side cuts off this share of the face."""
    x1, y1, x2, y2 = (edge * side for edge, side in zip(_FACE, (*image.shape[1::-1], *image.shape[1::-1]), strict=True))
    match int(random.integers(4)):
        case 0:
            part = image[:, int(x1 + share * (x2 - x1)) :]
        case 1:
            part = image[:, : int(x2 - share * (x2 - x1))]
        case 2:
            part = image[int(y1 + share * (y2 - y1)) :]
        case _:
            part = image[: int(y2 - share * (y2 - y1))]
    return np.ascontiguousarray(part)


def tilted(image: Image, degrees: float, random: Random) -> Image:
    """Return the photo rotated in its plane, to either side."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees * random.choice([-1, 1]), 1)
    return np.asarray(cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def masked(image: Image, share: float, _: Random) -> Image:
    """Return the photo with the lowest share of the face behind a plain cloth, which the quality does not measure."""
    height, width = image.shape[:2]
    done = image.copy()
    top, bottom = _FACE[3] - share * (_FACE[3] - _FACE[1]), _FACE[3]
    done[int(top * height) : int(bottom * height), int(_FACE[0] * width) : int(_FACE[2] * width)] = (120, 180, 200)
    return done


KINDS: Mapping[str, tuple[Callable[[Image, float, Random], Image], tuple[float, ...]]] = {
    "small": (small, (48, 32, 24, 18, 14)),
    "blurred": (blurred, (1, 2, 3, 4.5)),
    "moved": (moved, (7, 13)),
    "dark": (dark, (0.3, 0.12, 0.05)),
    "bright": (bright, (2, 3.5)),
    "foggy": (foggy, (0.4, 0.2, 0.1)),
    "cut": (cut, (0.1, 0.25, 0.4)),
    "tilted": (tilted, (20, 40, 60)),
    "masked": (masked, (0.45,)),
}
"""The kinds of degradation and their levels."""


def copies(image: Image, count: int, seed: int) -> list[tuple[str, Image]]:
    """Return copies of a photo with different kinds and levels of degradation, and their names such as `small 24`."""
    random = np.random.default_rng(seed)
    choices = [(name, level) for name, (_, levels) in KINDS.items() for level in levels]
    chosen = [choices[place] for place in random.permutation(len(choices))[:count]]
    return [(f"{name} {level:g}", KINDS[name][0](image, level, random)) for name, level in chosen]


def _clipped(values: NDArray[np.float64]) -> Image:
    return np.asarray(np.clip(values, 0, 255), np.uint8)
