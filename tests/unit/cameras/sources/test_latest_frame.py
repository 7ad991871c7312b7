"""The counts add up at every moment, from any thread."""

import threading
from typing import cast

import av
from hypothesis import given
from hypothesis import strategies as st

from facegroup.cameras.sources.frames import DecodedFrame
from facegroup.cameras.sources.latest_frame import LatestFrame

FRAME = DecodedFrame(cast(av.VideoFrame, None), 0.0, 0.0, 0.0)


def holds(latest: LatestFrame, waiting: tuple[int, ...] = (0, 1)) -> None:
    counts = latest.counts()
    assert counts.received - counts.skipped - counts.still - counts.analysed in waiting, counts
    assert counts.late <= counts.skipped
    assert counts.damaged <= counts.skipped


@given(st.lists(st.sampled_from(["came", "offered", "still", "damaged", "taken", "given up"])))
def test_counts_add_up(steps: list[str]) -> None:
    latest = LatestFrame()
    for step in steps:
        if step in {"came", "damaged"}:
            latest.came()
        if step == "offered":
            latest.offer(FRAME, wait=False)
        elif step == "still":
            latest.still()
        elif step == "damaged":
            latest.damaged()
        elif step in {"taken", "given up"} and latest.take(0) and step == "given up":
            latest.give_up()
        holds(latest)
    latest.close()
    holds(latest, (0,))


def test_a_newer_frame_takes_the_place_of_the_one_waiting() -> None:
    latest = LatestFrame()
    for _ in range(3):
        latest.came()
        latest.offer(FRAME, wait=False)
    held = latest.take(0)
    assert held is not None
    assert held.number == 2
    assert latest.take(0) is None
    counts = latest.counts()
    assert (counts.received, counts.skipped, counts.late, counts.analysed) == (3, 2, 2, 1)


def test_none_is_lost_where_the_reader_waits() -> None:
    latest = LatestFrame()

    def read() -> None:
        for _ in range(100):
            latest.came()
            latest.offer(FRAME, wait=True)

    reader = threading.Thread(target=read)
    reader.start()
    numbers: list[int] = []
    while len(numbers) < 100:
        held = latest.take(10)
        assert held is not None
        numbers.append(held.number)
        holds(latest)
    reader.join()
    assert numbers == list(range(100))
    assert latest.counts().skipped == 0


def test_closing_lets_everybody_go() -> None:
    latest = LatestFrame()
    latest.came()
    latest.offer(FRAME, wait=False)
    latest.came()
    reader = threading.Thread(target=latest.offer, args=(FRAME, True))
    reader.start()
    latest.close()
    reader.join(10)
    assert not reader.is_alive()
    assert latest.take(10) is None
    holds(latest, (0,))
