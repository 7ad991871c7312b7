"""Base class of the parts of the hub, and the call that reaches a part from another process.

The caller names the method itself, ``cameras(Receivers.add, webhook, by)``, so mypy checks every argument and the answer.
Only the method's qualified name travels; `HubPart.call` finds it in the class of the part.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from facegroup.cameras.hub.camera_task import Recognise
from facegroup.cameras.hub.recorder import SightingRecorder
from facegroup.cameras.hub.running_cameras import RunningCameras
from facegroup.cameras.sightings.journal import Journal
from facegroup.cameras.types import Camera, FrameReader
from facegroup.settings import Settings
from facegroup.store.calls import AskStore

if TYPE_CHECKING:  # its HTTP and MQTT clients are not for the processes that only call the hub
    from facegroup.cameras.delivery.event_delivery import EventDelivery

P = ParamSpec("P")
Result = TypeVar("Result")

Open: TypeAlias = Callable[[Camera, Settings, bool], Awaitable[FrameReader]]
"""Opens a camera with settings, on this machine (True) or on any. Raises StageUnavailable."""


class Changes:
    """The changes that are under way. Each is completed even if its caller is gone."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def complete(self, change: Coroutine[Any, Any, Result]) -> Result:
        """Run a change to its end, and return its answer to a caller who still waits."""
        # In no caller's context: Ray Serve cancels what was called in the context of a request that is cancelled.
        task = asyncio.get_running_loop().create_task(change, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def wait(self, seconds: float) -> None:
        """Return when no change is under way, or after so many seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)


@dataclass(frozen=True, slots=True)
class HubContext:
    """What the parts of the hub share while the journal is open.

    Attributes:
        settings: of the server.
        network: name of the network that computes the descriptors.
        journal: keeps cameras, sightings, strangers, webhooks and videos.
        recorder: writes sightings.
        running: the cameras that run.
        delivery: tells receivers of events.
        recognise: the recognition pipeline, for one frame.
        ask: calls the gallery store.
        open_reader: opens a camera.
        thresholds: by gallery, as the store answered last.
        changes: completes changes.
    """

    settings: Settings
    network: str
    journal: Journal
    recorder: SightingRecorder
    running: RunningCameras
    delivery: "EventDelivery"
    recognise: Recognise
    ask: AskStore
    open_reader: Open
    thresholds: MutableMapping[str, float]
    changes: Changes


class HubPart:
    """Part of the hub. Other processes may call all of its public methods, which are coroutine functions.

    Args:
        hub: what the part works with.
    """

    def __init__(self, hub: HubContext) -> None:
        self._hub = hub

    async def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a public method of the part's class by its name."""
        if method.startswith("_") or method not in vars(type(self)):
            raise ValueError(f"{type(self).__name__} has no method {method!r}: this is a bug")
        return await getattr(self, method)(*arguments, **named)


Part = TypeVar("Part", bound=HubPart)


def completed(
    method: Callable[Concatenate[Part, P], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[Part, P], Coroutine[Any, Any, Result]]:
    """Mark a method that changes something: half done, it would leave a camera that is stored but not running."""

    @wraps(method)
    async def complete(self: Part, /, *arguments: P.args, **named: P.kwargs) -> Result:
        return await self._hub.changes.complete(method(self, *arguments, **named))

    return complete
