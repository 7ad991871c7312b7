"""Reads one camera: picks the frames to analyse, and knows the camera's status.

A thread opens the source, again and again if need be, and reads it, so that a source that hangs blocks no caller. Frames are
never queued: a newer one replaces the one that waits.

    source ─read→ Schedule ─due→ MotionFilter ─moved→ LatestFrame ─next→ JPEG
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
"""Greatest seconds between tries if the source refuses: cameras lock out clients that try wrong passwords often."""
STEADY = 10.0
"""Seconds of frames after which a source counts as working: when it breaks off then, tries begin with the first."""


class CameraReader:
    """Class that reads a camera from now on, until `close`. Any thread may call.

    Args:
        camera: to read.
        settings: say what may be opened, and how wide frames may be.
    """

    def __init__(self, camera: Camera, settings: Cameras) -> None:
        self._camera = camera
        self._settings = settings
        self._cropper = FrameCropper(around(camera.regions), settings.width, camera.rotate)
        self._schedule = Schedule(camera.fps)
        self._motion = MotionFilter(every=max(0.5, min(5.0, camera.cooldown / 2))) if camera.motion else None
        self._latest = LatestFrame()
        self._rate = FrameRate()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._cropping = threading.Lock()
        self._state: State = "connecting"
        self._problem: FacegroupError | None = None
        self._since = time.time()
        self._size = (0, 0)
        self._frame_at: float | None = None
        self._heard = time.monotonic()  # when the thread last received a frame, or opened the source
        self._quiet = False  # whether silence is no stall
        self._note: str | None = None  # of the source
        self._waits = False  # whether the source waits until its frames are taken
        self._position = 0.0
        self._thread = threading.Thread(target=self._run, name=f"camera {camera.id}", daemon=True)
        self._thread.start()

    def next(self, timeout: float) -> Frame | None:
        """Return the newest frame to analyse; None if none came within `timeout` seconds, or the source ended.

        Of a file that is not played in real time it is the next due frame, and none is skipped.
        """
        held = self._latest.take(timeout)
        if held is None:
            return None
        decoded = held.decoded
        try:
            with self._cropping:
                crop = self._cropper.cut(decoded.frame, decoded.aspect)
        except NoVideo as error:
            self._latest.give_up()
            self._turn("failed", error)
            return None
        shape = (crop.width, crop.height, crop.offset, crop.scale)
        moment = self._moment(decoded)
        age = 0.0 if moment is None else time.monotonic() - moment
        return Frame(crop.data, decoded.at, decoded.position, held.number, *shape, decoded.lasts, moment, age)

    def status(self) -> Status:
        """Return the camera's status at once, whatever the source does."""
        with self._lock:
            state, problem, since = self._state, self._problem, self._since
            hung = time.monotonic() - self._heard - self._camera.stall_seconds
            width, height, frame_at = *self._size, self._frame_at
            quiet = self._quiet
        reason, detail = (problem.code, problem.detail) if problem else (None, self._note if state == "live" else None)
        if state == "live" and hung > 0 and not quiet:  # before FFmpeg itself comes back, if it does
            state, reason, since = "stalled", "source_stalled", time.time() - hung
            detail = f"No frame came for {self._camera.stall_seconds:g} s."
        return Status(state, reason, detail, since, frame_at, width, height, self._rate.rate(), self._latest.counts())

    def close(self) -> None:
        """Stop reading. A call that hangs in FFmpeg ends at its own time limit, and is not waited for."""
        self._stop.set()
        self._latest.close()
        self._thread.join(1.0)
        self._turn("stopped", None)

    def _run(self) -> None:
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
            self._turn("ended", SourceEnded("The source has ended."))
            self._latest.wake()

    def _open_and_read(self) -> FacegroupError | None:
        """Read the source once. Returns the error that ended it; None if it came to its end."""
        try:
            with closing(open_source(self._camera, self._settings, self._position)) as source:
                self._latest.opened()
                self._waits = not self._camera.realtime and (source.ends or source.every)
                self._heard = opened = time.monotonic()
                self._quiet = source.quiet or self._waits
                self._rate.restart(opened)
                if source.quiet:
                    self._turn("live", None)
                for event in source.read(self._schedule, self._stop):
                    self._handle(event, source)
                if self._heard == opened and not source.quiet and not self._stop.is_set():
                    return NoVideo("The source ends before the first decodable picture.")
        except FacegroupError as error:
            return error
        except Exception as error:  # a bug here or in a library: the camera is tried again all the same
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {place.filename}:{place.lineno}"
            log.error("camera %s: %s", self._camera.id, where)  # without the text, which may quote the address
            return FacegroupError(f"The camera's source could not be read because of a bug: {where}.")
        return None

    def _handle(self, event: ReadEvent, source: Source) -> None:
        now = time.monotonic()
        self._quiet, self._note = source.quiet or self._waits, source.note
        if event == "came":
            self._latest.came()
            self._rate.beat(now)
        elif event == "damaged":
            self._latest.damaged()
        elif isinstance(event, NoKeyFrame):
            self._heard = now
            self._turn("connecting", event)
        elif isinstance(event, DecodedFrame):
            self._heard = now
            self._size = upright(event.frame, event.aspect, self._camera.rotate)
            self._frame_at, self._position = event.at, event.position
            if self._state != "live":
                self._turn("live", None)
            self._offer(event, source)

    def _offer(self, decoded: DecodedFrame, source: Source) -> None:
        if not (source.every or self._schedule.due(decoded.moment)):
            return
        self._schedule.take(decoded.moment)
        moment = (
            decoded.at if source.every else decoded.moment
        )  # pictures that were there before are analysed by their own times
        if self._motion is not None and not self._motion.opens(self._cropper.grey(decoded.frame), moment):
            self._latest.still()
        else:
            self._latest.offer(decoded, self._waits)

    def _moment(self, decoded: DecodedFrame) -> float | None:
        """Return when a frame was received, by the monotonic clock; None for a file that is not played in real time."""
        if not self._camera.realtime:
            return None
        if self._quiet:  # a picture may have been written long before it was found
            return time.monotonic() - max(0.0, time.time() - decoded.at)
        return decoded.moment

    def _turn(self, state: State, problem: FacegroupError | None) -> None:
        with self._lock:
            if self._state == "stopped":
                return
            if state != self._state:
                self._since = time.time()
            self._state, self._problem = state, problem


def look(camera: Camera, settings: Cameras, seconds: float) -> tuple[Status, Frame | None]:
    """Read a camera for at most `seconds`; return its status, and a frame if one came."""
    with closing(CameraReader(camera, settings)) as reader:
        deadline = time.monotonic() + seconds
        while True:
            frame = reader.next(min(0.2, max(0.0, deadline - time.monotonic())))
            status = reader.status()
            if frame is not None or status.state in {"failed", "ended"} or time.monotonic() >= deadline:
                return status, frame


def _state_of(problem: FacegroupError, before: State) -> State:
    """Return the state of a camera that cannot be read. It has failed only if it could not be opened."""
    if problem.code == "source_stalled":
        return "stalled"
    return "connecting" if before == "live" else "failed"
