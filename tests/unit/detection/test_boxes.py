"""Arithmetic on boxes, against plain Python."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import ArrayLike

from facegroup.detection.boxes import clip, overlap, square, suppress
from facegroup.types import Floats


def rows(boxes: ArrayLike) -> Floats:
    return np.asarray(boxes, np.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ("one", "other", "union", "smaller"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1, 1),
        ([0, 0, 10, 10], [5, 0, 15, 10], 1 / 3, 1 / 2),
        ([0, 0, 10, 10], [2, 2, 4, 4], 0.04, 1),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0, 0),
        ([0, 0, 10, 10], [30, 30, 40, 40], 0, 0),
        ([-5, -5, 5, 5], [0, 0, 10, 10], 25 / 175, 0.25),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0, 0),
        ([3, 3, 3, 9], [0, 0, 10, 10], 0, 0),
    ],
)
def test_overlap(one: list[float], other: list[float], union: float, smaller: float) -> None:
    for a, b in ((one, other), (other, one)):
        assert_allclose(overlap(rows(a), rows(b)), [[union]], rtol=1e-6)
        assert_allclose(overlap(rows(a), rows(b), "min"), [[smaller]], rtol=1e-6)


def test_overlap_of_every_box_with_every_other() -> None:
    assert overlap(rows([[0, 0, 1, 1]] * 3), rows([[0, 0, 1, 1]] * 2)).shape == (3, 2)
    assert overlap(rows([]), rows([[0, 0, 1, 1]])).shape == (0, 1)


def by_hand(boxes: Floats, scores: Floats, threshold: float, over: Literal["union", "min"]) -> list[int]:
    """As the mtcnn package does it: a box falls to any better one, be that one itself fallen."""
    order = sorted(range(len(boxes)), key=lambda index: -scores[index])
    between = overlap(boxes, boxes, over)
    return [
        index
        for rank, index in enumerate(order)
        if not any(between[index, better] > threshold for better in order[:rank])
    ]


corner = st.integers(0, 20)


@settings(deadline=None)
@given(
    boxes=st.lists(st.tuples(corner, corner, corner, corner), max_size=12),
    threshold=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]),
    over=st.sampled_from(["union", "min"]),
)
def test_suppression(boxes: list[tuple[int, int, int, int]], threshold: float, over: Literal["union", "min"]) -> None:
    array = rows(np.array([[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in boxes], np.float32))
    scores = np.linspace(0.9, 0.1, len(array), dtype=np.float32)[::-1].copy()
    assert suppress(array, scores, threshold, over).tolist() == by_hand(array, scores, threshold, over)


def test_of_equal_scores_the_first_stays() -> None:
    boxes = rows([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    assert suppress(boxes, np.ones(3, np.float32), 0.5).tolist() == [0, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_suppression_of_next_to_nothing(count: int) -> None:
    assert suppress(rows([[0, 0, 5, 5]] * count), np.ones(count, np.float32), 0.5).tolist() == list(range(count))


def test_squares_keep_their_centres() -> None:
    boxes = rows([[0, 0, 10, 4], [5, 5, 6, 9], [-3, 2, 7, 12], [1, 1, 1, 1]])
    grown = square(boxes)
    sides = grown[:, 2:] - grown[:, :2]
    assert_array_equal(sides[:, 0], sides[:, 1])
    assert_array_equal(sides[:, 0], [10, 4, 10, 0])
    assert_allclose(grown[:, :2] + grown[:, 2:], boxes[:, :2] + boxes[:, 2:])
    assert square(rows([])).shape == (0, 4)


def test_boxes_are_cut_at_the_border() -> None:
    boxes = rows([[-5, -5, 500, 500], [3, 4, 5, 6], [150, 90, 160, 99], [98, 48, 120, 60]])
    assert_array_equal(clip(boxes, 100, 50), rows([[0, 0, 99, 49], [3, 4, 5, 6], [99, 49, 99, 49], [98, 48, 99, 49]]))
