"""Eyes under test: opened, waited for, and asked whether their counts add up."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from facegroup.cameras.sources.reader import CameraReader
from facegroup.cameras.types import Camera, Frame, Status
from facegroup.settings import Cameras

LOCAL = Cameras(networks=("127.0.0.1/32",))


@contextmanager
def watching(source: str, settings: Cameras = LOCAL, **options: Any) -> Iterator[CameraReader]:
    """An reader on a source; closed, and its counts held against each other, at the end."""
    defaults = {"fps": 5.0, "motion": False, "stall_seconds": 2.0}
    reader = CameraReader(Camera("door", source, "default", **(defaults | options)), settings)
    try:
        yield reader
        add_up(reader.status())
    finally:
        began = time.monotonic()
        reader.close()
        assert time.monotonic() - began < 5, "closing hung"
    assert reader.status().state == "stopped"


def until(
    reader: CameraReader, right: Callable[[Status, Frame | None], Any], seconds: float = 30
) -> tuple[Status, Frame | None]:
    """Take frames until the status, or a frame, is right; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        frame = reader.next(0.05)
        status = reader.status()
        add_up(status)
        if right(status, frame):
            return status, frame
        assert time.monotonic() < deadline, status


def everything(reader: CameraReader) -> list[Frame]:
    """All frames of a source that ends."""
    found = []
    while (frame := reader.next(10)) is not None:
        found.append(frame)
    return found


def add_up(status: Status) -> None:
    """Hold the counts against what `Counts` says of them."""
    counts = status.counts
    assert counts.received - counts.skipped - counts.still - counts.analysed in {0, 1}, counts
