"""The counts add up at every moment, from any thread."""

import threading
from typing import cast

import av
from hypothesis import given
from hypothesis import strategies as st

from facegroup.cameras.sources.frames import DecodedFrame
from facegroup.cameras.sources.latest_frame import LatestFrame

FRAME = DecodedFrame(cast(av.VideoFrame, None), 0.0, 0.0, 0.0)


def holds(hand: LatestFrame, at_hand: tuple[int, ...] = (0, 1)) -> None:
    counts = hand.counts()
    assert counts.received - counts.skipped - counts.still - counts.analysed in at_hand, counts
    assert counts.late <= counts.skipped
    assert counts.damaged <= counts.skipped


@given(st.lists(st.sampled_from(["came", "offered", "still", "damaged", "taken", "given up"])))
def test_counts_add_up(steps: list[str]) -> None:
    hand = LatestFrame()
    for step in steps:
        if step in {"came", "damaged"}:
            hand.came()
        if step == "offered":
            hand.offer(FRAME, wait=False)
        elif step == "still":
            hand.still()
        elif step == "damaged":
            hand.damaged()
        elif step in {"taken", "given up"} and hand.take(0) and step == "given up":
            hand.give_up()
        holds(hand)
    hand.close()
    holds(hand, (0,))


def test_a_newer_frame_takes_the_place_of_the_one_at_hand() -> None:
    hand = LatestFrame()
    for _ in range(3):
        hand.came()
        hand.offer(FRAME, wait=False)
    held = hand.take(0)
    assert held is not None
    assert held.number == 2
    assert hand.take(0) is None
    counts = hand.counts()
    assert (counts.received, counts.skipped, counts.late, counts.analysed) == (3, 2, 2, 1)


def test_none_is_lost_where_the_reader_waits() -> None:
    hand = LatestFrame()

    def read() -> None:
        for _ in range(100):
            hand.came()
            hand.offer(FRAME, wait=True)

    reader = threading.Thread(target=read)
    reader.start()
    numbers: list[int] = []
    while len(numbers) < 100:
        held = hand.take(10)
        assert held is not None
        numbers.append(held.number)
        holds(hand)
    reader.join()
    assert numbers == list(range(100))
    assert hand.counts().skipped == 0


def test_closing_lets_everybody_go() -> None:
    hand = LatestFrame()
    hand.came()
    hand.offer(FRAME, wait=False)
    hand.came()
    reader = threading.Thread(target=hand.offer, args=(FRAME, True))
    reader.start()
    hand.close()
    reader.join(10)
    assert not reader.is_alive()
    assert hand.take(10) is None
    holds(hand, (0,))
