"""Loop of one camera: reads frames, asks the pipeline who is in them, tracks the faces and records the observations.

One frame is under way at a time. While the server is busy, newer frames replace older ones in the camera's reader, so
no camera gets more than its share. Every error shows in the camera's condition, and the loop tries again.
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

from facegroup.cameras.hub.frame_clock import FrameClock
from facegroup.cameras.sightings.tracker import Tracker
from facegroup.cameras.sightings.types import Observation
from facegroup.cameras.steady_clock import SteadyClock
from facegroup.cameras.types import Camera, Condition, Frame, FrameReader, Status
from facegroup.errors import FacegroupError, Overloaded, StageUnavailable
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult

log = logging.getLogger(__name__)

Recognise: TypeAlias = Callable[[Photo], Awaitable[PhotoResult | FacegroupError]]
"""Recognises the faces of one photo."""

OpenReader: TypeAlias = Callable[[Camera], Awaitable[FrameReader]]
"""Opens a camera. Raises StageUnavailable."""

Note: TypeAlias = Callable[[Camera, tuple[Observation, ...]], Awaitable[bool]]
"""Records observations; returns whether any of them led to an event."""

WAIT_SECONDS = 1.0
"""How long a reader waits for a frame before it answers that none came."""
CLOSE_SECONDS = 3.0
"""How long closing a reader may take. Its process ends even if it does not answer."""
ANSWER_SECONDS = 15.0
"""How much longer a reader may take to answer; then it counts as lost."""
FIRST, LONGEST = 0.5, 15.0
"""Seconds before a lost reader is opened again: the first time, and at most."""
_PAUSE = 0.5  # after an answer that is an error
_REMEMBERED = 200  # latencies


class CameraTask:
    """Runs one camera.

    Args:
        camera: the camera.
        network: name of the network that computes the descriptors.
        open_reader: opens the camera.
        recognise: the recognition pipeline, for one frame.
        note: records observations.
        clock: measures the times of observations; None creates one.

    Attributes:
        camera: the camera.
        snapshot: the frame that was analysed last.
        threshold: similarity of two photos of one person, as the pipeline answered last.
        reached: the time up to which it is known who is there; None while no frames come.
    """

    def __init__(
        self,
        camera: Camera,
        network: str,
        open_reader: OpenReader,
        recognise: Recognise,
        note: Note,
        clock: SteadyClock | None = None,
    ) -> None:
        self.camera = camera
        self.snapshot: Frame | None = None
        self.threshold: float | None = None
        self.reached: float | None = None
        self._open = open_reader
        self._recognise = recognise
        self._note = note
        self._network = network
        self._steady = clock or SteadyClock()
        self._clock = FrameClock(self._steady)
        self._tracker = Tracker(camera, network)
        self._status = Status("connecting", since=time.time())
        self._lost: FacegroupError | None = None  # by the reader
        self._problem: FacegroupError | None = None  # in what the pipeline makes of its frames
        self._troubled = time.time()
        self._restarts = self._shed = self._faces = self._events = 0
        self._answered: deque[float] = deque(maxlen=_REMEMBERED)
        self._noted: deque[float] = deque(maxlen=_REMEMBERED)

    def condition(self) -> Condition:
        """Return the camera's condition."""
        status, problem = self._status, self._lost or self._problem
        if problem is not None:
            status = replace(status, state="failed", reason=problem.code, detail=problem.detail, since=self._troubled)
        latencies = (_percentiles(self._answered), _percentiles(self._noted))
        return Condition(status, self._restarts, self._shed, self._faces, self._events, *latencies)

    def forget(self) -> None:
        """Track and recognise everybody in the picture anew. The answer to a frame that is under way is dropped."""
        self._tracker = Tracker(self.camera, self._network)
        self.snapshot = None

    async def run(self) -> None:
        """Run until cancelled. A source that ended stays closed until the camera is changed."""
        tries = 0
        while True:
            began = time.monotonic()
            try:
                await self._read()
                await self._finished()
            except FacegroupError as error:
                self._lost = self._trouble(self._lost, error)
            except Exception as error:
                log.exception("camera %s: its loop broke, which is a bug", self.camera.id)
                self._lost = self._trouble(self._lost, StageUnavailable(f"its loop broke: {type(error).__name__}"))
            self._restarts += 1
            tries = 0 if time.monotonic() - began > LONGEST else tries + 1
            await asyncio.sleep(min(LONGEST, FIRST * 2.0 ** min(tries, 10)) * random.uniform(0.5, 1.0))

    async def _read(self) -> None:
        reader = await self._open(self.camera)
        self._clock = FrameClock(self._steady)
        try:
            while True:
                try:
                    # Not wait_for: before Python 3.12 it can swallow the cancellation of the loop, and never end.
                    async with asyncio.timeout(WAIT_SECONDS + ANSWER_SECONDS):
                        frame, self._status = await reader.next(WAIT_SECONDS)
                    frame = None if frame is None else self._clock.timed(frame)
                    self.reached = self._clock.reached(frame)
                except TimeoutError:
                    raise StageUnavailable("the camera's process does not answer") from None
                self._lost = None
                await self._handle(frame)
                if self._status.state == "ended":
                    return
        finally:
            self.reached = None
            with suppress(FacegroupError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await asyncio.shield(reader.close())

    async def _handle(self, frame: Frame | None) -> None:
        try:
            if frame is None:
                await self._record(self._tracker.idle(self._clock.now()), None)
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
        if tracker is not self._tracker:  # `forget` was called meanwhile
            return
        self.snapshot = frame
        self._faces += len(seen.faces)
        self._answered.append(self._clock.since(frame))
        await self._record(done.observations, frame)

    async def _ask(self, photo: Photo) -> PhotoResult:
        seen = await self._recognise(photo)
        if isinstance(seen, FacegroupError):
            raise seen
        if isinstance(seen.matched, PhotoMatches):
            self.threshold = seen.matched.between_photos
        return seen

    async def _record(self, observations: tuple[Observation, ...], frame: Frame | None) -> None:
        if observations and await self._note(self.camera, observations):
            self._events += 1
            if frame is not None:
                self._noted.append(self._clock.since(frame))

    async def _finished(self) -> None:
        """Record the tracks that are left, however often that takes, and wait for ever."""
        left = self._tracker.close()
        while left:
            try:
                await self._record(left, None)
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


def _percentiles(seconds: deque[float]) -> tuple[float, float] | None:
    if not seconds:
        return None
    half, most = np.percentile(seconds, [50, 95])
    return float(half), float(most)
