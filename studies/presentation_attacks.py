"""Simulate presentation attacks: a photo of a face, printed or shown on a screen, and photographed again.

These are generated pictures, not attacks: no paper, no screen and no camera took part. They have what such pictures are
known for: the border of a print and the bezel of a screen, the rows of its pixels and their moiré, another gamma and less
contrast, blur, a slant, noise, and a second compression. What a network says of them hints at what it looks at. It is no
APCER in the sense of ISO/IEC 30107-3, which asks for real artefacts.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.types import Image

Attack: TypeAlias = Callable[[Image, np.random.Generator], Image]
_Light: TypeAlias = NDArray[np.float32]


def printed(photo: Image, chance: np.random.Generator) -> Image:
    """Return a photo of a print with a white border, held before a room."""
    ink = _developed(photo, chance, black=0.08, white=0.92, gamma=float(chance.uniform(0.85, 1.2)))
    paper = _framed(_blurred(ink, float(chance.uniform(0.6, 1.4))), 0.06, 0.95)
    return _photographed(paper, chance)


def printed_without_border(photo: Image, chance: np.random.Generator) -> Image:
    """Return a photo of a print that fills the picture."""
    ink = _developed(photo, chance, black=0.08, white=0.92, gamma=float(chance.uniform(0.85, 1.2)))
    return _captured(_blurred(ink, float(chance.uniform(0.6, 1.4))), chance)


def cut_out(photo: Image, chance: np.random.Generator) -> Image:
    """Return a photo of a print that is cut off closely around the face's photo, on a plain wall."""
    ink = _developed(photo, chance, black=0.1, white=0.9, gamma=1.1)
    return _photographed(_blurred(ink, 1.0), chance, plain=True)


def on_screen(photo: Image, chance: np.random.Generator) -> Image:
    """Return a photo of a screen with its bezel, with the rows of its pixels."""
    light = _developed(photo, chance, black=0.04, white=1.0, gamma=float(chance.uniform(0.75, 0.95)), blue=1.06)
    shown = _framed(_moire(light, chance), 0.05, 0.03)
    return _photographed(_glare(shown, chance), chance)


def on_screen_without_bezel(photo: Image, chance: np.random.Generator) -> Image:
    """Return a photo of a screen that fills the picture."""
    light = _developed(photo, chance, black=0.04, white=1.0, gamma=float(chance.uniform(0.75, 0.95)), blue=1.06)
    return _captured(_glare(_moire(light, chance), chance), chance)


def blurred(photo: Image, chance: np.random.Generator) -> Image:
    """Return the photo itself, blurred as by a second lens: one property alone."""
    return _bytes(_blurred(_light(photo), 2.0))


def moire(photo: Image, chance: np.random.Generator) -> Image:
    """Return the photo itself with the rows of a screen's pixels: one property alone."""
    return _bytes(_moire(_light(photo), chance))


def flat(photo: Image, chance: np.random.Generator) -> Image:
    """Return the photo itself with a print's contrast and gamma: one property alone."""
    return _bytes(_developed(photo, chance, black=0.1, white=0.85, gamma=1.3))


def bordered(photo: Image, chance: np.random.Generator) -> Image:
    """Return the photo itself with a white border on grey: one property alone."""
    return _bytes(_framed(_framed(_light(photo), 0.06, 0.95), 0.3, 0.5))


ATTACKS: Mapping[str, Attack] = {
    each.__name__.replace("_", " "): each
    for each in (
        *(printed, printed_without_border, cut_out, on_screen, on_screen_without_bezel),
        *(blurred, moire, flat, bordered),
    )
}
"""All simulations: pictures of five attacks, then the photo itself with one property of them."""


def _light(photo: Image) -> _Light:
    return photo.astype(np.float32) / np.float32(255)


def _bytes(light: _Light) -> Image:
    return np.asarray(np.clip(light * 255, 0, 255).round(), np.uint8)


def _developed(
    photo: Image, chance: np.random.Generator, *, black: float, white: float, gamma: float, blue: float = 1.0
) -> _Light:
    """Return what a printer or a screen makes of a photo: less contrast, another gamma and tint."""
    tint = np.array([1, 1, blue], np.float32) * chance.uniform(0.96, 1.04, 3).astype(np.float32)
    return np.asarray((black + (white - black) * _light(photo) ** gamma) * tint, np.float32)


def _blurred(light: _Light, sigma: float) -> _Light:
    return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma * max(light.shape[:2]) / 500), np.float32)


def _framed(light: _Light, share: float, shade: float) -> _Light:
    edge = max(2, round(share * min(light.shape[:2])))
    return np.asarray(
        cv2.copyMakeBorder(light, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=[shade] * 3), np.float32
    )


def _moire(light: _Light, chance: np.random.Generator) -> _Light:
    """Return a picture of a screen's red, green and blue columns and dark rows, taken by pixels of nearly their size."""
    height, width = light.shape[:2]
    angle, pitch = float(chance.uniform(-0.06, 0.06)), float(chance.uniform(2.1, 3.4))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    across = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / pitch
    down = (y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / pitch
    shift = np.array([0, 2, 4], np.float32) * np.pi / 3
    grid = 1 + 0.14 * np.cos(across[..., None] + shift) + 0.08 * np.cos(down[..., None])
    return np.asarray(light * grid, np.float32)


def _glare(light: _Light, chance: np.random.Generator) -> _Light:
    height, width = light.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    at = chance.uniform(0, 1, 2) * (width, height)
    far = ((x - at[0]) ** 2 + (y - at[1]) ** 2) / (0.3 * max(width, height)) ** 2
    return np.asarray(light + 0.2 * np.exp(-far)[..., None], np.float32)


def _photographed(light: _Light, chance: np.random.Generator, *, plain: bool = False) -> Image:
    """Return a photo of a flat thing that is slanted and does not fill the picture, before a room."""
    height, width = light.shape[:2]
    room = (round(height * 1.5), round(width * 1.5))
    shades = chance.uniform(0.2, 0.8, (1 if plain else 7, 1 if plain else 7, 3)).astype(np.float32)
    wall = np.asarray(cv2.resize(shades, room[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    slant = chance.uniform(-0.05, 0.05, (4, 2)).astype(np.float32) * np.array([width, height], np.float32)
    there = corners + slant + np.array([0.25 * width, 0.25 * height], np.float32)
    way = cv2.getPerspectiveTransform(corners, there)
    seen = cv2.warpPerspective(light, way, room[::-1], flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.ones((height, width), np.float32), way, room[::-1])[..., None]
    return _captured(np.asarray(seen * mask + wall * (1 - mask), np.float32), chance)


def _captured(light: _Light, chance: np.random.Generator) -> Image:
    """Return what a camera makes of what it sees: a little blur, noise, a JPEG."""
    noise = chance.normal(0, 0.012, light.shape).astype(np.float32)
    pixels = _bytes(_blurred(light, 0.5) + noise)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
