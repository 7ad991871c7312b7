"""The cameras that run: starts and stops their tasks, and records what they observe."""

import asyncio
from collections.abc import Mapping, MutableMapping

from facegroup.cameras.hub.camera_task import CameraTask, OpenReader, Recognise
from facegroup.cameras.hub.recorder import SightingRecorder
from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sightings.types import Observation
from facegroup.cameras.steady_clock import SteadyClock
from facegroup.cameras.types import Camera, Condition, Frame, Status

_STOP_SECONDS = 5.0


class RunningCameras:
    """One task for each camera that is enabled. Used in one event loop.

    Args:
        network: name of the network that computes the descriptors.
        recognise: the recognition pipeline, for one frame.
        open_reader: opens a camera.
        recorder: records observations.
        thresholds: by gallery; what the pipeline answered last is written into it.
        clock: measures the times of observations.
    """

    def __init__(
        self,
        network: str,
        recognise: Recognise,
        open_reader: OpenReader,
        recorder: SightingRecorder,
        thresholds: MutableMapping[str, float],
        clock: SteadyClock,
    ) -> None:
        self._network = network
        self._recognise = recognise
        self._open = open_reader
        self._recorder = recorder
        self._thresholds = thresholds
        self._clock = clock
        self._running: dict[str, tuple[CameraTask, asyncio.Task[None]]] = {}

    def start(self, camera: Camera) -> None:
        """Start a camera, unless it is disabled."""
        if not camera.enabled:
            return
        watch = CameraTask(camera, self._network, self._open, self._recognise, self._note, self._clock)
        task = asyncio.get_running_loop().create_task(watch.run(), name=f"camera {camera.id}")
        self._running[camera.id] = (watch, task)

    async def stop(self, camera: str) -> None:
        """Stop a camera. Its open sightings stay open."""
        if camera in self._running:
            _, task = self._running.pop(camera)
            task.cancel()
            await asyncio.wait([task], timeout=_STOP_SECONDS)
        await self._recorder.run(SightingBook.restarted, camera)

    async def stop_all(self) -> None:
        """Stop all cameras."""
        await asyncio.gather(*(self.stop(camera) for camera in list(self._running)))

    def forget(self, gallery: str) -> list[str]:
        """Recognise everybody anew who is before a camera of a gallery; return the ids of its cameras."""
        concerned = [camera for camera, (watch, _) in self._running.items() if watch.camera.gallery == gallery]
        for camera in concerned:
            self._running[camera][0].forget()
        return concerned

    def conditions(self) -> dict[str, Condition]:
        """Return the condition of each camera that runs."""
        return {camera: watch.condition() for camera, (watch, _) in self._running.items()}

    def condition(self, camera: Camera) -> Condition:
        """Return the condition of a camera, running or not."""
        if camera.id not in self._running:
            return Condition(Status("stopped", since=camera.updated_at))
        return self._running[camera.id][0].condition()

    def snapshot(self, camera: str) -> Frame | None:
        """Return the frame that was analysed last, if there is one."""
        return self._running[camera][0].snapshot if camera in self._running else None

    def reached(self) -> Mapping[str, float]:
        """Return, for each camera whose frames come, the time up to which it is known who is there."""
        found = {camera: watch.reached for camera, (watch, _) in self._running.items()}
        return {camera: at for camera, at in found.items() if at is not None}

    async def _note(self, camera: Camera, observations: tuple[Observation, ...]) -> bool:
        running = self._running.get(camera.id)
        if running is not None and running[0].threshold is not None:
            self._thresholds[camera.gallery] = running[0].threshold
        return await self._recorder.record(SightingBook.observe, camera, observations)
