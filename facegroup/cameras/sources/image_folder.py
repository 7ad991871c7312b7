"""Reads pictures from a folder that grows, and the folders below it, in the order in which they were written.

Cameras upload to a folder a day, so new folders are found, too. A picture that is half written is tried again until it no
longer changes. Links are not followed.
"""

import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import av

from facegroup.cameras.sources.clock import Clock, Schedule
from facegroup.cameras.sources.frames import DecodedFrame, ReadEvent
from facegroup.errors import ImageError, SourceUnreachable
from facegroup.images.decode import decode
from facegroup.images.folders import SUFFIXES
from facegroup.settings import Limits

PAUSE = 0.5
"""Least seconds between two scans of the folder; for a large one as long as a scan takes, or ten times its CPU time."""
DEEPEST = 16
"""Greatest depth of folders that are scanned."""
SETTLED = 10.0
"""Seconds for which a picture that cannot be decoded must not have changed before it is given up."""

_HIDDEN = (".", "@eaDir", "#recycle")  # a network drive's own, with smaller copies of the pictures

State: TypeAlias = tuple[int, int]
"""Time of a file's last change in nanoseconds, and its size."""


class ImageFolder:
    """Class that reads an open folder; see `facegroup.cameras.sources.frames.Source`.

    Args:
        folder: real path.
        realtime: whether only new pictures count. False reads those that are there first.
    """

    ends = False
    quiet = True

    every: bool

    def __init__(self, folder: Path, realtime: bool) -> None:
        self._folder = folder
        self.every = not realtime
        self.note: str | None = None
        self._trying: dict[str, tuple[State, float]] = {}
        self._seen: dict[str, State] = {}
        if realtime:
            self._seen = dict(self._listed())
        self._clock = Clock(1.0, until=math.inf)

    def read(self, schedule: Schedule, stop: threading.Event) -> Iterator[ReadEvent]:
        """Yield pictures as they come. Without `realtime` none is skipped by the schedule."""
        while not stop.is_set():
            began, busy = time.monotonic(), time.thread_time()
            listed = self._listed()
            took = max(time.monotonic() - began, 10 * (time.thread_time() - busy))
            yield "waiting"
            names = {name for name, _ in listed}
            self._seen = {name: state for name, state in self._seen.items() if name in names}
            self._trying = {name: each for name, each in self._trying.items() if name in names}
            for name, state in listed:
                if stop.is_set():
                    return
                if self._seen.get(name) == state:
                    continue
                frame = self._picture(name, state)
                if frame is None and not self._given_up(name, state):
                    continue
                self._seen[name] = state
                self._trying.pop(name, None)
                yield "came"
                yield frame or "damaged"
            stop.wait(max(PAUSE, took))

    def close(self) -> None:
        """Do nothing: no file is kept open."""

    def _listed(self) -> list[tuple[str, State]]:
        """Return relative path and state of each picture, oldest first."""
        found: list[tuple[str, State]] = []
        others = 0
        waiting = [("", 1)]
        while waiting:
            below, depth = waiting.pop()
            try:
                with os.scandir(self._folder / below) as entries:
                    for entry in entries:
                        name = f"{below}{entry.name}"
                        if entry.is_dir(follow_symlinks=False):
                            if depth < DEEPEST and not entry.name.startswith(_HIDDEN):
                                waiting.append((f"{name}/", depth + 1))
                        elif Path(entry.name).suffix.lower() in SUFFIXES and entry.is_file(follow_symlinks=False):
                            about = entry.stat(follow_symlinks=False)
                            found.append((name, (about.st_mtime_ns, about.st_size)))
                        else:
                            others += 1
            except FileNotFoundError:
                if not below and not self._folder.is_dir():
                    raise SourceUnreachable("The folder does not exist any more.") from None
            except OSError as error:
                if not below:
                    raise SourceUnreachable(f"The folder cannot be read: {error.strerror}.") from None
        told = f"{len(found)} pictures and {others} other files in the folder and below it"
        self.note = told if self.every else f"{told}; it waits for new ones"
        return sorted(found, key=lambda each: (each[1][0], each[0]))

    def _given_up(self, name: str, state: State) -> bool:
        """Return whether a picture that cannot be decoded has not changed for long, by this server's clock."""
        known, since = self._trying.get(name, (None, 0.0))
        if known != state:
            since = time.monotonic()
            self._trying[name] = (state, since)
        return time.monotonic() - since > SETTLED

    def _picture(self, name: str, state: State) -> DecodedFrame | None:
        limits = Limits()
        if state[1] > limits.image_bytes:
            return None
        try:
            path = self._folder / name
            if not path.resolve().is_relative_to(self._folder):
                return None
            # It may have become a link, or a pipe, since the scan.
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(handle, "rb") as file:
                image = decode(file.read(limits.image_bytes + 1), limits).image
        except (ImageError, OSError):
            return None
        written = state[0] / 1e9
        frame = av.VideoFrame.from_ndarray(image, "rgb24")
        return DecodedFrame(frame, written, self._clock.position(written), time.monotonic())
