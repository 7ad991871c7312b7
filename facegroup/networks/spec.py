"""The seams around a network: what it is (`NetworkSpec`), and what runs it (`Engine`)."""

from dataclasses import dataclass
from typing import Literal, Protocol

from facegroup.types import Crops, Floats

CropKind = Literal["box", "five_point", "dlib_chip"]

Cut = CropKind | Literal["framed"]
"""What a crop shows: `framed` is a box whose aspect is kept, about a square of its height."""

RECORD = ".sha256.json"
"""Added to a weights file's name: where the hash of its first download is kept, if its publisher states none."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of a network's weights.

    Attributes:
        name: file name, as looked for under the model folders.
        url: where it is published.
        bytes: its size; 0 where it is not published.
        sha256: 64 hexadecimal digits, or empty where none is published (then recorded at the first download).
    """

    name: str
    url: str
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What a network is, apart from what runs it.

    Attributes:
        name: as in settings, galleries and answers.
        title: one line for a person.
        dimension: d of its descriptors.
        crop: how a face is cut out for it (see align.py).
        size: s, side of its crop in pixels.
        channels: order of the network's input.
        mean: subtracted per channel, in the order of `channels`.
        threshold: default for the cosine similarity.
        threshold_source: where that number comes from.
        engines: those that can run it, the preferred for a CPU first.
        weights: its files; empty where a package brings them.
        licence: of the weights, as stated by their publisher.
        extra: the optional dependency that it needs, or empty.
        base: the network that this one is a learned projection of, or empty; see networks/projection.py.
        margin: by which share of its sides a box is extended before it is cut out, where `crop` is ``box``.
        framed: whether such a box keeps its aspect, as VGGFace2's authors cut it out, and is not squeezed into a square.
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


class Engine(Protocol):
    """Something that runs one network. Made once, used from one thread at a time."""

    name: str
    """`openvino`, `keras-tensorflow`, `dlib`, …: as reported by /readyz."""

    device: str
    """`cpu` or `gpu:0`: where it really runs."""

    def run(self, crops: Crops) -> Floats:
        """Return the raw embeddings of (n, s, s, 3) uint8 RGB crops as (n, d) float32, not normalised; n ≥ 1."""

    def warm(self) -> None:
        """Compile and touch every batch bucket, so that the first request is as fast as the next."""
