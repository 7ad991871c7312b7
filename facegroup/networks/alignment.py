"""Cut faces out of an image and align them for a network. The network decides which method is used.

- ``box``: the detector's box, clipped to the image and resized to a square without keeping its aspect, as in the course
  work from which this system grew. With a margin, the box is extended first. Framed, it is cut out as VGGFace2's authors do:
  made at least 7/8 as wide as high, extended and clipped, its shorter side resized to 8/7 of the crop's (256 of 224), and
  the middle cut out, so that the aspect stays.
- ``five_point``: the similarity transform that best maps the five landmarks to the network's template, `NetworkSpec.points`.
- ``dlib_chip``: the same with a template of MTCNN's landmarks in dlib's own chips (padding 0.25).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.errors import NotAnImage
from facegroup.networks.spec import TEMPLATES, Cut, NetworkSpec
from facegroup.types import Crops, Faces, Floats, Image

_NARROWEST = 112 / 128  # least width of a framed box, relative to its height
_FRAME = 224 / 256  # part of the shorter side that is kept
_JPEG_QUALITY = 92
_DENSEST = 8


class Aligner:
    """Class that cuts faces out for one network.

    Args:
        spec: the network, with the method in `crop` and the side in `size`.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        self.kind: Cut = "framed" if spec.framed else spec.crop
        self._size = spec.size
        self._framed = spec.framed
        self._margin = spec.margin
        template = spec.points or TEMPLATES.get(spec.crop)
        self._template = None if template is None else np.asarray(template, np.float32) * spec.size

    def align(self, image: Image, faces: Faces, out: Crops | None = None) -> Crops:
        """Cut every face out of an image.

        Args:
            image: (h, w, 3) uint8 RGB.
            faces: the n faces found in it.
            out: (n, s, s, 3) uint8 array to write to, such as a slice of the batch's array; None allocates it.

        Returns:
            (n, s, s, 3) uint8 RGB: `out`. For unusable landmarks (all in one place, not finite) the box is cut out instead.
            The crop of a box outside the image is black.
        """
        if out is None:
            out = np.empty((len(faces), self._size, self._size, 3), np.uint8)
        if self._template is None:
            for box, crop in zip(faces.boxes, out, strict=True):
                if self._framed:
                    _cut_frame(image, box, self._margin, crop)
                else:
                    _cut_box(image, _extended(box, self._margin) if self._margin else box, crop)
            return out
        matrices, exists = similarity(faces.landmarks, self._template)
        for box, matrix, sound, crop in zip(faces.boxes, matrices, exists, out, strict=True):
            if sound:
                _warp(image, matrix, crop)
            else:
                _cut_box(image, box, crop)
        return out


def similarity(points: Floats, template: Floats) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the similarity transforms that map points to a template with the least squared error.

    This is the solution of S. Umeyama, Least-squares estimation of transformation parameters between two point patterns
    (1991), without reflection. In the plane the problem is linear: with points as complex numbers, z ↦ a·z + b.

    Args:
        points: (n, k, 2) pixels.
        template: (k, 2) pixels of the crop.

    Returns:
        (n, 2, 3) matrices for cv2.warpAffine, and (n,) whether each exists. Points that are not finite, all in one place,
        or opposed to the template (scale 0) have none.
    """
    source = _complex(points)
    target = _complex(template)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        centre = source.mean(axis=1)
        spread = source - centre[:, None]
        a = (spread.conj() * (target - target.mean())).sum(axis=1) / (np.abs(spread) ** 2).sum(axis=1)
        b = target.mean() - a * centre
        # Landmarks less than one pixel apart define no rotation.
        exists = np.isfinite(a) & np.isfinite(b) & (np.abs(spread).max(axis=1) > 0.5) & (np.abs(a) > 1e-6)
    matrices = np.stack([np.stack([a.real, -a.imag, b.real], -1), np.stack([a.imag, a.real, b.imag], -1)], 1)
    return matrices, exists


def _complex(points: Floats) -> NDArray[np.complex128]:
    return np.ascontiguousarray(points, np.float64).view(np.complex128)[..., 0]


def to_jpeg(crop: Image) -> bytes:
    """Return one (s, s, 3) uint8 RGB crop as JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ValueError(f"A crop of shape {crop.shape} cannot be encoded as JPEG.")
    return bytes(data)


def from_jpeg(data: bytes) -> Image:
    """Return a crop that `to_jpeg` wrote, as (s, s, 3) uint8 RGB.

    Raises:
        NotAnImage: the bytes are not an image.
    """
    crop = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if crop is None:
        raise NotAnImage("The stored crop is not an image.")
    rgb: Image = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)
    return rgb


def _cut_box(image: Image, box: Floats, crop: Image) -> None:
    if not np.isfinite(box).all():
        crop[:] = 0
        return
    x1, y1, x2, y2 = (int(edge) for edge in np.rint(box))
    # A box may round to an empty one, but a face has at least one pixel.
    part = image[max(y1, 0) : max(y2, y1 + 1), max(x1, 0) : max(x2, x1 + 1)] if y2 >= 0 and x2 >= 0 else image[:0]
    if part.size == 0:
        crop[:] = 0
        return
    side = crop.shape[0]
    shrinks = part.shape[0] >= side and part.shape[1] >= side
    # Large faces are averaged, because bilinear sampling would skip most of their pixels.
    crop[:] = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _extended(box: Floats, margin: float) -> Floats:
    half = margin / 2 * (box[2:] - box[:2])
    return np.concatenate([box[:2] - half, box[2:] + half])


def _cut_frame(image: Image, box: Floats, margin: float, crop: Image) -> None:
    """Cut a box out as in ox-vgg/vgg_face2, standard_evaluation/demo_proj.m and its README."""
    if not np.isfinite(box).all():
        crop[:] = 0
        return
    middle, height = (box[:2] + box[2:]) / 2, box[3] - box[1]
    half = (1 + margin) / 2 * np.array([max(box[2] - box[0], _NARROWEST * height), height])
    low, high = np.maximum(middle - half, 0), np.minimum(middle + half, image.shape[1::-1])
    side = float((high - low).min()) * _FRAME
    if side <= 0:
        crop[:] = 0
        return
    scale = crop.shape[0] / max(side, 1.0)  # a face has at least one pixel
    # In pixel centres: the middle of the region is mapped to the middle of the crop.
    shift = crop.shape[0] / 2 - 0.5 - scale * ((low + high) / 2 - 0.5)
    _warp(image, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64), crop)


def _warp(image: Image, matrix: NDArray[np.float64], crop: Image) -> None:
    side = crop.shape[0]
    # Bilinear sampling would skip most pixels of a large face, so it is sampled k × k times as densely and averaged.
    k = int(np.clip(np.rint(1 / np.hypot(*matrix[0, :2])), 1, _DENSEST))
    dense = matrix * k
    dense[:, 2] += (k - 1) / 2
    warped = cv2.warpAffine(image, dense, (side * k, side * k), flags=cv2.INTER_LINEAR)
    crop[:] = warped if k == 1 else cv2.resize(warped, (side, side), interpolation=cv2.INTER_AREA)
