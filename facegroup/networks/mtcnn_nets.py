"""The three networks of MTCNN (Zhang et al. 2016, arXiv:1604.02878): layers once, weights of the mtcnn package.

`layers(name)` gives a network as data; `mtcnn_openvino.py` and `mtcnn_keras.py` build it for their runtime. The package's
weight files are read without importing it, because importing it imports TensorFlow.
"""

import importlib.util
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


class Nets(Protocol):
    """The three networks, ready to run. Used from as many threads at once as there are lanes.

    Pixels are float32 RGB grey levels from the middle, -127.5..127.5, as `facegroup.pyramid.centred` gives them.
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

    def pnet(self, canvases: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """(c, h, w, 4) pixels → face probability (c, h', w') and box regression (c, h', w', 4).

        The fourth channel is 1 where there is nothing.

        What lies below the first `rows` (c,) of a canvas need not be looked at; there the probability may be 0.
        """

    def rnet(self, crops: Floats) -> tuple[Floats, Floats]:
        """(n, 24, 24, 3) pixels → face probability (n,) and box regression (n, 4)."""

    def onet(self, crops: Floats) -> tuple[Floats, Floats, Floats]:
        """(n, 48, 48, 3) pixels → face probability (n,), box regression (n, 4), landmarks (n, 10): five x, five y."""

    def warm(self) -> None:
        """Compile and touch every shape."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer.

    Attributes:
        kind: what it does; a `nothing` makes the pool after it pass over what a 3×3 kernel had of the fourth channel.
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
    """A network: a trunk, and one dense or 1×1 convolutional head on it per output.

    Attributes:
        side: of its square input, in pixels; 0 for P-Net, which takes any.
        trunk: in order.
        heads: (kernel, bias) of each: box regression, landmarks where there are some, and two class scores (logits).
    """

    side: int
    trunk: tuple[Layer, ...]
    heads: tuple[tuple[Floats, Floats], ...]


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
    if name == "pnet":
        arrays[0] = np.pad(arrays[0], ((0, 0), (0, 0), (0, 1), (0, 0)))  # the fourth channel is for `nothing`
    trunk = []
    for word in _TRUNKS[name].split():
        if word.startswith("pool"):
            trunk.append(Layer("pool", size=int(word[4]), same=word.endswith("same")))
            continue
        count = _TAKES.get(word, 0)
        weights = tuple(array.squeeze() if word == "prelu" else array for array in arrays[:count])
        trunk.append(Layer(word, weights))  # type: ignore[arg-type]
        arrays = arrays[count:]
    heads = tuple((arrays[index], arrays[index + 1]) for index in range(0, len(arrays), 2))
    return Layers(_SIDES[name], tuple(trunk), heads)


def _assets() -> Path:
    found = importlib.util.find_spec("mtcnn")
    if found is None or found.origin is None:
        raise EngineUnavailable("the package mtcnn, which brings the detector's weights, is not installed")
    return Path(found.origin).parent / "assets" / "weights"
