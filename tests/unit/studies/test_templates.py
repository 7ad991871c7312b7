"""What stands for a person, on vectors of the plane whose angles are reckoned by hand."""

import numpy as np
import pytest

from facegroup.store.vectors import centroid
from facegroup.types import Floats
from studies import templates
from studies.templates import Template

RIGHT, UP = (1.0, 0.0), (0.0, 1.0)


def rows(*each: tuple[float, float]) -> Floats:
    return np.array(each, np.float32)


def degrees(*angles: float) -> Floats:
    return np.stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))], axis=1).astype(np.float32)


def angle(vector: Floats) -> float:
    assert np.linalg.norm(vector) == pytest.approx(1)
    return float(np.degrees(np.arctan2(vector[1], vector[0])))


def test_a_long_embedding_weighs_more_in_the_raw_mean_alone() -> None:
    enrolled = rows((3.0, 0.0), UP)
    assert angle(templates.raw_mean(enrolled)) == pytest.approx(np.degrees(np.arctan2(1, 3)))
    assert angle(templates.mean(enrolled)) == pytest.approx(45)


def test_the_mean_is_what_the_stores_keep() -> None:
    descriptors = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    kept = centroid(list(descriptors))
    assert kept is not None
    assert templates.mean(descriptors * np.arange(1, 6, dtype=np.float32)[:, None]) == pytest.approx(kept, abs=1e-6)


@pytest.mark.parametrize(
    ("angles", "limit", "expected"),
    [
        ([0, 10, 80], 0.5, 5),  # 80° is 75° off the others: cos 0.26
        ([80, 0, 10], 0.5, 5),
        ([0, 10, 80], 0.2, 28.2),  # near enough: atan((sin 10° + sin 80°) / (1 + cos 10° + cos 80°))
        ([0, 80], 0.9, 40),  # of two neither is known to be the wrong one
        ([0], 0.9, 0),
        ([0, 90], 1.0, 45),
        ([0, 90, 92], 1.0, 91),  # one of three goes, and then no more, whatever the limit
        ([0, 2, 4, 90, 95], 0.5, 2),  # both outliers go
        ([0, 2, 170, 172, 174], 0.5, 172),  # the greater part stays
    ],
)
def test_outliers_are_rejected(angles: list[float], limit: float, expected: float) -> None:
    assert angle(templates.rejecting(limit)(degrees(*angles))) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        ([0, 10, 80], 10),  # the corner at 10° is wider than 120°: it is the point of the least distances
        ([-10, 0, 10], 0),
        ([0, 0, 0, 90], 0),
        ([0, 80], 40),
        ([30], 30),
    ],
)
def test_the_median(angles: list[float], expected: float) -> None:
    assert angle(templates.median(degrees(*angles))) == pytest.approx(expected, abs=0.1)


def test_frigates() -> None:
    assert angle(templates.frigate(degrees(0, 10, 20))) == pytest.approx(10, abs=0.1)
    assert angle(templates.frigate(degrees(0, 5, 10, 120))) == pytest.approx(5, abs=0.1)  # 120° is beyond cos 0.30
    many = templates.frigate(degrees(*[0] * 6, 60))
    assert angle(many) == pytest.approx(0, abs=0.1)  # of seven the one extreme on each side is left out


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (templates.of_one(templates.mean), [np.cos(np.pi / 4), 1.0]),
        (templates.best, [1.0, 1.0]),
        (templates.fused, [(1 + np.cos(np.pi / 4)) / 2, 1.0]),
    ],
)
def test_scores_are_of_probes_and_people(template: Template, expected: list[float]) -> None:
    scores = template([rows(RIGHT, UP), rows((5.0, 0.0))], rows(RIGHT, RIGHT, RIGHT))
    assert scores.shape == (3, 2)
    assert scores.dtype == np.float32
    assert scores == pytest.approx(np.array([expected] * 3), abs=1e-6)


def test_all_that_are_compared_agree_on_one_photo() -> None:
    draw = np.random.default_rng(0)
    enrolled = [draw.standard_normal((1, 8)).astype(np.float32) for _ in range(4)]
    probes = draw.standard_normal((5, 8)).astype(np.float32)
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    scores = [template(enrolled, probes) for template in templates.templates(0.4).values()]
    for other in scores[1:]:
        assert other == pytest.approx(scores[0], abs=1e-6)
