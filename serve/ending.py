"""Ends a server in order: its ingresses refuse what comes, answer what they have, and only then everything ends."""

import asyncio
import os
import time
from contextlib import suppress
from typing import Any

from serve.processes import below, end

_ASK_SECONDS = 5.0
_DOORS = ("ray::ServeController", "ray::HAProxyManager", "ray::ProxyActor", "haproxy.cfg")


def drain(app: str, seconds: float) -> None:
    """Return when every request that is under way is answered, or after `seconds`; those that come are refused with 503.

    Args:
        app: name of Serve's application.
        seconds: how long requests are waited for.
    """
    with suppress(Exception):  # whatever is wrong with the server, it must end
        asyncio.run(_drain(app, seconds))


async def _drain(app: str, seconds: float) -> None:
    import ray.serve

    handle = ray.serve.get_app_handle(app)
    deadline = time.monotonic() + seconds
    while any(await _tell(handle, "drain")) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    if "Cameras" in ray.serve.status().applications[app].deployments:
        await _tell(ray.serve.get_deployment_handle("Cameras", app), "close")


async def _tell(handle: Any, method: str) -> list[Any]:
    """Call a method of every replica; return the answers."""
    async with asyncio.timeout(_ASK_SECONDS):
        answers: list[Any] = await handle.broadcast(method).results_async()
        return answers


def close_doors() -> None:
    """Stop listening at once: who comes now is refused by the system, and not told by a proxy that there is no server."""
    end(pid for pid, line in below(os.getpid()).items() if any(door in line for door in _DOORS))
