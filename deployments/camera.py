"""Camera process: reads one source, and returns the newest frame on request. One per camera, on any node.

It loads no network and no web framework, since there are many such processes. The process that created it owns it, and
it ends with that process.
"""

import asyncio
from contextlib import suppress
from functools import cache
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from deployments.logs import configure
from facegroup.cameras.sources.reader import CameraReader
from facegroup.cameras.types import Camera, Frame, Status
from facegroup.errors import StageUnavailable
from facegroup.settings import Settings

START_SECONDS = 120.0
"""How long a process may take to start. At the start of a server all of them start at once."""
_CALLS = 4  # at once in one process: a close does not wait for a frame


class CameraActor:
    """Reads one camera.

    Args:
        camera: the camera.
        settings: of the server.
    """

    def __init__(self, camera: Camera, settings: Settings) -> None:
        configure(settings)
        self._reader = CameraReader(camera, settings.cameras)

    def next(self, timeout: float) -> tuple[Frame | None, Status]:
        """See `facegroup.cameras.types.FrameReader`."""
        frame = self._reader.next(timeout)
        return frame, self._reader.status()

    def ready(self) -> None:
        """Return when the process has started."""

    def close(self) -> None:
        """See `facegroup.cameras.types.FrameReader`."""
        self._reader.close()


class RemoteReader:
    """`facegroup.cameras.types.FrameReader` in a process of its own."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def next(self, timeout: float) -> tuple[Frame | None, Status]:
        """See `facegroup.cameras.types.FrameReader`."""
        try:
            found: tuple[Frame | None, Status] = await self._actor.next.remote(timeout)
        except RayTaskError:  # raised there: a bug
            raise
        except RayError as error:  # the process was lost, or the node that held the frame
            raise StageUnavailable("the camera's process was lost") from error
        return found

    async def close(self) -> None:
        """See `facegroup.cameras.types.FrameReader`."""
        with suppress(RayError, TimeoutError):
            async with asyncio.timeout(2):
                await self._actor.close.remote()
        ray.kill(self._actor)


@cache
def _remote() -> Any:
    """Return the actor class, created once: Ray keeps each one that is created."""
    return ray.remote(CameraActor)


async def open_reader(camera: Camera, settings: Settings, here: bool) -> RemoteReader:
    """Start a process that reads a camera.

    Args:
        camera: the camera.
        settings: of the server.
        here: whether the process must run on this node, as for a file.

    Raises:
        StageUnavailable: the process did not start.
    """
    node = ray.get_runtime_context().get_node_id()
    where = NodeAffinitySchedulingStrategy(node, soft=False) if here else "SPREAD"
    options = {"num_cpus": settings.cameras.camera_cpus, "max_concurrency": _CALLS, "scheduling_strategy": where}
    actor: Any = _remote().options(**options).remote(camera, settings)
    try:
        async with asyncio.timeout(START_SECONDS):
            await actor.ready.remote()
    except (RayError, TimeoutError) as error:
        ray.kill(actor)
        raise StageUnavailable("the camera's process did not start") from error
    return RemoteReader(actor)
