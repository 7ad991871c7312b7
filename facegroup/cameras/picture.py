"""A decoded frame of any size and pixel format → the upright part that matters, as JPEG, or tiny and grey."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from facegroup.cameras.motion import CELLS, Grey
from facegroup.cameras.types import Region
from facegroup.errors import NoVideo
from facegroup.types import Image

QUALITY = 90
"""Of the JPEG."""

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in 0..1."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """What is sent of a frame; see `facegroup.cameras.types.Frame` for the fields of the same names."""

    data: bytes
    width: int
    height: int
    scale: float
    offset: tuple[int, int]


def around(regions: Sequence[Region]) -> Box:
    """Return the rectangle around polygons; without any, everything."""
    if not regions:
        return 0.0, 0.0, 1.0, 1.0
    corners = np.clip(np.concatenate([np.asarray(region, np.float64) for region in regions]), 0, 1)
    left, top = corners.min(0)
    right, bottom = corners.max(0)
    return float(left), float(top), float(right), float(bottom)


def upright(frame: av.VideoFrame) -> tuple[int, int]:
    """Return width and height of a frame as it is to be shown, in pixels."""
    turned = _quarters(frame) % 2
    return (frame.height, frame.width) if turned else (frame.width, frame.height)


class Scissors:
    """Cuts frames of one camera.

    Args:
        box: the part that matters, of the upright picture.
        width: most pixels across that are sent.
    """

    def __init__(self, box: Box, width: int) -> None:
        self._box = box
        self._width = width
        self._colours = VideoReformatter()  # each keeps FFmpeg's tables for one size
        self._greys = VideoReformatter()

    def grey(self, frame: av.VideoFrame) -> Grey:
        """Return the part that matters, 64 × 36 means of the grey values (not turned). Raises NoVideo."""
        fine = (CELLS[0] * 4, CELLS[1] * 4)
        whole = self._converted(self._greys, frame, *fine, "gray")
        rows, columns = _slices(self._turned_back(frame), *fine)
        return np.asarray(cv2.resize(whole[rows, columns], CELLS, interpolation=cv2.INTER_AREA))

    def cut(self, frame: av.VideoFrame) -> Cut:
        """Return the part that matters as JPEG. Raises NoVideo: a pixel format that cannot be shown."""
        width, _ = upright(frame)
        left, _, right, _ = self._box
        scale = min(1.0, self._width / max(1.0, (right - left) * width))
        size = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
        whole = self._converted(self._colours, frame, *size, "bgr24")
        quarters = _quarters(frame)
        if quarters:
            whole = np.rot90(whole, quarters)
        rows, columns = _slices(self._box, whole.shape[1], whole.shape[0])
        _, data = cv2.imencode(".jpg", whole[rows, columns], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        return Cut(data.tobytes(), whole.shape[1], whole.shape[0], scale, (columns.start, rows.start))

    def _turned_back(self, frame: av.VideoFrame) -> Box:
        """Return the box in the picture as it is stored."""
        left, top, right, bottom = self._box
        for _ in range(_quarters(frame)):
            left, top, right, bottom = 1 - bottom, left, 1 - top, right
        return left, top, right, bottom

    def _converted(
        self, reformatter: VideoReformatter, frame: av.VideoFrame, width: int, height: int, to: str
    ) -> Image:
        problem = ""
        try:
            shown = reformatter.reformat(frame, width, height, to, interpolation="AREA", threads=1)
            return np.asarray(shown.to_ndarray())
        except (av.FFmpegError, ValueError, MemoryError) as error:
            problem = type(error).__name__
        raise NoVideo(f"frames of the pixel format {frame.format.name} cannot be shown ({problem})")


def _quarters(frame: av.VideoFrame) -> int:
    """Return by how many quarter turns, counter-clockwise, a frame must be turned to be upright."""
    return round(frame.rotation / 90) % 4


def _slices(box: Box, width: int, height: int) -> tuple[slice, slice]:
    """Return rows and columns, at least one of each."""
    left, right = (min(width, max(0, round(part * width))) for part in (box[0], box[2]))
    top, bottom = (min(height, max(0, round(part * height))) for part in (box[1], box[3]))
    left, top = min(left, width - 1), min(top, height - 1)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
