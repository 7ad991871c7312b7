"""MTCNN's three networks: one description, two runtimes, the same numbers."""

import numpy as np
import pytest

from facegroup.detection.nets import Nets
from facegroup.detection.nets_keras import KerasNets
from facegroup.detection.nets_openvino import CANVAS, OpenVinoNets
from facegroup.detection.pyramid import CELL, KERNEL, STRIDE, centred
from facegroup.types import Floats


@pytest.fixture(scope="module")
def runtimes() -> tuple[Nets, Nets]:
    return OpenVinoNets(threads=1), KerasNets("cpu", threads=1)


def _noise(*shape: int) -> Floats:
    return centred(np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8))


def _nothing(count: int, height: int, width: int) -> Floats:
    return np.zeros((count, height - KERNEL + 1, width - KERNEL + 1), np.float32)


def test_both_runtimes_give_the_same_proposals(runtimes: tuple[Nets, Nets]) -> None:
    openvino, keras = runtimes
    canvases, nothing = _noise(3, *CANVAS, 3), _nothing(3, *CANVAS)
    nothing[:, 97] = nothing[:, :, 40] = 1
    rows = np.array([CANVAS[0], 130, 12])
    odds, boxes = openvino.pnet(canvases, nothing, rows)
    others = keras.pnet(canvases, nothing, rows)
    assert (odds.shape, boxes.shape) == (others[0].shape, others[1].shape)
    for page, used in enumerate(rows):
        windows = slice(0, (used - CELL) // STRIDE + 1)
        np.testing.assert_allclose(odds[page, windows], others[0][page, windows], atol=1e-4)
        np.testing.assert_allclose(boxes[page, windows], others[1][page, windows], atol=1e-5)


@pytest.mark.parametrize("count", [1, 5, 130, 300])
@pytest.mark.parametrize(("net", "side"), [("rnet", 24), ("onet", 48)])
def test_both_runtimes_judge_crops_alike_whatever_the_batch(
    runtimes: tuple[Nets, Nets], net: str, side: int, count: int
) -> None:
    openvino, keras = runtimes
    crops = _noise(count, side, side, 3)
    for ours, theirs in zip(getattr(openvino, net)(crops), getattr(keras, net)(crops), strict=True):
        assert len(ours) == count
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_what_is_nothing_changes_nothing(runtimes: tuple[Nets, Nets]) -> None:
    """The windows that end at a row of nothing see what they would see if the image ended there."""
    for nets in runtimes:
        canvases, nothing = np.zeros((2, *nets.canvas, 3), np.float32), _nothing(2, *nets.canvas)
        canvases[:, :99] = _noise(99, nets.canvas[1], 3)
        nothing[:, 97] = 1
        canvases[1, 99] = 127.5
        one, other = nets.pnet(canvases, nothing, np.full(2, nets.canvas[0]))[0]
        last = (100 - CELL) // STRIDE
        np.testing.assert_allclose(one[: last + 1], other[: last + 1], atol=1e-5)
        assert one[last].max() > -100
