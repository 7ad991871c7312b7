"""Runs a server on this machine: starts Ray and the application, waits until they are ready, and ends them.

On a cluster Ray runs already and `serve deploy serve/cluster.yaml` builds the same application (docs/deployment.md).
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from facegroup.access.checker import closed_mark
from facegroup.errors import SetupError
from facegroup.remote import proxies
from facegroup.settings import Settings
from serve import ending, ray_environment, start_rules, startup, tls_renewal
from serve.haproxy_config import TLS
from serve.instance import Instance, own
from serve.processes import adopt, end_all
from serve.readiness import APP, deploy, wait_until_ready
from serve.sizing import check_gpus, cpus, sized
from serve.supervision import Supervision, irreplaceable

OBJECT_STORE_BYTES = 256 << 20


@contextmanager
def running(settings: Settings, *, quiet: bool = False, wait_seconds: float = 300) -> Iterator[str]:
    """Run a server on this machine: yield its URL when it is ready, and stop it afterwards.

    Args:
        settings: of the server.
        quiet: whether to print nothing of what its processes log; Ray's log files have it.
        wait_seconds: how long it may take to become ready.

    Raises:
        InvalidSettings: a port is taken, or the certificate cannot be used.
        NoKeys: others can reach the address, and there are no keys.
        EngineUnavailable: the machine has fewer GPUs than the settings ask for.
        SetupError: Ray or a process refuses to start for another reason.
        StageUnavailable: a process cannot start, or it did not become ready in time.
    """
    if sys.platform != "linux":
        raise SetupError("the server needs Linux; the library and the other commands run on this machine")
    settings = start_rules.checked(settings, lambda _: None)  # also for those who did not ask before
    with own(settings) as instance, _running(settings, instance, quiet=quiet, wait_seconds=wait_seconds) as url:
        yield url


@contextmanager
def _running(settings: Settings, instance: Instance, *, quiet: bool, wait_seconds: float) -> Iterator[str]:
    settings = sized(settings).model_copy(update={"instance": instance.name})
    ray_environment.set_variables()
    proxies.forget()  # downloads are done, and all other connections stay on this machine
    adopt()
    warning = startup.slow_start_warning()
    startup.start_ray(
        wait_seconds,
        "FACEGROUP_CACHE_DIR",
        settings.port,
        num_cpus=cpus(settings),
        object_store_memory=OBJECT_STORE_BYTES,
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
            ray.get(ray.remote(num_cpus=0, max_calls=1)(deploy).remote(settings, wait_seconds))
        except ray.exceptions.RayError as error:
            raise startup.deployment_error(getattr(error, "cause", error)) from None
        scheme = "http" if settings.tls.certificate is None else "https"
        url = f"{scheme}://{settings.host}:{settings.port}"
        _interruptible()
        wait_until_ready(url, instance.name, wait_seconds, os.environ[TLS])
        warning.cancel()
        try:
            with tls_renewal.renewing(settings.tls, instance.folder):
                yield url
        finally:
            ending.drain(APP, settings.limits.request_seconds)
            ending.stop_printing()
            ending.stop_listening()
    finally:
        warning.cancel()
        try:
            supervision.stop()
            ray.shutdown()
        finally:  # nothing stays behind, even if Ctrl-C is pressed again
            end_all()
            if (mark := closed_mark(settings)) is not None:
                mark.unlink(missing_ok=True)


def until_stopped() -> None:
    """Return when this process is asked to end (Ctrl-C, SIGTERM)."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


def _interruptible() -> None:
    """Treat SIGTERM as Ctrl-C. Ray sets a handler when it starts that aborts the process."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
