"""The three networks of MTCNN (Zhang et al. 2016, arXiv:1604.02878): layers once, weights of the mtcnn package.

`layers(name)` gives a network as data; `mtcnn_openvino.py` and `mtcnn_keras.py` build it for their runtime. The package's
weight files are read without importing it, because importing it imports TensorFlow.
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


NOTHING = 1e6
"""What a `nothing` takes away: more than any layer says."""

RANGES: Mapping[Net, Sequence[tuple[float, float]]] = {
    "rnet": ((-127.5, 127.5), (-4.6, 3.7), (-2.9, 2.9), (-0.19, 2.0)),
    "onet": ((-127.5, 127.5), (-1.6, 5.1), (-3.7, 4.4), (-1.4, 3.7), (-0.093, 2.9)),
}
"""What goes into each layer but the head, over photos of people, less the outermost (benchmarks/ranges.py)."""


class Nets(Protocol):
    """The three networks, ready to run. Used from as many threads at once as there are lanes.

    Pixels are float32 RGB grey levels from the middle, -127.5..127.5, as `facegroup.detection.pyramid.centred` gives
    them. Answers are float32: log-odds ln(p / (1 - p)) of the probability p of a face, and regressions.
    """

    name: str
    device: str
    canvas: tuple[int, int]
    """Height and width of P-Net's canvases."""
    lanes: int
    """How many photos are best looked at, at once, from threads of their own."""

    @property
    def lane(self) -> "Nets":
        """The same for one of several threads: it infers in its caller's thread only."""

    def pnet(self, canvases: Floats, nothing: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """(c, h, w, 3) pixels → log-odds (c, h', w') and box regression (c, h', w', 4).

        Where `nothing` (c, h - 2, w - 2) is 1 the first pool passes over what the 3×3 kernel there says; else it is 0.
        What lies below the first `rows` (c,) of a canvas need not be looked at; there the log-odds may be -inf.
        """

    def rnet(self, crops: Floats) -> tuple[Floats, Floats]:
        """(n, 24, 24, 3) pixels → log-odds (n,) and box regression (n, 4)."""

    def onet(self, crops: Floats) -> tuple[Floats, Floats, Floats]:
        """(n, 48, 48, 3) pixels → log-odds (n,), box regression (n, 4), landmarks (n, 10): five x, five y."""

    def warm(self) -> None:
        """Compile and touch every shape."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer.

    Attributes:
        kind: what it does; a `nothing` makes the pool after it pass over the places that P-Net is told of.
        weights: kernel (h, w, in, out) and bias of a `conv`, kernel (in, out) and bias of a `dense`, slope of a `prelu`.
        size: window of a pool, with stride 2.
        same: whether a pool goes on over the border.
    """

    kind: Literal["conv", "dense", "prelu", "nothing", "pool", "flatten"]
    weights: tuple[Floats, ...] = ()
    size: int = 0
    same: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """A network: a trunk, and one dense or 1×1 convolutional head on it.

    Attributes:
        side: of its square input, in pixels; 0 for P-Net, which takes any.
        trunk: in order.
        head: kernel and bias: box regression (4), landmarks (10) where there are some, and the log-odds of a face. The
            package's two class scores (logits) are one number less: their softmax is σ(face - no face).
    """

    side: int
    trunk: tuple[Layer, ...]
    head: tuple[Floats, Floats]


_TRUNKS: dict[Net, str] = {
    "pnet": "conv prelu nothing pool2same conv prelu conv prelu",
    "rnet": "conv prelu pool3same conv prelu pool3valid conv prelu flatten dense prelu",
    "onet": "conv prelu pool3same conv prelu pool3valid conv prelu pool2same conv prelu flatten dense prelu",
}
_SIDES: dict[Net, int] = {"pnet": 0, "rnet": 24, "onet": 48}
_TAKES = {"conv": 2, "dense": 2, "prelu": 1}


def layers(name: Net) -> Layers:
    """Return a network with its weights, the division of centred pixels by 128 folded into its first layer.

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
        raise EngineUnavailable("the package mtcnn, which brings the detector's weights, is not installed")
    return Path(found.origin).parent / "assets" / "weights"
