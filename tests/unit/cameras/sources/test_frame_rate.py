"""How many frames a second come, as far as the last seconds tell."""

import pytest

from facegroup.cameras.sources.frame_rate import FrameRate


@pytest.mark.parametrize(("fps", "seconds"), [(25, 10), (25, 3), (0.5, 20), (30, 60)])
def test_rate(fps: float, seconds: int) -> None:
    tempo = FrameRate()
    for number in range(int(fps * seconds)):
        tempo.beat(number / fps)
    assert tempo.rate() == pytest.approx(fps)


def test_what_waited_before_it_was_opened_is_not_counted() -> None:
    tempo = FrameRate()
    assert tempo.rate() == 0
    tempo.restart(100.0)
    for _ in range(50):
        tempo.beat(100.1)
    assert tempo.rate() == 0
    for number in range(50):
        tempo.beat(101 + number / 10)
    assert tempo.rate() == pytest.approx(10)


def test_a_rate_that_changes() -> None:
    tempo = FrameRate()
    moments = [number / 25 for number in range(250)] + [10 + number / 2 for number in range(20)]
    for moment in moments:
        tempo.beat(moment)
    assert tempo.rate() == pytest.approx(2, abs=0.1)
