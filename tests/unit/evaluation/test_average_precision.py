"""Average precision, on figures reckoned by hand."""

import numpy as np
import pytest

from facegroup.evaluation.average_precision import average_precision, confidence_at, outcomes, recall_at
from facegroup.types import Faces, Floats


def boxes(*lefts: float) -> Floats:
    return np.array([[left, 0, left + 10, 10] for left in lefts], np.float32).reshape(-1, 4)


def faces(**found: float) -> Faces:
    """Faces at x = 100 × the digit in their name, with their confidence."""
    where = boxes(*(100 * int(name[1:]) for name in found))
    return Faces(where, np.zeros((len(where), 5, 2), np.float32), np.array(list(found.values()), np.float32))


@pytest.mark.parametrize(
    ("found", "truth", "ignored", "expected"),
    [
        ([faces(a1=0.9, a2=0.8)], [boxes(100, 200)], [boxes()], 1.0),
        ([faces(a1=0.9)], [boxes(100, 200)], [boxes()], 0.5),
        ([faces()], [boxes(100)], [boxes()], 0.0),
        # right, wrong, right: precision 1 at recall 1/2, 2/3 at 1
        ([faces(a1=0.9, a5=0.8, a2=0.7)], [boxes(100, 200)], [boxes()], (1 + 2 / 3) / 2),
        # the same with the wrong one on a box that counts neither way
        ([faces(a1=0.9, a5=0.8, a2=0.7)], [boxes(100, 200)], [boxes(500)], 1.0),
        # wrong first: precision 1/2 and then 2/3, of which the better counts for both
        ([faces(a5=0.9, a1=0.8, a2=0.7)], [boxes(100, 200)], [boxes()], 2 / 3),
        # over two photos by confidence: the wrong one of the second comes last and costs nothing
        ([faces(a1=0.9), faces(a3=0.5)], [boxes(100), boxes()], [boxes(), boxes()], 1.0),
        ([faces(a1=0.4), faces(a3=0.5)], [boxes(100), boxes()], [boxes(), boxes()], 0.5),
        # a second box on the same face is wrong
        ([faces(a1=0.9, b1=0.8, a2=0.7)], [boxes(100, 200)], [boxes()], (1 + 2 / 3) / 2),
    ],
)
def test_average_precision(found: list[Faces], truth: list[Floats], ignored: list[Floats], expected: float) -> None:
    assert average_precision(found, truth, ignored) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("found", "precision", "recall", "confidence"),
    [
        # right, wrong, right, wrong: precisions 1, 1/2, 2/3, 1/2 at recalls 1/4, 1/4, 1/2, 1/2
        (faces(a1=0.9, a5=0.8, a2=0.7, a6=0.6), 1.0, 0.25, 0.9),
        (faces(a1=0.9, a5=0.8, a2=0.7, a6=0.6), 0.67, 0.25, 0.9),
        (faces(a1=0.9, a5=0.8, a2=0.7, a6=0.6), 2 / 3, 0.5, 0.7),
        (faces(a1=0.9, a5=0.8, a2=0.7, a6=0.6), 0.0, 0.5, 0.7),
        # no threshold lies between boxes that are equally confident
        (faces(a1=0.9, a5=0.9), 0.6, 0.0, np.inf),
        (faces(a5=0.9), 0.5, 0.0, np.inf),
        (faces(), 0.5, 0.0, np.inf),
    ],
)
def test_recall_at_a_precision(found: Faces, precision: float, recall: float, confidence: float) -> None:
    done = outcomes([found], [boxes(100, 200, 300, 400)], [boxes()])
    assert recall_at(done, precision, np.ones((1, 1))) == pytest.approx(recall)
    assert confidence_at(done, precision) == pytest.approx(confidence)


def test_recall_at_a_precision_counts_photos_as_often_as_drawn() -> None:
    done = outcomes([faces(a1=0.9), faces(a5=0.8, a2=0.7)], [boxes(100), boxes(200, 300)], [boxes()] * 2)
    weights = np.array([[1.0, 1], [3, 1], [1, 0], [0, 0]])
    # right, wrong, right; with the first photo thrice: precision 4/5 after all, and 4 of 5 true boxes
    found = recall_at(done, 0.75, weights)
    assert found[:3] == pytest.approx([1 / 3, 4 / 5, 1])
    assert np.isnan(found[3])


def test_without_a_true_box_there_is_none() -> None:
    with pytest.raises(ValueError, match="no true box"):
        average_precision([faces(a1=0.9)], [boxes()], [boxes()])
