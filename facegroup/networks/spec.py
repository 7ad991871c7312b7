"""Describe a network (`NetworkSpec`), and define the interface of the engines that run one (`Engine`)."""

from dataclasses import dataclass
from typing import Literal, Protocol

from facegroup.types import Crops, Floats

CropKind = Literal["box", "five_point", "dlib_chip"]

Cut = CropKind | Literal["framed"]
"""The shape of a crop: `framed` is a box that keeps its aspect, roughly a square of its height."""

TEMPLATES: dict[CropKind, tuple[tuple[float, float], ...]] = {
    # Open Model Zoo, face-reidentification-retail-0095.
    "five_point": (
        (0.31556875, 0.46157411),
        (0.68262292, 0.46157411),
        (0.50026250, 0.64050536),
        (0.34947188, 0.82469196),
        (0.65343646, 0.82469196),
    ),
    # The mean of MTCNN's landmarks in dlib's chips over 1,583 LFW photos. Accuracy on two folds of LFW: 98.75 %, and 98.2 to
    # 98.6 % with dlib's own shape predictor in MTCNN's boxes (unchanged, and made as square and low as dlib's).
    "dlib_chip": (
        (0.31615, 0.30205),
        (0.67316, 0.30142),
        (0.49359, 0.51451),
        (0.33474, 0.69533),
        (0.65123, 0.69524),
    ),
}
"""Where alignment maps the left eye, right eye, nose tip, left and right mouth corner, as fractions of the crop's side."""

RECORD = ".sha256.json"
"""Suffix of the file that records the hash of a first download, if the publisher states none."""

ONNX = ".onnx"
"""Suffix of ONNX files."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of a network's weights.

    Attributes:
        name: file name to search for in the model folders.
        url: URL of the published file.
        bytes: its size, or 0 if none is published.
        sha256: 64 hexadecimal digits, or empty if none is published (then it is recorded at the first download).
    """

    name: str
    url: str
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Description of a network, independent of the engine that runs it.

    Attributes:
        name: the name in settings, galleries and answers.
        title: a one-line description.
        dimension: dimension d of its descriptors.
        crop: how a face is cut out for it (see alignment.py).
        size: side s of its crop in pixels.
        channels: channel order of its input.
        mean: value to subtract from each channel, in the order of `channels`.
        threshold: default threshold of the cosine similarity.
        threshold_source: where that number comes from.
        engines: engines that can run it, the preferred one for a CPU first.
        weights: its files; empty if a package contains them.
        licence: licence of the weights, as stated by their publisher.
        extra: the optional dependency that it needs, or empty.
        base: the network of which this one is a learned projection, or empty; see networks/projection.py.
        margin: share of its sides by which a box is extended before it is cut out, if `crop` is ``box``.
        cohort_threshold: default threshold of the score by a cohort; None if none was measured.
        framed: whether such a box keeps its aspect, as VGGFace2's authors cut it out, instead of being squeezed to a square.
        scale: number by which each channel is divided after the mean is subtracted, in the order of `channels`.
        points: where the five landmarks are mapped to, as fractions of the crop's side, if `crop` is ``five_point`` and the
            template is not retail-0095's.
        batch: most crops in one inference; 0 if the file does not limit it.
        source: path of the YAML file that describes it, or empty; see networks/description.py.
    """

    name: str
    title: str
    dimension: int
    crop: CropKind
    size: int
    channels: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    threshold: float
    threshold_source: str
    engines: tuple[str, ...]
    weights: tuple[WeightsFile, ...]
    licence: str
    extra: str = ""
    base: str = ""
    margin: float = 0.0
    framed: bool = False
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    points: tuple[tuple[float, float], ...] = ()
    batch: int = 0
    source: str = ""
    cohort_threshold: float | None = None

    @property
    def setting(self) -> str:
        """The value of the setting `network` that chooses it: its YAML file, or its name."""
        return self.source or self.name

    @property
    def is_tried(self) -> bool:
        """Whether it is tried on drawn faces at the start (behaviour.py): its file is a user's, or has no graph of ours."""
        return bool(self.source) or any(file.name.lower().endswith(ONNX) for file in self.weights)


class Engine(Protocol):
    """Protocol of an object that runs one network. Only one thread may use it at a time."""

    name: str
    """`openvino`, `keras-tensorflow`, `dlib`, … as reported by /readyz."""

    device: str
    """`cpu` or `gpu:0`, the device it really runs on."""

    def run(self, crops: Crops) -> Floats:
        """Return the raw embeddings of (n, s, s, 3) uint8 RGB crops, n ≥ 1, as (n, d) float32, not normalised."""

    def warm(self) -> None:
        """Compile and run every batch size, so that the first request is as fast as the next."""
