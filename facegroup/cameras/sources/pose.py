"""How a stored picture is to be shown: turned, mirrored, wider; from what a frame says of itself and a camera's setting."""

from typing import Any, NamedTuple, Self

import av
import numpy as np
from av.sidedata.sidedata import Type

from facegroup.types import Image

WIDEST = 5.0
"""Of a pixel's sides, one is at most so many times the other; beyond, what a source says of them is not believed."""

Box = tuple[float, float, float, float]


class Pose(NamedTuple):
    """One of the eight ways in which a picture can lie.

    Attributes:
        transposed: whether rows are columns; done first.
        mirrored: whether left is right, then.
        upset: whether top is bottom, then.
    """

    transposed: bool = False
    mirrored: bool = False
    upset: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame, clockwise: int = 0) -> Self:
        """Return that of a frame, which its display matrix says, turned by so many degrees more; to the next quarter."""
        side: Any = frame.side_data
        data = side.get(Type.DISPLAYMATRIX)
        pose = cls()
        if data is not None and len(raw := bytes(data)) >= 20:
            a, b, _, c, d = np.frombuffer(raw[:20], np.int32).tolist()  # x, y are shown at ax + cy, bx + dy
            transposed = abs(a) + abs(d) < abs(b) + abs(c)
            pose = cls(transposed, (c if transposed else a) < 0, (b if transposed else d) < 0)
        for _ in range(round(clockwise / 90) % 4):
            pose = cls(not pose.transposed, not pose.upset, pose.mirrored)
        return pose

    def shown(self, image: Image) -> Image:
        """Return a stored image, (h, w, …), as it is shown."""
        if self.transposed:
            image = image.swapaxes(0, 1)
        return image[:: -1 if self.upset else 1, :: -1 if self.mirrored else 1]

    def stored(self, box: Box) -> Box:
        """Return where a box, in 0..1 of the picture as it is shown, is in the picture as it is stored."""
        left, top, right, bottom = box
        if self.upset:
            top, bottom = 1 - bottom, 1 - top
        if self.mirrored:
            left, right = 1 - right, 1 - left
        return (top, left, bottom, right) if self.transposed else (left, top, right, bottom)

    def size(self, width: float, height: float) -> tuple[float, float]:
        """Return width and height as they are shown."""
        return (height, width) if self.transposed else (width, height)


def square(width: int, height: int, aspect: float) -> tuple[float, float]:
    """Return width and height of a stored picture in square pixels, of which there are no fewer.

    Args:
        width: in pixels.
        height: the same.
        aspect: width of a pixel / height of a pixel.
    """
    if not 1 / WIDEST <= aspect <= WIDEST:
        return width, height
    return (width * aspect, height) if aspect >= 1 else (width, height / aspect)
