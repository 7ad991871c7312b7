"""Camera process: a source goes in, the newest frame comes out when it is asked for. One per camera, on any node.

It loads no network and no web framework, since there are many of it; whoever made it owns it, and it ends with them.
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
"""How long a process may take to start, with as many at once as there are cameras."""
_CALLS = 4  # under way at once in one process: a close does not wait for a frame


class CameraActor:
    """Looks at one camera.

    Args:
        camera: which.
        settings: of the server.
    """

    def __init__(self, camera: Camera, settings: Settings) -> None:
        configure(settings)
        self._eye = CameraReader(camera, settings.cameras)

    def next(self, timeout: float) -> tuple[Frame | None, Status]:
        """See `facegroup.cameras.types.FrameReader`."""
        frame = self._eye.next(timeout)
        return frame, self._eye.status()

    def ready(self) -> None:
        """Return when it has started."""

    def close(self) -> None:
        """See `facegroup.cameras.types.FrameReader`."""
        self._eye.close()


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
        except RayError as error:  # of its process, or of the node that the frame was on
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
    """Return the class as Ray knows it: each time that it is told of one anew, it keeps another."""
    return ray.remote(CameraActor)


async def open_reader(camera: Camera, settings: Settings, here: bool) -> RemoteReader:
    """Start a process that looks at a camera.

    Args:
        camera: which.
        settings: of the server.
        here: whether it must be on this node, where a file is.

    Raises:
        StageUnavailable: it did not start.
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
