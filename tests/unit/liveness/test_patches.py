"""Patches are cut as the authors' code cuts them, and every box gives one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegroup.liveness.patches import SIDE, cut, region, usable


# Calculated by src/generate_patches.py of minivision-ai/Silent-Face-Anti-Spoofing, commit c3e2048.
@pytest.mark.parametrize(
    ("size", "box", "scale", "patch"),
    [
        ((250, 250), (100, 90, 150, 160), 2.7, (57, 30, 192, 219)),
        ((250, 250), (100, 90, 150, 160), 4.0, (36, 0, 213, 249)),  # as high as the image
        ((640, 480), (10, 20, 60, 80), 2.7, (0, 0, 135, 162)),  # moved right and down
        ((640, 480), (580, 400, 640, 480), 4.0, (399, 159, 639, 479)),  # moved left and up
        ((100, 80), (-20, -20, 140, 120), 2.7, (8, 0, 99, 79)),  # larger than the image
    ],
)
def test_a_patch_is_where_the_authors_cut_it(
    size: tuple[int, int], box: tuple[float, ...], scale: float, patch: tuple[int, ...]
) -> None:
    assert region(*size, np.array(box, np.float32), scale) == patch


@settings(deadline=None)
@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    corner=st.tuples(st.floats(-1e4, 1e4, width=32), st.floats(-1e4, 1e4, width=32)),
    sides=st.tuples(st.floats(0, 1e4, width=32), st.floats(0, 1e4, width=32)),
    scale=st.sampled_from([2.7, 4.0]),
)
def test_every_box_gives_a_patch_inside_the_image(
    size: tuple[int, int], corner: tuple[float, float], sides: tuple[float, float], scale: float
) -> None:
    box = np.array([*corner, corner[0] + sides[0], corner[1] + sides[1]], np.float32)
    x1, y1, x2, y2 = region(*size, box, scale)
    assert 0 <= x1 <= x2 < size[0]
    assert 0 <= y1 <= y2 < size[1]
    out = np.empty((SIDE, SIDE, 3), np.uint8)
    cut(np.full((size[1], size[0], 3), 7, np.uint8), box, scale, out)
    assert (out == 7).all()


def test_a_box_that_is_not_finite_or_too_small_is_not_usable() -> None:
    nan, inf = float("nan"), float("inf")
    boxes = [[0, 0, 40, 50], [0, 0, 39, 50], [nan, 0, 40, 50], [0, -inf, 40, inf], [40, 50, 0, 0], [5, 5, 5, 5]]
    assert usable(np.array(boxes, np.float32), 40).tolist() == [True, False, False, False, False, False]
    assert usable(np.empty((0, 4), np.float32), 40).tolist() == []
