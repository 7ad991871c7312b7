"""Settings → a running server on this machine: the one place that sets Ray's environment, starts it and stops it.

On a cluster Ray runs already and `serve deploy serve/cluster.yaml` builds the same application (docs/deployment.md).
"""

import importlib
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from facegroup import errors
from facegroup.errors import EngineUnavailable, FacegroupError, SetupError, StageUnavailable
from facegroup.remote import proxies
from facegroup.settings import Detector, Embedder, Settings
from serve import ending, startup
from serve.haproxy_config import HEADER
from serve.instance import Instance, own
from serve.processes import adopt, end_all
from serve.supervision import Supervision, irreplaceable

RAY = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve.early_refusal.middlewares",
    "RAY_SERVE_LOG_TO_STDERR": "1",
    "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": "134217728",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
    "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "1",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "0.5",
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAY_SERVE_AUTOSCALING_METRIC_RECORD_INTERVAL_FACTOR": "0.02",
    "RAY_task_events_max_num_task_in_gcs": "1000",
    "RAY_worker_maximum_startup_concurrency": "8",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "GRPC_VERBOSITY": "ERROR",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "MALLOC_ARENA_MAX": "2",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}
"""Read by Ray when it is imported, in every process. What is set already stays.

Ray's gcs remembers 100,000 calls by itself, for a dashboard that nobody sees, and grows by 0.1 MB a second on the way there.
Ten thousand strangers of a calibration are 82 MB; photos, crops and answers are sent in calls of at most 64.
A call that waits for a process that is not there yet is heard of within a second, not ten. By itself it starts no more
processes at once than there are cores, and the others only when they are wanted. What HAProxy told of each request, for
metrics that nobody asks for, took another process 0.14 ms.
"""

APP = "facegroup"
OBJECT_STORE_BYTES = 256 << 20

SERVE_PROCESSES = 4
"""Serve's own: its controller, two proxies, and the one that deploys. Ray has as many ready as it is given CPUs."""


@contextmanager
def running(settings: Settings, *, quiet: bool = False, wait_seconds: float = 300) -> Iterator[str]:
    """Run the server on this machine; yields its URL when it is ready, and stops it afterwards.

    Args:
        settings: of the server.
        quiet: whether what its processes log stays in Ray's files.
        wait_seconds: how long it may take to become ready.

    Raises:
        InvalidSettings: a port is taken.
        EngineUnavailable: it has fewer GPUs than are asked for.
        SetupError: what else Ray or a process refuses.
        StageUnavailable: a process cannot start, or it did not become ready in time.
    """
    if sys.platform != "linux":
        raise SetupError("the server needs Linux; the library and the other commands run on this machine")
    with own(settings) as instance, _running(settings, instance, quiet=quiet, wait_seconds=wait_seconds) as url:
        yield url


@contextmanager
def _running(settings: Settings, instance: Instance, *, quiet: bool, wait_seconds: float) -> Iterator[str]:
    settings = _sized(settings).model_copy(update={"instance": instance.name})
    for name, value in {**RAY, **startup.PATIENT}.items():
        os.environ.setdefault(name, value)
    proxies.forget()  # what was to be downloaded is there, and the rest stays inside
    adopt()
    long_start = startup.remark()
    startup.start_ray(
        wait_seconds,
        "FACEGROUP_CACHE_DIR",
        settings.port,
        num_cpus=_cpus(settings) + SERVE_PROCESSES,
        object_store_memory=OBJECT_STORE_BYTES,
        _node_ip_address="127.0.0.1",  # Ray's own ports are nobody else's business
        _temp_dir=str(instance.temporary),
        logging_level=logging.WARNING,
        log_to_driver=not quiet,
    )
    import ray

    supervision = Supervision(irreplaceable())
    try:
        instance.seal()
        _interruptible()
        check_gpus(settings, ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]
        try:
            ray.get(ray.remote(num_cpus=0, max_calls=1)(_deploy).remote(settings, wait_seconds))
        except ray.exceptions.RayError as error:
            raise startup.failure(getattr(error, "cause", error)) from None
        url = f"http://{settings.host}:{settings.port}"
        _interruptible()
        _wait_until_ready(url, instance.name, wait_seconds)
        long_start.cancel()
        try:
            yield url
        finally:
            ending.drain(APP, settings.limits.request_seconds)
            ending.stop_printing()
            ending.stop_listening()
    finally:
        long_start.cancel()
        try:
            supervision.stop()
            ray.shutdown()
        finally:  # whoever presses Ctrl-C once more: nothing stays behind
            end_all()


def _deploy(settings: Settings, wait_seconds: float) -> None:
    """Start Serve and the application, in a process that ends then: what that imports is 70 MB that nobody needs later."""
    import ray.serve
    from ray.serve.config import HTTPOptions

    from serve.app import build

    # Seconds, 60 by themselves; Ray has no setting for them.
    setattr(importlib.import_module("ray.serve._private.api"), "HTTP_PROXY_TIMEOUT", wait_seconds)  # noqa: B010
    if settings.log_level != "debug":
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
    ray.serve.start(
        http_options=HTTPOptions(host=settings.host, port=settings.port),
        logging_config={"log_level": "INFO" if settings.log_level == "debug" else "ERROR"},
    )
    application = ray.serve.RunTarget(build(settings), name=APP, route_prefix="/")
    ray.serve.run_many([application], wait_for_applications_running=False)
    deadline = time.monotonic() + wait_seconds
    while (status := ray.serve.status().applications[APP]).status != "RUNNING":
        said = {name: deployment.message for name, deployment in status.deployments.items() if deployment.message}
        for message in said.values():
            _raise_refusal(message)
        detail = "; ".join(f"{name}: {message.strip()}" for name, message in said.items()) or status.message
        if status.status == "DEPLOY_FAILED":
            raise StageUnavailable(f"the server cannot start: {detail}")
        if time.monotonic() > deadline:
            raise _late(wait_seconds, detail)
        time.sleep(0.25)


def _raise_refusal(message: str) -> None:
    """Raise what a replica refused to do, as it would refuse it again: Serve would try twice more.

    Args:
        message: Serve's of a deployment; it holds the traceback of the replica that failed last.

    Raises:
        SetupError: the replica's own.
    """
    raised = re.search(r"^facegroup\.errors\.(\w+): (.+)$", message, re.MULTILINE)
    kind = getattr(errors, raised[1]) if raised else FacegroupError
    if raised and issubclass(kind, SetupError):
        raise kind(raised[2])


def until_stopped() -> None:
    """Return when the process is asked to end (Ctrl-C, SIGTERM)."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


def _interruptible() -> None:
    """Make SIGTERM what Ctrl-C is. Ray's own handler, which is set when it starts, aborts the process."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _sized(settings: Settings) -> Settings:
    """Return the settings with the threads of one machine: all its cores for each stage, since the stages take turns.

    With one thread each, a stage that has less to do leaves its core idle, and a single photo never has more than one.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parts: dict[str, Detector | Embedder] = {"detector": settings.detector, "embedder": settings.embedder}
    threads = {
        name: part.model_copy(update={"threads": max(1, cores // part.replicas)})
        for name, part in parts.items()
        if not part.threads and not part.num_gpus
    }
    return settings.model_copy(update=threads)


def check_gpus(settings: Settings, there: float) -> None:
    """Refuse what Ray would wait for without end.

    Raises:
        EngineUnavailable: the replicas ask for more GPUs than the machine has.
    """
    parts = (settings.detector, settings.embedder)
    asked = round(sum(part.replicas * part.num_gpus for part in parts), 4)  # as Ray counts: 2 × 0.3 + 6 × 0.4 is 3
    if asked > there:
        raise EngineUnavailable(
            f"num_gpus of all detector and embedder replicas is {asked:g} together, and this machine has {there:g}"
        )


def _cpus(settings: Settings) -> int:
    """Return the logical CPUs that all replicas ask for: on one machine Ray must place them whatever its size."""
    parts = (settings.detector, settings.embedder, settings.matcher, settings.ingress)
    cameras = settings.cameras
    looked_after = cameras.num_cpus + cameras.limit * cameras.camera_cpus if cameras.enabled else 0
    return int(sum(part.replicas * part.num_cpus for part in parts) + looked_after) + 1


def _wait_until_ready(url: str, instance: str, seconds: float) -> None:
    import httpx

    deadline = time.monotonic() + seconds
    detail = "no answer"
    with httpx.Client(timeout=5, trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                answer = client.get(f"{url}/readyz")
            except httpx.TransportError as error:
                detail = str(error)
            else:
                # Degraded is up: the store is away, and saying so is all that can be done about it.
                if answer.headers.get(HEADER) == instance and answer.json()["status"] in ("ready", "degraded"):
                    return
                detail = answer.text[:1000]
            time.sleep(0.1)
    raise _late(seconds, detail)


def _late(seconds: float, detail: str) -> StageUnavailable:
    return StageUnavailable(f"the server is not ready after {seconds:g} seconds ({startup.busy()}): {detail}")
