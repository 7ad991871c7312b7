"""Time stamps that are wrong, and which frames are due."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegroup.cameras.sources.clock import JUMP, Clock, Schedule


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([7.0, 7.1, 7.2], [0.0, 0.1, 0.2]),
        ([None, None, None], [0.0, 0.04, 0.08]),
        ([7.0, None, 7.08], [0.0, 0.04, 0.08]),
        ([7.0, 7.1, 3607.0, 3607.1], [0.0, 0.1, 0.14, 0.24]),  # on by an hour
        ([7.0, 7.1, 2.0, 2.1], [0.0, 0.1, 0.14, 0.24]),  # and back
        ([7.0, 9.0], [0.0, 2.0]),
        ([7.0, 7.0, 7.1], [0.0, 0.0, 0.1]),
    ],
)
def test_positions(stamps: list[float | None], expected: list[float]) -> None:
    clock = Clock(0.04)
    assert [clock.position(stamp) for stamp in stamps] == pytest.approx(expected)


@given(st.lists(st.none() | st.floats(-1e9, 1e9), max_size=30))
def test_a_position_only_grows(stamps: list[float | None]) -> None:
    clock = Clock(0.04, start=5.0)
    found = [5.0, *(clock.position(stamp) for stamp in stamps)]
    assert all(0 <= after - before <= JUMP + 1e-3 for before, after in pairwise(found))


@pytest.mark.parametrize(("fps", "rate"), [(2, 25), (2, 30), (5, 29.97), (10, 12), (1, 1), (25, 25), (30, 25)])
def test_so_many_are_due_on_average(fps: float, rate: float) -> None:
    schedule = Schedule(fps)
    taken = 0
    for number in range(int(rate * 20)):
        if schedule.due(number / rate):
            schedule.take(number / rate)
            taken += 1
    assert taken == pytest.approx(min(fps, rate) * 20, abs=1)


def test_after_a_pause_nothing_is_made_up_for() -> None:
    schedule = Schedule(2)
    for moment in (0.0, 10.0):
        assert schedule.due(moment)
        schedule.take(moment)
    assert not schedule.due(10.4)
    assert schedule.due(10.5)


@pytest.mark.parametrize(("rate", "keys"), [(25, 25), (25, 50), (25, 30), (30, 7), (12, 12)])
def test_frames_are_due_just_after_key_frames_where_that_can_be(rate: int, keys: int) -> None:
    schedule = Schedule(2)
    taken = []
    for number in range(rate * 200):
        moment = number / rate + 0.3
        if schedule.due(moment):
            schedule.take(moment)
            taken.append(number)
        elif number % keys == 0:
            schedule.favour(moment)
    assert 400 <= len(taken) <= 400 + 4  # one more a minute, at most
    steps = [after - before for before, after in pairwise(taken)]
    assert max(steps) <= rate / 2 + 1
    if 2 * keys % rate == 0:
        assert min(number % keys for number in taken[-10:]) <= 3
