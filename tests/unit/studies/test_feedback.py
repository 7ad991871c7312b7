"""The measurement of "not this person": on people of the plane, where every figure can be told by hand."""

import numpy as np
import pytest

from facegroup.evaluation import bootstrap
from facegroup.types import Floats
from studies import counter_example_scenario as scenarios
from studies import feedback
from studies.counter_example_scenario import Scenario
from studies.dataset import People


def angles(*degrees: float) -> Floats:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


@pytest.fixture
def scenario() -> Scenario:
    """Members at 0° and 90°; strangers at 20° and 200°, the first with other photos at 25° and 60°."""
    return Scenario(
        np.array([0, 1]),
        angles(0, 90),
        angles(-5, 5, 13, 95),
        np.array([0, 0, 0, 1]),
        angles(20, 200),
        angles(25, 60),
        np.array([0, 0]),
    )


EACH_ONCE = bootstrap.Drawings(np.ones((5, 4)), np.ones((5, 6)))
THRESHOLD = float(np.cos(np.radians(30)))


def test_nobody_is_named_in_the_end_and_what_it_costs_is_told(scenario: Scenario) -> None:
    counters = scenarios.corrected(scenario, THRESHOLD)
    assert list(counters) == [0]
    np.testing.assert_array_equal(counters[0], scenario.strangers[:1])
    row = feedback.measured("corrected", 0.5, [(scenario, counters, THRESHOLD)], bootstrap.draw(2, 2, 50))
    assert (row.same, row.strangers, row.count) == (0, 0, 1)
    assert (row.others, row.others_after) == (0.5, 0)  # 25° is near enough to be named, 60° is not
    assert (row.tpir, row.cost.value) == (1, 0.25)  # 13° is nearer to 20° than to 0°
    assert row.cost.low < row.cost.value < row.cost.high


def test_a_mistake_is_a_photo_of_the_person(scenario: Scenario) -> None:
    rest, counters = scenarios.mistaken(scenario, 1)
    np.testing.assert_array_equal(counters[0], angles(-5))
    assert rest.owners.tolist() == [0, 0]
    np.testing.assert_array_equal(rest.probes, scenario.probes[[1, 2]])


def test_the_most_similar_strangers_are_taken(scenario: Scenario) -> None:
    assert {member: rows.tolist() for member, rows in scenarios.many(scenario, 1).items()} == {
        0: scenario.strangers[:1].tolist(),
        1: scenario.strangers[:1].tolist(),
    }


def test_a_scene_keeps_members_and_strangers_apart() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    people = tuple(tuple(range(start, start + 6)) for start in range(0, 24, 6))
    one = scenarios.scenario(People(rows, people, tuple(range(24, 30)), 0), 3, 1)
    assert (len(one.members), one.centroids.shape, one.probes.shape) == (2, (2, 8), (6, 8))
    assert (one.strangers.shape, one.others.shape, one.whose.tolist()) == ((8, 8), (10, 8), [0] * 5 + [1] * 5)
    known = {tuple(row) for row in one.probes.tolist()}
    assert known.isdisjoint(map(tuple, np.concatenate([one.strangers, one.others]).tolist()))
    found = feedback.doubted([one], 0.5)
    assert all(0 <= share <= 1 for pair in found.values() for share in pair)
    assert "| corrected |" in feedback.table(
        [feedback.measured("corrected", 0.5, [(one, scenarios.corrected(one, 0.1), 0.1)], EACH_ONCE)]
    )
