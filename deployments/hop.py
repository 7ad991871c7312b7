"""A call from one process to the next: its answer, or an error that facegroup knows."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeAlias

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentHandle

from facegroup.errors import FacegroupError, Overloaded, StageUnavailable

Handle: TypeAlias = DeploymentHandle[Any]


def plain(handle: Handle) -> Handle:
    """Return the handle set to send arrays by plain pickle, which takes a third of cloudpickle's time for them."""
    return handle.options(request_serialization="pickle", response_serialization="pickle")


async def hop(response: Awaitable[Any]) -> Any:
    """Return what the other process answered; whoever is cancelled while it waits ends the work there, too.

    Raises:
        FacegroupError: the one that it raised, as it was there; or Overloaded when its queue is full, or
            StageUnavailable when it died or is not there.
    """
    try:
        return await response
    except asyncio.CancelledError:
        cancel = getattr(response, "cancel", None)
        if cancel is not None:
            cancel()
        raise
    except FacegroupError as error:
        # Ray's own transport wraps it into a class of both kinds, whose text is a traceback.
        cause = getattr(error, "cause", None)
        raise (cause if isinstance(cause, FacegroupError) else error) from None
    except BackPressureError as error:
        raise Overloaded("the server has too much to do; try again later") from error
    except (RayActorError, DeploymentUnavailableError, RayServeException) as error:
        raise StageUnavailable("a part of the server is starting or was lost; try again later") from error
