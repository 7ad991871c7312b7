"""The layers of MTCNN's three networks (Zhang et al. 2016, arXiv:1604.02878), with the weights of the mtcnn package.

`layers` returns a network as data, and `nets_openvino.py` and `nets_keras.py` build it for their runtime. The package's
weight files are read without importing it, because that would import TensorFlow.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import EngineUnavailable
from facegroup.types import Floats

Net = Literal["pnet", "rnet", "onet"]


MASKED = 1e6
"""A mask subtracts this: more than any layer's output."""

RANGES: Mapping[Net, Sequence[tuple[float, float]]] = {
    "rnet": ((-127.5, 127.5), (-4.6, 3.7), (-2.9, 2.9), (-0.19, 2.0)),
    "onet": ((-127.5, 127.5), (-1.6, 5.1), (-3.7, 4.4), (-1.4, 3.7), (-0.093, 2.9)),
}
"""Range of each layer's input except the head's, over photos of people, without outliers (benchmarks/ranges.py)."""


class Nets(Protocol):
    """Protocol of the three networks on a runtime. As many threads as `lanes` may use them at once.

    Pixels are centred float32 RGB, -127.5..127.5 (`facegroup.detection.pyramid.centred`). Outputs are float32: log-odds
    ln(p / (1 - p)) of the probability p of a face, and regressions.
    """

    name: str
    device: str
    canvas: tuple[int, int]
    """Height and width of P-Net's canvases."""
    lanes: int
    """How many photos are best processed at once, each in a thread of its own."""

    @property
    def lane(self) -> "Nets":
        """The same networks for one of several threads: inference runs only in the caller's thread."""

    def pnet(self, canvases: Floats, mask: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return log-odds (c, h', w') and box regression (c, h', w', 4) of the windows of canvases.

        Args:
            canvases: (c, h, w, 3) pixels.
            mask: (c, h - 2, w - 2), 1 where the first pool must ignore the output of the 3×3 kernel, else 0.
            rows: (c,) how many rows of each canvas are used. Below them the log-odds may be -inf.
        """

    def rnet(self, crops: Floats) -> tuple[Floats, Floats]:
        """Return log-odds (n,) and box regression (n, 4) of (n, 24, 24, 3) pixels."""

    def onet(self, crops: Floats) -> tuple[Floats, Floats, Floats]:
        """Return log-odds (n,), box regression (n, 4) and landmarks (n, 10), five x and five y, of (n, 48, 48, 3) pixels."""

    def warm(self) -> None:
        """Compile and run every shape once."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer of a network.

    Attributes:
        kind: the operation; a `mask` makes the next pool ignore the places in P-Net's second input.
        weights: kernel (h, w, in, out) and bias of a `conv`, kernel (in, out) and bias of a `dense`, slope of a `prelu`.
        size: window of a pool, with stride 2.
        same: whether a pool continues over the border.
    """

    kind: Literal["conv", "dense", "prelu", "mask", "pool", "flatten"]
    weights: tuple[Floats, ...] = ()
    size: int = 0
    same: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """A network: a trunk and one dense or 1×1 convolutional head.

    Attributes:
        side: side of its square input, in pixels; 0 for P-Net, which takes any size.
        trunk: its layers in order.
        head: kernel and bias of box regression (4), landmarks (10, only O-Net) and the log-odds of a face. The package's two
            class scores (logits) become one number: their softmax is σ(face - no face).
    """

    side: int
    trunk: tuple[Layer, ...]
    head: tuple[Floats, Floats]


_TRUNKS: dict[Net, str] = {
    "pnet": "conv prelu mask pool2same conv prelu conv prelu",
    "rnet": "conv prelu pool3same conv prelu pool3valid conv prelu flatten dense prelu",
    "onet": "conv prelu pool3same conv prelu pool3valid conv prelu pool2same conv prelu flatten dense prelu",
}
_SIDES: dict[Net, int] = {"pnet": 0, "rnet": 24, "onet": 48}
_TAKES = {"conv": 2, "dense": 2, "prelu": 1}


def layers(name: Net) -> Layers:
    """Return a network with its weights. Dividing the centred pixels by 128 is part of its first layer.

    Raises:
        EngineUnavailable: the mtcnn package is not installed.
    """
    import joblib

    arrays = [np.asarray(array, np.float32) for array in joblib.load(_assets() / f"{name}.lz4")]
    arrays[0] = arrays[0] / np.float32(128)
    trunk = []
    for word in _TRUNKS[name].split():
        if word.startswith("pool"):
            trunk.append(Layer("pool", size=int(word[4]), same=word.endswith("same")))
            continue
        count = _TAKES.get(word, 0)
        weights = tuple(array.squeeze() if word == "prelu" else array for array in arrays[:count])
        trunk.append(Layer(word, weights))  # type: ignore[arg-type]
        arrays = arrays[count:]
    *regressions, kernel, bias = arrays
    odds = [kernel[..., 1:] - kernel[..., :1], bias[1:] - bias[:1]]
    kernels, biases = (np.concatenate([*regressions[part::2], odds[part]], axis=-1) for part in (0, 1))
    return Layers(_SIDES[name], tuple(trunk), (kernels, biases))


def _assets() -> Path:
    found = importlib.util.find_spec("mtcnn")
    if found is None or found.origin is None:
        raise EngineUnavailable("The detector needs the package mtcnn for its weights. Run: pip install mtcnn")
    return Path(found.origin).parent / "assets" / "weights"
