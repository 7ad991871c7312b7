"""Deinterlaces frames: an interlaced frame holds two moments, each in every second row.

Where something moves, neighbouring rows do not match, and a face shows combing artifacts. Then one field is taken, with
half the rows. Where nothing moves, the frame is used as it is.
"""

from fractions import Fraction
from typing import Any

import av
import av.filter
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from facegroup.types import Image

_STEP = 12  # grey levels by which a row differs from both of its neighbours where combing shows
_BLOCK = 16  # pixels: the faces that are detected are wider
_PART = 0.35  # of a block's pixels that show combing


class Deinterlacer:
    """Class that takes one field of interlaced frames of one camera."""

    def __init__(self) -> None:
        self._greys = VideoReformatter()
        self._kind: tuple[int, int, str] | None = None
        self._graph: Any = None

    def deinterlace(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return a frame, or one field of it (half the rows) if it is marked as interlaced and combing shows."""
        if not frame.interlaced_frame or frame.height < 4 * _BLOCK:
            return frame
        try:
            grey = self._greys.reformat(frame, format="gray", threads=1).to_ndarray()
            return self._half(frame) if has_combing(np.asarray(grey)) else frame
        except (av.FFmpegError, ValueError, MemoryError):
            return frame

    def _half(self, frame: av.VideoFrame) -> av.VideoFrame:
        kind = (frame.width, frame.height, frame.format.name)
        if kind != self._kind:
            graph, base = av.filter.Graph(), frame.time_base or Fraction(1, 1000)
            source = graph.add_buffer(width=kind[0], height=kind[1], format=frame.format, time_base=base)
            graph.link_nodes(source, graph.add("field", "type=top"), graph.add("buffersink")).configure()
            self._kind, self._graph = kind, graph
        self._graph.push(frame)
        half: av.VideoFrame = self._graph.pull()
        return half


def has_combing(grey: Image) -> bool:
    """Return whether rows in some block of a picture, (h, w) uint8, differ from both of their neighbours."""
    narrow = cv2.resize(grey, (max(1, grey.shape[1] // 2), grey.shape[0]), interpolation=cv2.INTER_AREA)
    rows = narrow.astype(np.int16)
    above, here, below = rows[:-2], rows[1:-1], rows[2:]
    up, down = here - above, here - below
    combing = (np.minimum(up, down) > _STEP) | (np.maximum(up, down) < -_STEP)
    size = max(1, 2 * combing.shape[1] // _BLOCK), max(1, combing.shape[0] // _BLOCK)
    return bool(cv2.resize(combing.astype(np.float32), size, interpolation=cv2.INTER_AREA).max() > _PART)
