"""Ends a server in order: its ingresses refuse new requests and answer the others before the processes end."""

import asyncio
import logging
import os
import signal
import time
from contextlib import suppress
from typing import Any

from serve.processes import below, end

_ASK_SECONDS = 5.0
_LAST_SECONDS = 2.0
_LOST = 50
_MANAGERS = ("ray::ServeController", "ray::HAProxyManager", "ray::ProxyActor")
_PROXY = "haproxy.cfg"


def drain(app: str, seconds: float) -> None:
    """Refuse new requests with 503, and return when all others are answered, or after `seconds`.

    Args:
        app: name of Serve's application.
        seconds: how long to wait for requests.
    """
    import ray.serve

    # It would report its own connections, of which some are bound to an event loop that ends here.
    logging.getLogger(ray.serve.__name__).setLevel(logging.CRITICAL)
    for step in (_answer_all(app, seconds), _close_cameras(app)):
        with suppress(Exception):  # whatever is wrong with the server, it must end
            asyncio.run(step)


async def _answer_all(app: str, seconds: float) -> None:
    import ray.serve

    handle = ray.serve.get_app_handle(app)
    deadline = time.monotonic() + seconds
    lost = 0
    while (left := deadline - time.monotonic()) > 0:
        try:
            if not any(await _tell(handle, "drain", min(left, _ASK_SECONDS))):
                return
            lost = 0
        except TimeoutError:  # an ingress is busy
            lost = 0
        except Exception:  # an ingress was lost, and others may still have requests; or all were lost
            lost += 1
            if lost == _LOST:
                raise
        await asyncio.sleep(0.1)


async def _close_cameras(app: str) -> None:
    import ray.serve

    if "Cameras" in ray.serve.status().applications[app].deployments:
        await _tell(ray.serve.get_deployment_handle("Cameras", app), "close", _ASK_SECONDS)


async def _tell(handle: Any, method: str, seconds: float) -> list[Any]:
    """Call a method of every replica; return the answers. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        answers: list[Any] = await handle.broadcast(method).results_async()
        return answers


def stop_printing() -> None:
    """Print no more of what Ray tells this process: it would report each process that ends here as lost."""
    import ray

    worker = ray._private.worker.global_worker
    worker.threads_stopped.set()  # as ray.shutdown does before it ends Ray's processes
    for name in ("gcs_error_subscriber", "gcs_log_subscriber"):
        with suppress(Exception):  # there is none, or Ray was lost
            getattr(worker, name).close()


def stop_listening() -> None:
    """Stop listening at once: the system refuses new connections, and no proxy answers that there is no server.

    HAProxy ends when it has sent the rest of its answers, or after `_LAST_SECONDS`.
    """
    found = below(os.getpid())
    end(pid for pid, line in found.items() if any(name in line for name in _MANAGERS))  # they would replace HAProxy
    proxies = [pid for pid, line in found.items() if _PROXY in line]
    end(proxies, _LAST_SECONDS, signal.SIGUSR1)
    end(proxies)
