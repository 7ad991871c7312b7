"""Rules of scores on small galleries, whose results are known."""

import numpy as np
import pytest

from facegroup.networks.embedder import unit
from studies.cohort_rules import Leave, Searched, cohort, cosine, extreme_value_machine, plain

LEAVES: tuple[Leave, ...] = ("member", "person")


@pytest.fixture
def given() -> Searched:
    rows = unit(np.random.default_rng(0).normal(size=(60, 16)).astype(np.float32))
    return Searched(rows[:5], rows[5:15], rows[15:])


def test_the_cohort_rule_is_the_cosine_less_half_of_both_means(given: Searched) -> None:
    scores = cohort(3)(given)
    largest = [np.sort(rows @ given.cohort.T, axis=1)[:, -3:].mean(axis=1) for rows in (given.probes, given.centroids)]
    assert np.allclose(scores, cosine(given) - (largest[0][:, None] + largest[1]) / 2, atol=1e-6)


def test_the_greatest_is_left_out(given: Searched) -> None:
    copied = Searched(given.centroids, given.probes, np.concatenate([given.cohort, given.probes[:1]]))
    probe = Searched(given.centroids, given.probes[:1], given.cohort)
    again = Searched(given.centroids, given.probes[:1], copied.cohort)
    near = probe.probes @ given.cohort.T
    best = np.sort(near)[0, -3:].mean()
    to_person = np.sort(given.centroids @ copied.cohort.T, axis=1)[:, -4:-1].mean(axis=1)
    assert np.allclose(cohort(3, leave="largest")(again)[0], cosine(probe)[0] - (best + to_person) / 2, atol=1e-6)


def test_members_are_no_cohort_of_themselves(given: Searched) -> None:
    alone = Searched(given.centroids, given.centroids, given.cohort[:0], members=True)
    near = given.centroids @ given.centroids.T
    np.fill_diagonal(near, -np.inf)
    mean = np.sort(near, axis=1)[:, -2:].mean(axis=1)
    for leave in LEAVES:
        assert np.allclose(np.diag(cohort(2, leave=leave)(alone)), 1 - mean, atol=1e-6)


def test_plain_norms_have_mean_zero_and_spread_one_over_the_cohort(given: Searched) -> None:
    of_cohort = Searched(given.centroids, given.cohort, given.cohort)
    scores = plain(persons=True, probes=False)(of_cohort)
    assert np.allclose(scores.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(scores.std(axis=0), 1, atol=1e-5)


def test_an_extreme_value_machine_ranks_one_person_s_probes_by_similarity(given: Searched) -> None:
    scores = extreme_value_machine(10)(given)
    assert np.isfinite(scores).all()
    for person in range(5):
        assert np.array_equal(np.argsort(scores[:, person]), np.argsort(cosine(given)[:, person]))
