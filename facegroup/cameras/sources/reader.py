"""One camera, looked at: its address goes in, the frames that are to be analysed come out, and how it is.

A thread of its own opens the source, again and again if need be, and reads it; nothing that hangs there keeps a caller
waiting. Frames are never queued: a newer one takes the place of the one at hand.

    source ─read→ frames ─due?→ ─moved?→ at hand ─next→ JPEG
"""

import logging
import random
import threading
import time
import traceback
from contextlib import closing

from facegroup.cameras.sources.clock import Schedule
from facegroup.cameras.sources.frame_crop import FrameCropper, around, upright
from facegroup.cameras.sources.frame_rate import FrameRate
from facegroup.cameras.sources.frames import DecodedFrame, ReadEvent, Source
from facegroup.cameras.sources.latest_frame import LatestFrame
from facegroup.cameras.sources.motion import MotionFilter
from facegroup.cameras.sources.source import open_source
from facegroup.cameras.types import Camera, Frame, State, Status
from facegroup.errors import (
    FacegroupError,
    InvalidSource,
    NoKeyFrame,
    NoVideo,
    SourceEnded,
    SourceNotAllowed,
    SourceRefused,
)
from facegroup.settings import Cameras

log = logging.getLogger(__name__)

FIRST, LONGEST = 0.5, 30.0
"""Seconds before the first try to open a source again, and between the later ones at most."""
SLOW = 300.0
"""The same where the source says no: cameras lock out who tries a wrong password often."""
STEADY = 10.0
"""Seconds of frames after which a source that breaks off is one that was well, so that tries begin anew."""


class CameraReader:
    """Looks at a camera from now on, until `close`. Any thread may call.

    Args:
        camera: which.
        settings: what may be opened, and how wide frames may be.
    """

    def __init__(self, camera: Camera, settings: Cameras) -> None:
        self._camera = camera
        self._settings = settings
        self._scissors = FrameCropper(around(camera.regions), settings.width, camera.rotate)
        self._schedule = Schedule(camera.fps)
        self._gate = MotionFilter(every=max(0.5, min(5.0, camera.cooldown / 2))) if camera.motion else None
        self._hand = LatestFrame()
        self._tempo = FrameRate()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._cutting = threading.Lock()
        self._state: State = "connecting"
        self._problem: FacegroupError | None = None
        self._since = time.time()
        self._size = (0, 0)
        self._frame_at: float | None = None
        self._heard = time.monotonic()  # when the thread last had something from the source, or tried to
        self._quiet = False  # whether silence is nothing to worry about
        self._note: str | None = None  # of the source
        self._waits = False  # whether the source waits for whoever takes its frames
        self._position = 0.0
        self._thread = threading.Thread(target=self._look, name=f"camera {camera.id}", daemon=True)
        self._thread.start()

    def next(self, timeout: float) -> Frame | None:
        """Return the newest frame that is to be analysed, or None where none came in so many seconds.

        Of a file that is not played in real time it is the next one that is due, and none is left out.
        None comes early where the source ended; `status` says so.
        """
        held = self._hand.take(timeout)
        if held is None:
            return None
        glimpse = held.glimpse
        try:
            with self._cutting:
                cut = self._scissors.cut(glimpse.frame, glimpse.aspect)
        except NoVideo as error:
            self._hand.give_up()
            self._turn("failed", error)
            return None
        shape = (cut.width, cut.height, cut.offset, cut.scale)
        moment = self._moment(glimpse)
        age = 0.0 if moment is None else time.monotonic() - moment
        return Frame(cut.data, glimpse.at, glimpse.position, held.number, *shape, glimpse.lasts, moment, age)

    def status(self) -> Status:
        """Return how the camera is. Known at once, whatever the source does."""
        with self._lock:
            state, problem, since = self._state, self._problem, self._since
            hung = time.monotonic() - self._heard - self._camera.stall_seconds
            width, height, frame_at = *self._size, self._frame_at
            quiet = self._quiet
        reason, detail = (problem.code, problem.detail) if problem else (None, self._note if state == "live" else None)
        if state == "live" and hung > 0 and not quiet:  # before FFmpeg itself comes back, if it does
            state, reason, since = "stalled", "source_stalled", time.time() - hung
            detail = f"no frame came for {self._camera.stall_seconds:g} s"
        return Status(state, reason, detail, since, frame_at, width, height, self._tempo.rate(), self._hand.counts())

    def close(self) -> None:
        """Stop looking. What hangs in FFmpeg is left to its time limit, and not waited for."""
        self._stop.set()
        self._hand.close()
        self._thread.join(1.0)
        self._turn("stopped", None)

    def _look(self) -> None:
        tries = 0
        while not self._stop.is_set():
            began = time.monotonic()
            problem = self._open_and_read()
            if problem is None or self._stop.is_set():
                break
            tries = 0 if self._state == "live" and time.monotonic() - began > STEADY else tries + 1
            self._turn(_state_of(problem, self._state), problem)
            slow = isinstance(problem, SourceRefused | SourceNotAllowed | InvalidSource)
            pause = min(SLOW if slow else LONGEST, FIRST * 2.0 ** min(tries - 1 + 4 * slow, 20)) if tries else FIRST
            self._stop.wait(pause * random.uniform(0.5, 1.0))  # cameras that were cut off at once come back one by one
        if not self._stop.is_set():
            self._turn("ended", SourceEnded("the source came to its end"))
            self._hand.wake()

    def _open_and_read(self) -> FacegroupError | None:
        """Look at the source once. Returns why that is over; None: it came to its end."""
        try:
            with closing(open_source(self._camera, self._settings, self._position)) as source:
                self._hand.opened()
                self._waits = not self._camera.realtime and (source.ends or source.every)
                self._heard = opened = time.monotonic()
                self._quiet = source.quiet or self._waits
                self._tempo.restart(opened)
                if source.quiet:
                    self._turn("live", None)
                for news in source.read(self._schedule, self._stop):
                    self._take_in(news, source)
                if self._heard == opened and not source.quiet and not self._stop.is_set():
                    return NoVideo("the source ends before there is a picture that can be decoded")
        except FacegroupError as error:
            return error
        except Exception as error:  # a mistake of ours, or a library's: the camera is tried again all the same
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {place.filename}:{place.lineno}"
            log.error("camera %s: %s", self._camera.id, where)  # without the text, which may quote the address
            return FacegroupError(f"the camera's source could not be read, which is a bug: {where}")
        return None

    def _take_in(self, news: ReadEvent, source: Source) -> None:
        now = time.monotonic()
        self._quiet, self._note = source.quiet or self._waits, source.note
        if news == "came":
            self._hand.came()
            self._tempo.beat(now)
        elif news == "damaged":
            self._hand.damaged()
        elif isinstance(news, NoKeyFrame):
            self._heard = now
            self._turn("connecting", news)
        elif isinstance(news, DecodedFrame):
            self._heard = now
            self._size = upright(news.frame, news.aspect, self._camera.rotate)
            self._frame_at, self._position = news.at, news.position
            if self._state != "live":
                self._turn("live", None)
            self._judge(news, source)

    def _judge(self, glimpse: DecodedFrame, source: Source) -> None:
        if not (source.every or self._schedule.due(glimpse.moment)):
            return
        self._schedule.take(glimpse.moment)
        moment = glimpse.at if source.every else glimpse.moment  # pictures of before have a time of their own
        if self._gate is not None and not self._gate.opens(self._scissors.grey(glimpse.frame), moment):
            self._hand.still()
        else:
            self._hand.offer(glimpse, self._waits)

    def _moment(self, glimpse: DecodedFrame) -> float | None:
        """Return when a frame was received, by a clock that nobody sets; None: it is looked at in a time of its own."""
        if not self._camera.realtime:
            return None
        if self._quiet:  # a picture may have been written long before it was found
            return time.monotonic() - max(0.0, time.time() - glimpse.at)
        return glimpse.moment

    def _turn(self, state: State, problem: FacegroupError | None) -> None:
        with self._lock:
            if self._state == "stopped":
                return
            if state != self._state:
                self._since = time.time()
            self._state, self._problem = state, problem


def look(camera: Camera, settings: Cameras, seconds: float) -> tuple[Status, Frame | None]:
    """Look at a camera for a moment: return how it is, and a frame where one came within so many seconds."""
    with closing(CameraReader(camera, settings)) as eye:
        deadline = time.monotonic() + seconds
        while True:
            frame = eye.next(min(0.2, max(0.0, deadline - time.monotonic())))
            status = eye.status()
            if frame is not None or status.state in {"failed", "ended"} or time.monotonic() >= deadline:
                return status, frame


def _state_of(problem: FacegroupError, before: State) -> State:
    """Return the state of a camera that cannot be read: it has failed only where opening it did."""
    if problem.code == "source_stalled":
        return "stalled"
    return "connecting" if before == "live" else "failed"
