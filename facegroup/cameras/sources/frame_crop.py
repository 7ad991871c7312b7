"""Crops decoded frames to the rectangle around a camera's regions: upright as JPEG, or small and grey."""

from collections.abc import Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from facegroup.cameras.sources.deinterlacing import Deinterlacer
from facegroup.cameras.sources.motion import CELLS, Grey
from facegroup.cameras.sources.pose import Box, Pose, square
from facegroup.cameras.types import Region
from facegroup.errors import NoVideo
from facegroup.types import Image

QUALITY = 90
"""Of the JPEG."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameCrop:
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


def upright(frame: av.VideoFrame, aspect: float = 1.0, rotate: int = 0) -> tuple[int, int]:
    """Return width and height of a frame as it is to be shown, in square pixels.

    Args:
        frame: as it is stored.
        aspect: width of a stored pixel / its height.
        rotate: degrees by which a camera is turned, clockwise.
    """
    width, height = Pose.of(frame, rotate).size(*square(frame.width, frame.height, aspect))
    return round(width), round(height)


class FrameCropper:
    """Class that crops the frames of one camera.

    Args:
        box: rectangle to keep, in 0..1 of the upright picture.
        width: greatest width of the crop in pixels.
        rotate: degrees by which the pictures are turned clockwise to be upright.
    """

    def __init__(self, box: Box, width: int, rotate: int = 0) -> None:
        self._box = box
        self._width = width
        self._rotate = rotate
        self._deinterlacer = Deinterlacer()
        self._colours = VideoReformatter()  # each keeps FFmpeg's tables for one size
        self._greys = VideoReformatter()

    def grey(self, frame: av.VideoFrame) -> Grey:
        """Return the rectangle as 64 × 36 means of its grey values (not turned). Raises NoVideo."""
        fine = (CELLS[0] * 4, CELLS[1] * 4)
        whole = self._converted(self._greys, frame, *fine, "gray")
        rows, columns = _slices(Pose.of(frame, self._rotate).stored(self._box), *fine)
        return np.asarray(cv2.resize(whole[rows, columns], CELLS, interpolation=cv2.INTER_AREA))

    def cut(self, frame: av.VideoFrame, aspect: float = 1.0) -> FrameCrop:
        """Return the rectangle as JPEG, in square pixels. Raises NoVideo: the pixel format is not supported."""
        pose = Pose.of(frame, self._rotate)
        stored = square(frame.width, frame.height, aspect)
        left, _, right, _ = self._box
        scale = min(1.0, self._width / max(1.0, (right - left) * pose.size(*stored)[0]))
        size = max(2, round(stored[0] * scale)), max(2, round(stored[1] * scale))
        whole = pose.shown(self._converted(self._colours, self._deinterlacer.deinterlace(frame), *size, "bgr24"))
        rows, columns = _slices(self._box, whole.shape[1], whole.shape[0])
        part = np.ascontiguousarray(whole[rows, columns])
        _, data = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        return FrameCrop(data.tobytes(), whole.shape[1], whole.shape[0], scale, (columns.start, rows.start))

    def _converted(
        self, reformatter: VideoReformatter, frame: av.VideoFrame, width: int, height: int, to: str
    ) -> Image:
        problem = ""
        try:
            larger = width * height > frame.width * frame.height
            how = "BICUBIC" if larger else "AREA"
            shown = reformatter.reformat(frame, width, height, to, interpolation=how, threads=1)
            return np.asarray(shown.to_ndarray())
        except (av.FFmpegError, ValueError, MemoryError) as error:
            problem = type(error).__name__
        raise NoVideo(f"The pixel format {frame.format.name} is not supported ({problem}).")


def _slices(box: Box, width: int, height: int) -> tuple[slice, slice]:
    """Return rows and columns, at least one of each."""
    left, right = (min(width, max(0, round(part * width))) for part in (box[0], box[2]))
    top, bottom = (min(height, max(0, round(part * height))) for part in (box[1], box[3]))
    left, top = min(left, width - 1), min(top, height - 1)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
