"""The loop of one camera: its eye gives frames, the pipeline says who is in them, and what the tracker makes of it is noted.

One frame is under way at a time: while the server is busy the eye lets newer frames take the place of older ones, and no
camera has more than its turn. Whatever goes wrong shows in the camera's condition, and is tried again.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from facegroup.cameras.sightings.tracker import Tracker
from facegroup.cameras.sightings.types import Observation
from facegroup.cameras.steady import Steady
from facegroup.cameras.types import Camera, Condition, Frame, FrameReader, Status
from facegroup.errors import FacegroupError, Overloaded, StageUnavailable
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult

log = logging.getLogger(__name__)

Look: TypeAlias = Callable[[Photo], Awaitable[PhotoResult | FacegroupError]]
"""What is in one photo."""

Note: TypeAlias = Callable[[Camera, tuple[Observation, ...]], Awaitable[bool]]
"""Takes observations in; says whether any of them led to an event."""

WAIT_SECONDS = 1.0
"""How long an eye waits for a frame before it says that none came."""
CLOSE_SECONDS = 3.0
"""How long it may take to be closed, which ends its process even if it does not answer."""
ANSWER_SECONDS = 15.0
"""How long an eye may take to say so; then it is taken for dead."""
FIRST, LONGEST = 0.5, 15.0
"""Seconds before an eye that was lost is opened again, the first time and at most."""
_PAUSE = 0.5  # after an answer that is an error
_REMEMBERED = 200  # latencies


class CameraTask:
    """One camera, looked at.

    Args:
        camera: which.
        network: that makes the descriptors.
        open_eye: opens its eye.
        look: the pipeline.
        note: the book of sightings.
        clock: of the times of observations; None: one of its own.
    """

    def __init__(
        self,
        camera: Camera,
        network: str,
        open_eye: Callable[[Camera], Awaitable[FrameReader]],
        look: Look,
        note: Note,
        clock: Steady | None = None,
    ) -> None:
        self.camera = camera
        self.snapshot: Frame | None = None
        self.threshold: float | None = None
        # When the last frame was taken, while more come: what came later is not known.
        self.reached: float | None = None
        self._open = open_eye
        self._look = look
        self._note = note
        self._network = network
        self._clock = clock or Steady()
        self._ahead: float | None = None  # of the clock, of that of the eye's moments
        self._behind: float | None = None  # the clock, of what is looked at in a time of its own
        self._tracker = Tracker(camera, network)
        self._status = Status("connecting", since=time.time())
        self._lost: FacegroupError | None = None  # of the eye
        self._problem: FacegroupError | None = None  # of what is made of its frames
        self._troubled = time.time()
        self._restarts = self._shed = self._faces = self._events = 0
        self._answered: deque[float] = deque(maxlen=_REMEMBERED)
        self._noted: deque[float] = deque(maxlen=_REMEMBERED)

    def condition(self) -> Condition:
        """Return how the camera is."""
        status, problem = self._status, self._lost or self._problem
        if problem is not None:
            status = replace(status, state="failed", reason=problem.code, detail=problem.detail, since=self._troubled)
        latencies = (_percentiles(self._answered), _percentiles(self._noted))
        return Condition(status, self._restarts, self._shed, self._faces, self._events, *latencies)

    def forget(self) -> None:
        """Begin anew with everybody who is in the picture; what is known of them, or being asked, counts for nothing."""
        self._tracker = Tracker(self.camera, self._network)
        self.snapshot = None

    async def run(self) -> None:
        """Look until cancelled; what came to its end is looked at again when the camera is changed."""
        tries = 0
        while True:
            began = time.monotonic()
            try:
                await self._once()
                await self._finished()
            except FacegroupError as error:
                self._lost = self._trouble(self._lost, error)
            except Exception as error:
                log.exception("camera %s: its loop broke, which is a bug", self.camera.id)
                self._lost = self._trouble(self._lost, StageUnavailable(f"its loop broke: {type(error).__name__}"))
            self._restarts += 1
            tries = 0 if time.monotonic() - began > LONGEST else tries + 1
            await asyncio.sleep(min(LONGEST, FIRST * 2.0 ** min(tries, 10)) * random.uniform(0.5, 1.0))

    async def _once(self) -> None:
        eye = await self._open(self.camera)
        self._ahead = self._behind = None
        try:
            while True:
                try:
                    # Not wait_for: before Python 3.12 it can swallow that the loop is cancelled, which would go on for ever.
                    async with asyncio.timeout(WAIT_SECONDS + ANSWER_SECONDS):
                        frame, self._status = await eye.next(WAIT_SECONDS)
                    frame = None if frame is None else self._timed(frame)
                    self.reached = self._reached(frame)
                except TimeoutError:
                    raise StageUnavailable("the camera's process does not answer") from None
                self._lost = None
                await self._take_in(frame)
                if self._status.state == "ended":
                    return
        finally:
            self.reached = None
            with suppress(FacegroupError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await asyncio.shield(eye.close())

    async def _take_in(self, frame: Frame | None) -> None:
        try:
            if frame is None:
                await self._tell(self._tracker.idle(self._clock.now() - (self._behind or 0.0)), None)
            else:
                await self._analyse(frame)
                self._problem = None
        except Overloaded:
            self._shed += 1
            await asyncio.sleep(_PAUSE)
        except FacegroupError as error:
            self._problem = self._trouble(self._problem, error)
            await asyncio.sleep(_PAUSE)

    async def _analyse(self, frame: Frame) -> None:
        tracker = self._tracker
        seen = await self._ask(tracker.photo(frame))
        done = tracker.update(frame, seen)
        if done.again:
            seen = await self._ask(tracker.recognise(frame, seen.faces))
            done = tracker.update(frame, seen)
        if tracker is not self._tracker:  # somebody was erased meanwhile
            return
        self.snapshot = frame
        self._faces += len(seen.faces)
        self._answered.append(self._clock.now() - _time(frame))
        await self._tell(done.observations, frame)

    async def _ask(self, photo: Photo) -> PhotoResult:
        seen = await self._look(photo)
        if isinstance(seen, FacegroupError):
            raise seen
        if isinstance(seen.matched, PhotoMatches):
            self.threshold = seen.matched.threshold
        return seen

    async def _tell(self, observations: tuple[Observation, ...], frame: Frame | None) -> None:
        if observations and await self._note(self.camera, observations):
            self._events += 1
            if frame is not None:
                self._noted.append(self._clock.now() - _time(frame))

    def _reached(self, frame: Frame | None) -> float | None:
        """Return up to when it is known who is there; pictures of before go on in their own time where none follows yet."""
        if frame is not None:
            self._behind = self._clock.now() - frame.at if frame.moment is None else None
            return _time(frame)
        return None if self._behind is None else self._clock.now() - self._behind

    def _timed(self, frame: Frame) -> Frame:
        """Return a frame with its moment by our clock: the camera's process may run on another machine."""
        if frame.moment is None:
            return frame
        ahead = self._clock.now() - frame.moment - frame.age
        # What is handed over slowly seems later than it is, and nothing seems earlier.
        self._ahead = ahead if self._ahead is None else min(self._ahead, ahead)
        return replace(frame, moment=frame.moment + self._ahead)

    async def _finished(self) -> None:
        """Note what is left, whenever that can be done, and wait for ever."""
        left = self._tracker.close()
        while left:
            try:
                await self._tell(left, None)
                left, self._problem = (), None
            except FacegroupError as error:
                self._problem = self._trouble(self._problem, error)
                await asyncio.sleep(_PAUSE)
        await asyncio.Event().wait()

    def _trouble(self, known: FacegroupError | None, error: FacegroupError) -> FacegroupError:
        if known is None or known.code != error.code:
            self._troubled = time.time()
            log.warning("camera %s: %s", self.camera.id, error.detail)
        return error


def _time(frame: Frame) -> float:
    return frame.at if frame.moment is None else frame.moment


def _percentiles(seconds: deque[float]) -> tuple[float, float] | None:
    if not seconds:
        return None
    half, most = np.percentile(seconds, [50, 95])
    return float(half), float(most)
