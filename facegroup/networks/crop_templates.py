"""Templates for networks of one's own: how a face is cut out, and what becomes of its pixels. A YAML file may change a part.

ArcFace's five points are `arcface_dst` of deepinsight/insightface, python-package/insightface/utils/face_align.py. At sides
that are multiples of 128, the same file moves them 8 pixels to the right: the face stays as large, and has more around it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from facegroup.networks.spec import TEMPLATES

Points = tuple[tuple[float, float], ...]

_ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
_GUESS = "a guess for networks of this kind, measured on none: run `facegroup calibrate`"


@dataclass(frozen=True, slots=True)
class Template:
    """A way to cut faces out, with the preprocessing of the networks that usually go with it.

    Attributes:
        about: one line on it.
        size: side s of the crop in pixels.
        points: five points as fractions of the side; empty cuts the box out.
        margin: share of its sides by which a box is extended.
        keep_aspect: whether a box keeps its aspect (`NetworkSpec.framed`).
        channels: channel order.
        mean: value to subtract from each channel.
        scale: number to divide each channel by after that.
        threshold: default threshold.
        threshold_source: where that number comes from.
    """

    about: str
    size: int
    points: Points = ()
    margin: float = 0.0
    keep_aspect: bool = False
    channels: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    scale: tuple[float, float, float] = (127.5, 127.5, 127.5)
    threshold: float = 0.45
    threshold_source: str = _GUESS


def _fractions(side: int, right: float = 0.0) -> Points:
    return tuple(((x + right) / side, y / side) for x, y in _ARCFACE)


CROP_TEMPLATES: Mapping[str, Template] = {
    "arcface112": Template("ArcFace's five points; RGB, −1…1 (InsightFace, EdgeFace, MagFace)", 112, _fractions(112)),
    "arcface128": Template("ArcFace's five points in a crop of 128; RGB, −1…1", 128, _fractions(128, 8)),
    "adaface112": Template("ArcFace's five points; BGR, −1…1 (AdaFace)", 112, _fractions(112), channels="BGR"),
    "sface112": Template(
        "ArcFace's five points; RGB, 0…255 (OpenCV's SFace)",
        112,
        _fractions(112),
        mean=(0.0, 0.0, 0.0),
        scale=(1.0, 1.0, 1.0),
        threshold=0.363,
        threshold_source="OpenCV's, for comparing two photos; not measured by us: run `facegroup calibrate`",
    ),
    "retail128": Template(
        "the five points of the Open Model Zoo's face-reidentification-retail-0095; BGR, 0…255",
        128,
        TEMPLATES["five_point"],
        channels="BGR",
        mean=(0.0, 0.0, 0.0),
        scale=(1.0, 1.0, 1.0),
    ),
    "facenet160": Template(
        # margin 14 of 160 pixels, as its LFW evaluation has it: a box grows by 14 / (160 − 14).
        "the detector's box × 1.096; RGB, (pixel − 127.5) / 128 (facenet-pytorch)",
        160,
        margin=0.096,
        scale=(128.0, 128.0, 128.0),
        threshold=0.7,
    ),
    "box224": Template(
        "the detector's box × 1.3, its aspect kept; BGR minus VGGFace2's mean",
        224,
        margin=0.3,
        keep_aspect=True,
        channels="BGR",
        mean=(91.4953, 103.8827, 131.0912),
        scale=(1.0, 1.0, 1.0),
        threshold=0.6,
    ),
}
"""All templates by name."""
