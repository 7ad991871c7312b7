"""A folder of pictures that grows → frames, in the order in which they were written.

A picture that is half written is tried again until it stays as it is. Links are not followed.
"""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import av

from facegroup.cameras.clock import Clock, Schedule
from facegroup.cameras.source import Glimpse, News
from facegroup.errors import ImageError, SourceUnreachable
from facegroup.folders import SUFFIXES
from facegroup.image import decode
from facegroup.settings import Limits

PAUSE = 0.5
"""Seconds between two looks at the folder."""
SETTLED = 10.0
"""Seconds for which a picture that cannot be decoded must not have changed before it is given up."""

State: TypeAlias = tuple[int, int]
"""Of a file: time of its last change in nanoseconds, and size."""


class Pictures:
    """An open folder; see `facegroup.cameras.source.Source`.

    Args:
        folder: real path.
        realtime: whether only pictures that come from now on count; else those that are there come first.
    """

    ends = False
    quiet = True

    every: bool

    def __init__(self, folder: Path, realtime: bool) -> None:
        self._folder = folder
        self.every = not realtime
        self._trying: dict[str, tuple[State, float]] = {}
        self._seen: dict[str, State] = {}
        if realtime:
            self._seen = dict(self._listed())
        self._clock = Clock(1.0)

    def read(self, schedule: Schedule, stop: threading.Event) -> Iterator[News]:
        """Yield pictures as they come. What is not in real time is never left out for its time."""
        while not stop.is_set():
            listed = self._listed()
            names = {name for name, _ in listed}
            self._seen = {name: state for name, state in self._seen.items() if name in names}
            self._trying = {name: each for name, each in self._trying.items() if name in names}
            for name, state in listed:
                if stop.is_set():
                    return
                if self._seen.get(name) == state:
                    continue
                glimpse = self._picture(name, state)
                if glimpse is None and not self._given_up(name, state):
                    continue
                self._seen[name] = state
                self._trying.pop(name, None)
                yield "came"
                yield glimpse or "damaged"
            stop.wait(PAUSE)

    def close(self) -> None:
        """Nothing is kept open."""

    def _listed(self) -> list[tuple[str, State]]:
        """Return names and states of the pictures, oldest first."""
        found: list[tuple[str, State]] = []
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if Path(entry.name).suffix.lower() in SUFFIXES and entry.is_file(follow_symlinks=False):
                        about = entry.stat(follow_symlinks=False)
                        found.append((entry.name, (about.st_mtime_ns, about.st_size)))
        except FileNotFoundError:
            if not self._folder.is_dir():
                raise SourceUnreachable("the folder is gone") from None
        except OSError as error:
            raise SourceUnreachable(f"the folder cannot be read: {error.strerror}") from None
        return sorted(found, key=lambda each: (each[1][0], each[0]))

    def _given_up(self, name: str, state: State) -> bool:
        """Whether a picture that cannot be decoded has been so for long; our own clock counts, not the file's."""
        known, since = self._trying.get(name, (None, 0.0))
        if known != state:
            since = time.monotonic()
            self._trying[name] = (state, since)
        return time.monotonic() - since > SETTLED

    def _picture(self, name: str, state: State) -> Glimpse | None:
        limits = Limits()
        if state[1] > limits.image_bytes:
            return None
        try:
            # It may have become a link, or a pipe, since it was listed.
            handle = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(handle, "rb") as file:
                image = decode(file.read(limits.image_bytes + 1), limits).image
        except (ImageError, OSError):
            return None
        written = state[0] / 1e9
        frame = av.VideoFrame.from_ndarray(image, "rgb24")
        return Glimpse(frame, written, self._clock.position(written), time.monotonic())
