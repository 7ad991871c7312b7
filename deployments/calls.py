"""Calls from one process to another, and the errors that cross with them."""

import asyncio
import inspect
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentHandle

from facegroup.errors import ClientError, FacegroupError, Overloaded, StageUnavailable
from facegroup.store.calls import AskStore
from facegroup.store.contract import RemoteStore

Handle: TypeAlias = DeploymentHandle[Any]

EVERYBODY = "0.0.0.0/0,::/0,localhost"
"""For `no_grpc_proxy`: every address."""

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")

log = logging.getLogger("facegroup.calls")


def answers(
    method: Callable[Concatenate[Any, _P], Coroutine[Any, Any, Any]],
) -> Callable[Concatenate[Any, _P], Coroutine[Any, Any, Any]]:
    """Let a method that other processes call answer with an error that facegroup knows, which `call` raises there.

    What is raised in a process Ray logs, with a traceback of 45 lines, for each name that does not exist.
    """

    @wraps(method)
    async def answer(self: Any, /, *given: _P.args, **named: _P.kwargs) -> Any:
        try:
            return await method(self, *given, **named)
        except FacegroupError as error:
            level = logging.INFO if isinstance(error, ClientError) else logging.WARNING
            log.log(level, "%s: %s (%s)", method.__name__, error.detail, error.code)
            return error

    return answer


def with_pickle(handle: Handle) -> Handle:
    """Return the handle set to send arrays by plain pickle, which takes a third of cloudpickle's time for them.

    And to go straight to the other process: gRPC would go through the proxy that the environment names.
    """
    os.environ.setdefault("no_grpc_proxy", EVERYBODY)
    return handle.options(request_serialization="pickle", response_serialization="pickle")


def replicas(handle: Handle) -> int:
    """Return how many replicas of a stage this process knows of now, at least one.

    Serve tells each router, and has no public way to ask it.
    """
    router = getattr(getattr(handle, "_router", None), "_asyncio_router", None)
    # Not by its property, which would make the router here: in Ray's default it belongs to another thread.
    known = getattr(router, "_request_router", None)
    return 1 if known is None else max(1, len(known.curr_replicas))


def method_of(contract: type, name: str) -> Callable[..., Any]:
    """Return the public method of a class that another process asked for by its name.

    Raises:
        ValueError: the class has no such method, which is a bug of the caller.
    """
    method = None if name.startswith("_") else getattr(contract, name, None)
    if not inspect.isfunction(method):
        raise ValueError(f"{contract.__name__} has no method {name}: this is a bug")
    return method


async def call(response: Awaitable[Any]) -> Any:
    """Return what the other process answered; whoever is cancelled while it waits ends the work there, too.

    Raises:
        FacegroupError: the one that it raised, as it was there; or Overloaded when its queue is full, or
            StageUnavailable when it died or is not there.
    """
    try:
        answer = await response
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
    if isinstance(answer, FacegroupError):
        raise answer
    return answer


def asking(gallery: Handle) -> AskStore:
    """Return the function that calls a method of the store in the gallery's process."""

    async def ask(
        method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
    ) -> _Answer:
        answer: _Answer = await call(gallery.ask.remote(method.__name__, *arguments, **named))
        return answer

    return ask
