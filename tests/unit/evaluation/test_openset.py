"""Open-set arithmetic on numbers reckoned by hand, and the interval of the bootstrap on cases that have only one answer."""

import numpy as np
import pytest

from facegroup.evaluation import bootstrap
from facegroup.evaluation.openset import Searches, Split, fpir, mislabelled, searches, split, threshold_at, tpir
from facegroup.types import Floats

PEOPLE = [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9, 10, 11]]


def floats(*values: float) -> Floats:
    return np.array(values, np.float32)


@pytest.mark.parametrize("enrol", [1, 2])
def test_every_photo_is_enrolled_or_searched_with(enrol: int) -> None:
    made = split(PEOPLE, enrol, seed=3)
    assert [len(photos) for photos in made.enrolled] == [enrol] * 3
    for number, photos in enumerate(PEOPLE):
        probes = made.probes[made.owners == number].tolist()
        assert sorted([*made.enrolled[number], *probes]) == photos


def test_the_seed_decides_who_is_enrolled() -> None:
    assert split(PEOPLE, 2, 1).enrolled == split(PEOPLE, 2, 1).enrolled
    assert len({split(PEOPLE, 2, seed).enrolled for seed in range(20)}) > 5


def test_somebody_must_be_left_to_search_with() -> None:
    with pytest.raises(ValueError, match="more than 3 photos"):
        split(PEOPLE, 3, 0)


@pytest.mark.parametrize(("share", "wrong"), [(1.0, 3), (0.34, 1), (0.0, 0)])
def test_one_photo_of_a_share_of_the_people_is_somebody_elses(share: float, wrong: int) -> None:
    for seed in range(20):
        clean = split(PEOPLE, 2, seed)
        noisy = mislabelled(clean, seed, share)
        assert noisy.probes is clean.probes
        foreign = [sorted(set(photos) - set(PEOPLE[number])) for number, photos in enumerate(noisy.enrolled)]
        assert sorted(map(len, foreign)) == [0] * (3 - wrong) + [1] * wrong
        assert all(len(photos) == 2 for photos in noisy.enrolled)
        assert {photo for photos in foreign for photo in photos} <= {
            each for photos in clean.enrolled for each in photos
        }


def test_the_right_person_must_be_first() -> None:
    mated = np.array([[0.9, 0.1], [0.6, 0.5], [0.4, 0.4]], np.float32)
    done = searches(mated, np.array([0, 1, 0]), np.array([[0.2, 0.3], [0.5, 0.1]], np.float32))
    assert done.mated.tolist() == [pytest.approx(0.9), -np.inf, -np.inf]  # right; somebody else is first; a tie
    assert done.nonmated.tolist() == pytest.approx([0.3, 0.5])


@pytest.mark.parametrize(
    ("rate", "threshold", "reached"),
    [
        (0.0, 0.9, 0),
        (0.1, 0.8, 0.1),
        (0.19, 0.8, 0.1),
        (0.2, 0.5, 0.2),
        (0.3, 0.5, 0.2),
        (0.4, 0.5, 0.2),
        (0.5, 0.4, 0.5),
    ],
)
def test_the_threshold_at_an_fpir(rate: float, threshold: float, reached: float) -> None:
    """Ten strangers; three of them share 0.5, and all of those or none are answered."""
    done = Searches(floats(), np.array([], int), floats(0.1, 0.5, 0.9, 0.3, 0.5, 0.2, 0.8, 0.4, 0.5, 0.0))
    found = threshold_at(done.nonmated, rate)
    assert found == pytest.approx(threshold)
    assert fpir(done, found) == pytest.approx(reached)


def test_everybody_may_be_answered() -> None:
    assert threshold_at(floats(0.1, 0.2), 1.0) == -np.inf


def test_tpir_counts_what_exceeds_the_threshold() -> None:
    done = Searches(floats(0.5, 0.6, -np.inf, 0.7), np.array([0, 0, 1, 1]), floats(0.5))
    assert tpir(done, threshold_at(done.nonmated, 0)) == 0.5
    assert tpir(done, -np.inf) == 0.75  # a wrong name is wrong at any threshold


def test_people_are_drawn_with_all_of_their_photos() -> None:
    """One person is always found, the other never: a drawing can only give 0, 1/2 or 1."""
    done = Searches(floats(0.9, 0.9, 0.1, 0.1), np.array([0, 0, 1, 1]), floats(0.5, 0.5))
    drawn = bootstrap.draw(2, 2, 4000)
    (values,) = bootstrap.rates([done, done], [0.0], drawn)
    shares = {value: float((values == value).mean()) for value in (0, 0.5, 1)}
    assert shares == {
        0: pytest.approx(0.25, abs=0.03),
        0.5: pytest.approx(0.5, abs=0.03),
        1: pytest.approx(0.25, abs=0.03),
    }
    assert bootstrap.mean_tpir([done], 0.0) == 0.5
    assert bootstrap.estimate(0.5, values) == bootstrap.Estimate(0.5, 0, 1)


def test_the_threshold_is_set_anew_for_every_drawing() -> None:
    """The people are above all strangers but one; who draws that one finds nobody at an FPIR of 0."""
    done = Searches(floats(0.5, 0.5), np.array([0, 1]), floats(0.9, *[0.1] * 9))
    drawn = bootstrap.draw(2, 10, 4000)
    values, generous = bootstrap.rates([done], [0.0, 1.0], drawn)
    assert set(values.tolist()) == {0.0, 1.0}
    assert values.mean() == pytest.approx(0.9**10, abs=0.03)
    assert set(generous.tolist()) == {1.0}


def test_a_drawing_of_everybody_once_is_the_figure_itself() -> None:
    draw = np.random.default_rng(0)
    done = Searches(draw.random(40, np.float32), np.arange(40) // 4, draw.random(50, np.float32).round(1))
    once = bootstrap.Drawings(np.ones((1, 10)), np.ones((1, 50)))
    rates = (0.0, 0.02, 0.1, 0.5)
    assert bootstrap.rates([done], rates, once)[:, 0].tolist() == [bootstrap.mean_tpir([done], rate) for rate in rates]


def test_a_split_is_what_it_says() -> None:
    made = Split(((0,), (2,)), np.array([1, 3]), np.array([0, 1]))
    assert mislabelled(made, 0).enrolled == ((2,), (0,))
