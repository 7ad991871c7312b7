"""Interlaced frames: two moments in one picture, every second row of each.

Where something moves, the rows of the two do not fit each other, and a face is a comb: one of the two is taken, with
half the rows. Where nothing moves they are one picture with all of them.
"""

from fractions import Fraction
from typing import Any

import av
import av.filter
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from facegroup.types import Image

_STEP = 12  # grey levels by which a row differs from both of its neighbours in a comb
_BLOCK = 16  # pixels: a face that is looked for is wider
_PART = 0.35  # of a block's pixels, in a comb


class Fields:
    """Takes one moment of frames of one camera that have two."""

    def __init__(self) -> None:
        self._greys = VideoReformatter()
        self._kind: tuple[int, int, str] | None = None
        self._graph: Any = None

    def one(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return a frame, or one moment of it, with half as many rows, where it says that it is interlaced and it shows."""
        if not frame.interlaced_frame or frame.height < 4 * _BLOCK:
            return frame
        try:
            grey = self._greys.reformat(frame, format="gray", threads=1).to_ndarray()
            return self._half(frame) if combed(np.asarray(grey)) else frame
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


def combed(grey: Image) -> bool:
    """Whether rows in some part of a picture, (h, w) uint8, are all brighter or darker than both of their neighbours."""
    narrow = cv2.resize(grey, (max(1, grey.shape[1] // 2), grey.shape[0]), interpolation=cv2.INTER_AREA)
    rows = narrow.astype(np.int16)
    above, here, below = rows[:-2], rows[1:-1], rows[2:]
    up, down = here - above, here - below
    comb = (np.minimum(up, down) > _STEP) | (np.maximum(up, down) < -_STEP)
    size = max(1, 2 * comb.shape[1] // _BLOCK), max(1, comb.shape[0] // _BLOCK)
    return bool(cv2.resize(comb.astype(np.float32), size, interpolation=cv2.INTER_AREA).max() > _PART)
