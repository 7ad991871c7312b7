"""How a stored picture is displayed: turned, mirrored, or wider, as its frame and the camera's setting say."""

from typing import Any, NamedTuple, Self

import av
import numpy as np
from av.sidedata.sidedata import Type

from facegroup.types import Image

WIDEST = 5.0
"""Greatest ratio of a pixel's sides that is believed."""

Box = tuple[float, float, float, float]


class Pose(NamedTuple):
    """Class that holds one of the eight orientations of a picture.

    Attributes:
        transposed: whether rows become columns; done first.
        mirrored: whether left and right are then exchanged.
        flipped: whether top and bottom are then exchanged.
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame, clockwise: int = 0) -> Self:
        """Return the orientation of a frame: its display matrix, turned by `clockwise` degrees more, in quarter turns."""
        side: Any = frame.side_data
        data = side.get(Type.DISPLAYMATRIX)
        pose = cls()
        if data is not None and len(raw := bytes(data)) >= 20:
            a, b, _, c, d = np.frombuffer(raw[:20], np.int32).tolist()  # x, y are shown at ax + cy, bx + dy
            transposed = abs(a) + abs(d) < abs(b) + abs(c)
            pose = cls(transposed, (c if transposed else a) < 0, (b if transposed else d) < 0)
        for _ in range(round(clockwise / 90) % 4):
            pose = cls(not pose.transposed, not pose.flipped, pose.mirrored)
        return pose

    def shown(self, image: Image) -> Image:
        """Return a stored image, (h, w, …), as it is displayed."""
        if self.transposed:
            image = image.swapaxes(0, 1)
        return image[:: -1 if self.flipped else 1, :: -1 if self.mirrored else 1]

    def stored(self, box: Box) -> Box:
        """Return a box of the displayed picture, in 0..1, as a box of the stored picture."""
        left, top, right, bottom = box
        if self.flipped:
            top, bottom = 1 - bottom, 1 - top
        if self.mirrored:
            left, right = 1 - right, 1 - left
        return (top, left, bottom, right) if self.transposed else (left, top, right, bottom)

    def size(self, width: float, height: float) -> tuple[float, float]:
        """Return width and height of the displayed picture."""
        return (height, width) if self.transposed else (width, height)


def square(width: int, height: int, aspect: float) -> tuple[float, float]:
    """Return width and height of a stored picture in square pixels; neither gets smaller.

    Args:
        width: in stored pixels.
        height: in stored pixels.
        aspect: width of a pixel / height of a pixel.
    """
    if not 1 / WIDEST <= aspect <= WIDEST:
        return width, height
    return (width * aspect, height) if aspect >= 1 else (width, height / aspect)
