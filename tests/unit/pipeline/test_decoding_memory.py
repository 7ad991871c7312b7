"""Room: photos that are decoded at once never hold more pixels than there is room for, and none waits for ever."""

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock, Thread
from time import sleep
from typing import cast

import pytest
from PIL import Image

from facegroup.detection.detector import FaceDetector
from facegroup.errors import NotAnImage
from facegroup.images.decode import Decoded
from facegroup.networks.alignment import Aligner
from facegroup.pipeline import finder as module
from facegroup.pipeline.decoding_memory import DecodingMemory
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import Photo
from facegroup.settings import Limits, load


def test_never_more_than_fits() -> None:
    room, lock, seen = DecodingMemory(100), Lock(), {"now": 0, "most": 0}

    def work(pixels: int) -> None:
        with room.hold(pixels):
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
    room, all_inside = DecodingMemory(100), Barrier(4)

    def work(_: int) -> None:
        with room.hold(25):
            all_inside.wait(10)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))


def test_one_always_fits() -> None:
    with DecodingMemory(10).hold(1_000_000):
        pass


def test_a_failure_gives_its_room_back() -> None:
    room, done = DecodingMemory(10), Event()
    with pytest.raises(ValueError, match="broken"), room.hold(10):
        raise ValueError("broken")
    with room.hold(10):
        done.set()
    assert done.is_set()


class Ordered:
    """Threads that want room, one after another, and the order in which they got it."""

    def __init__(self, room: DecodingMemory) -> None:
        self.order: list[int] = []
        self._room = room
        self._threads: list[Thread] = []

    def come(self, pixels: int) -> None:
        def work() -> None:
            with self._room.hold(pixels):
                self.order.append(pixels)

        known = len(self._room._waiting)
        self._threads.append(Thread(target=work))
        self._threads[-1].start()
        while len(self._room._waiting) == known and pixels not in self.order:
            sleep(0.001)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.parametrize("comers", [[100, 1], [100, 2, 98, 1], [50, 60, 70, 80], [99, 100, 98]])
def test_first_come_first_served(comers: list[int]) -> None:
    """Nobody passes one who waits longer, even where there is room for the second and not for the first."""
    room = DecodingMemory(100)
    ordered = Ordered(room)
    with room.hold(51):
        for pixels in comers:
            ordered.come(pixels)
        assert ordered.order == []
    ordered.join()
    assert sorted(ordered.order) == sorted(comers)
    assert ordered.order[0] == comers[0]


def test_photos_that_are_decoded_ahead_are_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of large requests have all the room there is for such, and a photo of a small one is decoded all the same."""
    large, small = _jpeg(64), _jpeg(32)
    begun, end = Event(), Event()

    def decode(data: bytes, limits: Limits) -> Decoded:
        if data == large:
            begun.set()
            assert end.wait(30)
        raise NotAnImage("a small one" if data == small else "a large one")

    monkeypatch.setattr(module, "decode", decode)
    finder = Finder(
        cast("FaceDetector", None),
        cast("Aligner", None),
        Limits(image_pixels=1),
        load(store="sqlite:///unused.db").detector,
        2,
    )
    with ThreadPoolExecutor(3) as threads:
        ahead = [threads.submit(finder.decode, Photo(large)) for _ in range(2)]
        try:
            assert begun.wait(30)
            (answer,) = threads.submit(finder.find, [Photo(small)]).result(30)
            assert str(answer) == "a small one"
        finally:
            end.set()
        assert [str(each.result()) for each in ahead] == ["a large one"] * 2


def _jpeg(side: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (side, side)).save(stream, "JPEG")
    return stream.getvalue()
