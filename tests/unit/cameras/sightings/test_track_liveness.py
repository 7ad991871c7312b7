"""A track must be live as a whole where faces must be: the mean of its last views decides, not one of them."""

import numpy as np
import pytest

from facegroup.cameras.sightings.track import SCORED, Track
from facegroup.types import Match

ADA = Match("ada", "Ada", 0.7, 0.5, None)
NOBODY = Match(None, "not in the dataset", 0.1, 0.5, None)


def track(*scores: float | None, match: Match = ADA, live_above: float | None = 0.5, confirm: int = 2) -> Track:
    made = Track(0, confirm, 0.0, 0.0, np.zeros(4, np.float32))
    for number, score in enumerate(scores):
        made.found(np.zeros(4, np.float32), float(number))
        made.look(match, np.full(4, 0.5, np.float32), b"crop", 0.9, 1, score, live_above)
    return made


@pytest.mark.parametrize(
    ("scores", "confirmed"),
    [
        ((0.9, 0.9), True),
        ((0.2, 0.95), True),  # one doubtful view
        ((0.9, 0.1, 0.9, 0.9), True),
        ((0.1, 0.1), False),
        ((0.6, 0.1, 0.1), False),
        ((0.9,), False),  # one view agrees with nobody
        ((None, None, None), False),  # too small to be scored
        ((None, 0.9, None, 0.9), True),
        ((0.9, None, None), False),  # a single score is no track
    ],
)
def test_the_mean_of_the_views_decides(scores: tuple[float | None, ...], confirmed: bool) -> None:
    assert track(*scores).confirmed is confirmed
    stranger = track(*scores, *scores[-1:], match=NOBODY)  # a stranger needs a view more
    assert not confirmed or stranger.confirmed


def test_a_picture_gets_no_name_however_often_it_is_seen() -> None:
    made = track(*[0.1] * 30)
    assert not made.confirmed
    assert made.known(100.0)  # and is not looked at in every frame
    assert made.liveness == pytest.approx(0.1)


def test_a_person_who_comes_after_a_picture_is_named() -> None:
    """Only the last views count."""
    made = track(*[0.0] * 30, *[0.9] * SCORED)
    assert made.confirmed
    assert made.liveness == pytest.approx(0.9)


def test_where_faces_need_not_be_live_the_score_is_told() -> None:
    made = track(0.1, 0.3, live_above=None)
    assert made.confirmed
    seen = made.observation("network", 1.0)
    assert seen.liveness == pytest.approx(0.2)
    assert [shot.liveness for shot in seen.shots] == [0.1, 0.3]
    assert track(None, None, live_above=None).observation("network", 1.0).liveness is None
