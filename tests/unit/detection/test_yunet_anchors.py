"""Decoding of YuNet's anchors, against a loop over them."""

import math

import numpy as np
import pytest

from facegroup.detection.yunet_anchors import OUTPUTS, STRIDES, WIDTHS, Candidates, decoded, merged
from facegroup.types import Floats


def outputs(images: int, height: int, width: int, seed: int = 0) -> list[Floats]:
    random = np.random.default_rng(seed)
    made = []
    for name in OUTPUTS:
        part, _, stride = name.partition("_")
        anchors = (height // int(stride)) * (width // int(stride))
        values = random.uniform(0, 1, (images, anchors, WIDTHS[part]))
        made.append(values.astype(np.float32))
    return made


def test_the_boxes_are_those_of_a_loop() -> None:
    images, height, width, least = 2, 64, 96, 0.8
    given = dict(zip(OUTPUTS, outputs(images, height, width), strict=True))
    expected: list[tuple[int, list[float], Floats, float]] = []
    for stride in STRIDES:
        for image in range(images):
            for anchor in range((height // stride) * (width // stride)):
                kind, thing = (given[f"{part}_{stride}"][image, anchor, 0] for part in ("cls", "obj"))
                score = math.sqrt(kind * thing)
                if score < least:
                    continue
                row, column = divmod(anchor, width // stride)
                dx, dy, dw, dh = given[f"bbox_{stride}"][image, anchor].tolist()
                x, y = (column + dx) * stride - 0.5, (row + dy) * stride - 0.5
                w, h = math.exp(dw) * stride, math.exp(dh) * stride
                points = given[f"kps_{stride}"][image, anchor].reshape(5, 2) + np.array([column, row])
                expected.append((image, [x - w / 2, y - h / 2, x + w / 2, y + h / 2], points * stride - 0.5, score))
    found = decoded(list(given.values()), width, least)
    assert len(expected) > 10
    assert found.image.tolist() == [each[0] for each in expected]
    np.testing.assert_allclose(found.boxes, [each[1] for each in expected], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(found.landmarks, np.stack([each[2] for each in expected]), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.scores, [each[3] for each in expected], rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e30])
def test_outputs_that_are_no_numbers_give_no_box_that_is_none(wrong: float) -> None:
    given = outputs(1, 64, 64)
    for each in given:
        each[:, ::3] = wrong
    found = decoded(given, 64, 0.0)
    assert np.isfinite(found.boxes).all()
    assert np.isfinite(found.landmarks).all()
    assert np.isfinite(found.scores).all()


def candidates(boxes: list[list[float]], scores: list[float]) -> Candidates:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    marks = np.repeat(rows[:, None, :2], 5, axis=1)
    return Candidates(np.zeros(len(rows), np.intp), rows, marks, np.array(scores, np.float32))


def test_the_boxes_of_one_face_become_their_mean() -> None:
    found = merged(candidates([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], [0.9, 0.9, 0.5]))
    np.testing.assert_allclose(found.boxes, np.array([[0.5, 0.5, 10.5, 10.5], [50, 50, 60, 60]]), atol=1e-5)
    np.testing.assert_allclose(found.landmarks[0], np.full((5, 2), 0.5), atol=1e-5)
    np.testing.assert_allclose(found.scores, [0.9, 0.5])


def test_a_sure_box_outweighs_an_unsure_one() -> None:
    found = merged(candidates([[0, 0, 10, 10], [2, 0, 12, 10]], [0.9, 0.45]))
    assert 0 < found.boxes[0, 0] < 0.2


def test_no_candidates_are_no_faces() -> None:
    assert len(merged(candidates([], [])).scores) == 0


def test_a_box_below_the_votes_is_left_as_it_is() -> None:
    found = merged(candidates([[0, 0, 10, 10], [1, 1, 11, 11]], [0.2, 0.1]))
    np.testing.assert_allclose(found.boxes, [[0, 0, 10, 10]])


def test_a_box_inside_a_better_one_is_the_same_face() -> None:
    found = merged(candidates([[0, 0, 100, 100], [20, 20, 60, 60], [80, 80, 120, 120]], [0.9, 0.8, 0.7]))
    np.testing.assert_allclose(found.scores, [0.9, 0.7])
