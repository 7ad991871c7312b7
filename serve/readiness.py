"""From a running Ray to a server that is ready: deploys the application, and waits for its processes and its answers."""

import importlib
import logging
import os
import re
import ssl
import time

from facegroup import errors
from facegroup.errors import FacegroupError, SetupError, StageUnavailable
from facegroup.settings import Settings
from serve.haproxy_config import HEADER
from serve.startup import busy

APP = "facegroup"
"""Name of Serve's application."""

_LOOPBACK = "127.0.0.1"


def deploy(settings: Settings, wait_seconds: float) -> None:
    """Start Serve and the application, and return when all its processes run.

    It is called in a process that ends afterwards: what it imports is 70 MB that nobody needs later.

    Args:
        settings: of the server.
        wait_seconds: how long that may take.

    Raises:
        SetupError: a replica's own refusal.
        StageUnavailable: a process cannot start, or did not start in time.
    """
    import ray.serve
    from ray.serve.config import HTTPOptions

    from serve.app import application

    # Seconds, 60 by themselves; Ray has no setting for them.
    setattr(importlib.import_module("ray.serve._private.api"), "HTTP_PROXY_TIMEOUT", wait_seconds)  # noqa: B010
    if settings.log_level != "debug":
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
    ray.serve.start(
        http_options=HTTPOptions(host=_LOOPBACK if _behind_haproxy() else settings.host, port=settings.port),
        logging_config={"log_level": "INFO" if settings.log_level == "debug" else "ERROR"},
    )
    target = ray.serve.RunTarget(application(settings), name=APP, route_prefix="/")
    ray.serve.run_many([target], wait_for_applications_running=False)
    deadline = time.monotonic() + wait_seconds
    while (status := ray.serve.status().applications[APP]).status != "RUNNING":
        said = {name: deployment.message for name, deployment in status.deployments.items() if deployment.message}
        for message in said.values():
            raise_refusal(message)
        detail = "; ".join(f"{name}: {message.strip()}" for name, message in said.items()) or status.message
        if status.status == "DEPLOY_FAILED":
            raise StageUnavailable(f"the server cannot start: {detail}")
        if time.monotonic() > deadline:
            raise _late(wait_seconds, detail)
        time.sleep(0.25)


def _behind_haproxy() -> bool:
    """Return whether HAProxy takes the requests, so that the processes behind it need no address but loopback."""
    return os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1"


def raise_refusal(message: str) -> None:
    """Raise a replica's own refusal at once: Serve would try twice more, in vain.

    Serve keeps no error object of a replica that failed, only its traceback as text.

    Args:
        message: of Serve, about a deployment.

    Raises:
        SetupError: the replica's own.
    """
    raised = re.search(r"^facegroup\.errors\.(\w+): (.+)$", message, re.MULTILINE)
    kind = getattr(errors, raised[1]) if raised else FacegroupError
    if raised and issubclass(kind, SetupError):
        raise kind(raised[2])


def wait_until_ready(url: str, instance: str, seconds: float, tls: str = "") -> None:
    """Return when a server answers that it is ready, or degraded: it then runs without its store, and says so.

    Args:
        url: of the server.
        instance: its name; another server's answers do not count.
        seconds: how long to wait.
        tls: file with its certificate, if it has one.

    Raises:
        StageUnavailable: it is not ready after that time.
    """
    import httpx

    deadline = time.monotonic() + seconds
    detail = "no answer"
    with httpx.Client(timeout=5, trust_env=False, verify=_of(tls) if tls else True) as client:
        while time.monotonic() < deadline:
            try:
                answer = client.get(f"{url}/readyz")
            except httpx.TransportError as error:
                detail = str(error)
            else:
                if answer.headers.get(HEADER) == instance and answer.json()["status"] in ("ready", "degraded"):
                    return
                detail = answer.text[:1000]
            time.sleep(0.1)
    raise _late(seconds, detail)


def _of(tls: str) -> ssl.SSLContext:
    """Return a context that trusts the certificate in a file and no other; this machine has other names than it says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(tls)
    return context


def _late(seconds: float, detail: str) -> StageUnavailable:
    return StageUnavailable(f"the server is not ready after {seconds:g} seconds ({busy()}): {detail}")
