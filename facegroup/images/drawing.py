"""Draw named boxes on a copy of a photo, and a contact sheet with one row of faces per person.

Pictures are RGB uint8 arrays. The input is never modified.
"""

import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image as pillow
from PIL import ImageDraw
from PIL.ImageDraw import ImageDraw as Canvas

from facegroup.images.fonts import Font, font_for
from facegroup.types import NOT_IN_DATASET, NOT_LIVE, POOR_QUALITY, Floats, Image

_STRANGER = (110, 110, 110)
_POOR = (30, 30, 30)
_COLOURS = ((200, 30, 45), (20, 110, 60), (25, 90, 180), (150, 60, 160), (180, 90, 0), (0, 115, 125), (95, 75, 20))
"""Dark enough for white letters."""

_CELL = 112
_GAP = 6
_NAME = 220
_MOST = 20


def boxes(image: Image, faces: Floats, labels: Sequence[str]) -> Image:
    """Return the photo with a labelled box around each face. A person has the same colour in every photo.

    Args:
        image: (h, w, 3) uint8 RGB.
        faces: (n, 4): x1, y1, x2, y2 in pixels of `image`.
        labels: n texts in any script.

    Raises:
        ValueError: there are not as many labels as faces.
    """
    picture = pillow.fromarray(image)
    canvas = ImageDraw.Draw(picture)
    line = max(1, round(max(picture.size) / 400))
    letters = max(11, round(max(picture.size) / 45))
    for (x1, y1, x2, y2), label in zip(np.asarray(faces, float).tolist(), labels, strict=True):
        colour = _colour(label)
        canvas.rectangle((x1, y1, max(x1, x2), max(y1, y2)), outline=colour, width=line)
        _tag(canvas, label, (x1, y1, y2), letters, colour, picture.size)
    return np.array(picture)


def sheet(rows: Sequence[tuple[str, Sequence[Image]]]) -> Image:
    """Return a sheet with one row per person: the name at the left, then up to twenty faces, then how many more there are.

    Args:
        rows: each person's name and aligned crops, (s, s, 3) uint8 RGB of any size.
    """
    columns = max([min(len(crops), _MOST) + (len(crops) > _MOST) for _, crops in rows], default=0)
    width = _NAME + columns * (_CELL + _GAP) + _GAP
    height = max(1, len(rows)) * (_CELL + _GAP) + _GAP
    picture = pillow.new("RGB", (width, height), "white")
    canvas = ImageDraw.Draw(picture)
    if not rows:
        _write(canvas, "Nobody is enrolled.", (_GAP, height // 2), _NAME)
    for row, (name, crops) in enumerate(rows):
        top = _GAP + row * (_CELL + _GAP)
        _write(canvas, name, (2 * _GAP, top + _CELL // 2), _NAME - 3 * _GAP)
        for column, crop in enumerate(crops[:_MOST]):
            face = pillow.fromarray(crop).resize((_CELL, _CELL), pillow.Resampling.LANCZOS)
            picture.paste(face, (_NAME + column * (_CELL + _GAP), top))
        if len(crops) > _MOST:
            _write(canvas, f"+{len(crops) - _MOST}", (_NAME + _MOST * (_CELL + _GAP) + _GAP, top + _CELL // 2), _CELL)
    return np.array(picture)


def _colour(label: str) -> tuple[int, int, int]:
    if label.startswith((POOR_QUALITY, NOT_LIVE)):
        return _POOR
    return _STRANGER if label.startswith(NOT_IN_DATASET) else _COLOURS[zlib.crc32(label.encode()) % len(_COLOURS)]


def _tag(
    canvas: Canvas,
    label: str,
    edges: tuple[float, float, float],
    letters: int,
    colour: tuple[int, int, int],
    size: tuple[int, int],
) -> None:
    """Write the label on a plate above its box, or below it at the top of the photo, always inside the photo."""
    left, top, bottom = edges
    font = font_for(label, letters)
    pad = max(2, letters // 4)
    text = _shortened(label, font, size[0] - 2 * pad)
    ascent, descent = font.getmetrics()
    width, height = font.getlength(text) + 2 * pad, ascent + descent + pad
    x = min(max(0.0, left), max(0.0, size[0] - width))
    y = top - height if top >= height else min(bottom, size[1] - height)
    canvas.rectangle((x, y, x + width, y + height), fill=colour)
    canvas.text((x + pad, y + height / 2), text, font=font, fill="white", anchor="lm")


def _write(canvas: Canvas, text: str, place: tuple[int, int], width: int) -> None:
    font = font_for(text, 20)
    canvas.text(place, _shortened(text, font, width), font=font, fill="black", anchor="lm")


def _shortened(text: str, font: Font, width: float) -> str:
    """Return the text in one line, shortened to fit the width."""
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    fits = 0
    while fits < len(text) and font.getlength(text[: fits + 1] + "…") <= width:
        fits += 1
    return text[:fits] + "…"
