"""The measurement of strangers who come back, on made-up descriptors: what its figures say of clusterings that are known."""

import numpy as np
import pytest

from studies import returning
from studies.dataset import People

PEOPLE = np.array([0, 0, 0, 1, 1, 2])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([5, 5, 5, 6, 6, 7], (1.0, 1.0, 1.0, 1.0, 1.0, 3)),
        ([1, 1, 1, 1, 1, 1], (0.5, 1.0, 1.0, (3 * 2 / 5 + 2 * 1 / 5) / 6, 1.0, 1)),
        ([1, 2, 3, 4, 5, 6], (1.0, 2.5, 0.0, 1.0, 0.0, 6)),
        ([1, 1, 2, 3, 3, 3], (5 / 6, 1.5, 0.5, (1 + 1 + 0.5 + 0.5 + 0) / 5, (0.5 + 0.5 + 0 + 1 + 1) / 5, 3)),
    ],
)
def test_figures_of_known_clusterings(labels: list[int], expected: tuple[float, ...]) -> None:
    assert returning.figures(PEOPLE, np.array(labels)) == pytest.approx(expected)


def test_people_who_are_far_apart_are_known_again_whatever_the_order() -> None:
    random = np.random.default_rng(0)
    centres = np.eye(64)[:30]
    rows = np.concatenate([np.repeat(centres[:20], 5, axis=0), centres[20:]])
    photos = People(
        np.asarray(rows + random.normal(0, 0.05, rows.shape), np.float32),
        tuple(tuple(range(start, start + 5)) for start in range(0, 100, 5)),
        tuple(range(100, 110)),
        0,
    )
    seen = returning.visits(photos, 4, 10, 10, seed=1)
    assert len(set(seen.people.tolist())) == 20
    assert sum(len(looks) for looks in seen.looks) == 10 * 4 + 10
    ways = [returning.online(seen, 0.5), returning.online(seen, 0.5, 0.5), *returning.batch(seen, [0.5])]
    for labels in ways:
        assert returning.figures(seen.people, labels) == pytest.approx((1, 1, 1, 1, 1, 20))
    assert returning.figures(seen.people, returning.online(seen, 0.99999))[1] > 1.5  # nobody is known again
    assert returning.figures(seen.people, returning.online(seen, -1.0, -1.0))[-1] == 1  # everybody is one
    assert len(returning.table(returning.measured([seen], 0.5)).splitlines()) == 2 + 3 * len(returning.AROUND)
