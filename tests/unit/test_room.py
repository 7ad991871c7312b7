"""Room: photos that are decoded at once never hold more pixels than there is room for, and none waits for ever."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock

import pytest

from facegroup.room import Room


def test_never_more_than_fits() -> None:
    room, lock, seen = Room(100), Lock(), {"now": 0, "most": 0}

    def work(pixels: int) -> None:
        with room.of(pixels):
            with lock:
                seen["now"] += pixels
                seen["most"] = max(seen["most"], seen["now"])
            with lock:
                seen["now"] -= pixels

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, [60, 50, 10, 100, 1, 30] * 50))
    assert seen == {"now": 0, "most": seen["most"]}
    assert seen["most"] <= 100


def test_small_ones_are_together() -> None:
    room, all_inside = Room(100), Barrier(4)

    def work(_: int) -> None:
        with room.of(25):
            all_inside.wait(10)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))


def test_one_always_fits() -> None:
    with Room(10).of(1_000_000):
        pass


def test_a_failure_gives_its_room_back() -> None:
    room, done = Room(10), Event()
    with pytest.raises(ValueError, match="broken"), room.of(10):
        raise ValueError("broken")
    with room.of(10):
        done.set()
    assert done.is_set()
