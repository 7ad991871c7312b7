"""Make small faces of large ones: photos scaled down until the central face has a given height.

NIST's and most public sets show large faces, on which networks no longer differ. Faces of cameras and crowds have 20 to 50
pixels. A photo is found, scaled and found again, so that detection and alignment have as few pixels as the network.
"""

from collections.abc import Sequence

import cv2

from facegroup.errors import ImageError, MalformedRequest
from facegroup.evaluation.lfw import central
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.types import Image

LEAST, MOST = 12, 1000
"""Heights of a face, in pixels, that can be asked for."""


def check_height(height: int | None) -> None:
    """Raise `MalformedRequest` if a photo cannot be scaled to a face of this height in pixels; None does not scale."""
    if height is not None and not LEAST <= height <= MOST:
        raise MalformedRequest(f"--face-height must be {LEAST} to {MOST} pixels")


def scaled(finder: Finder, photos: Sequence[bytes], height: int) -> list[bytes]:
    """Return photos whose central face is `height` pixels high, as PNG.

    A photo without a face, one that cannot be decoded, and one whose face is smaller already, stay as they are.

    Args:
        finder: what finds the faces.
        photos: the files.
        height: height of the face's box in pixels.
    """
    pictures = [finder.decode(Photo(data)) for data in photos]
    found = finder.find([Photo(data, liveness=False) for data in photos], pictures)
    made = []
    for data, picture, each in zip(photos, pictures, found, strict=True):
        if isinstance(picture, ImageError) or not isinstance(each, DetectedFaces) or not len(each.faces):
            made.append(data)
            continue
        _, top, _, bottom = each.faces.boxes[central(each.faces, each.width, each.height)].tolist()
        factor = height / max(1.0, bottom - top) * each.width / picture.image.shape[1]
        made.append(_png(picture.image, factor) if factor < 1 else data)
    return made


def _png(image: Image, factor: float) -> bytes:
    rows, columns = image.shape[:2]
    size = (max(1, round(columns * factor)), max(1, round(rows * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".png", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1])
