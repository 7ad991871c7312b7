"""Runs one node of a cluster in the foreground, as systemd, Docker and Kubernetes want it: `facegroup node`.

All nodes know each other by one token. The head makes it, and the other machines get a copy before they join.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from urllib.parse import unquote, urlsplit

from facegroup.errors import InvalidSettings, SetupError, StageUnavailable
from facegroup.remote import proxies
from facegroup.settings import INSTANCE, Node, Settings
from serve import cluster_token, ending, ray_environment, startup, tls_files, tls_renewal
from serve.haproxy_config import NODE, SECRET
from serve.instance import Instance, front, haproxy, paths, surroundings
from serve.instance_folder import own_folder
from serve.ports import held_by_node, node_variables
from serve.processes import adopt, end_all
from serve.supervision import Supervision, irreplaceable

_EVERYWHERE = "0.0.0.0"
_JOIN_SECONDS = 300.0


def run(settings: Settings, head: str | None, say: Callable[[str], None]) -> None:
    """Run a node until SIGTERM or Ctrl-C.

    Args:
        settings: of this machine: `node`, `cache_dir`, and `host` if it is set.
        head: address of the head to join, as HOST or HOST:PORT; None: this is the head.
        say: is told in a line what an operator must know.

    Raises:
        InvalidSettings: an address or the token cannot be used, or a port is taken.
        SetupError: Ray cannot be started here.
        StageUnavailable: the head does not answer, or Ray did not start in time.
    """
    if sys.platform != "linux":
        raise SetupError("a node needs Linux")
    _interruptible()
    given = settings.node
    at = None if head is None else _head(head, given.port)
    token = cluster_token.token(create=at is None)
    with (
        held_by_node(given, head=at is None) as ports,
        own_folder(settings.cache_dir) as folder,
        surroundings(variables(settings, folder, token, head=at is None)),
    ):
        ray_environment.set_variables(cluster=True)
        proxies.forget()
        adopt()
        if at is not None:
            _wait_for(at, say)
        address = given.address or _own_address(at)
        os.environ[NODE] = address  # this process ends with the node
        instance = Instance(os.environ[INSTANCE], folder)
        node = startup.start_node(
            _JOIN_SECONDS,
            "FACEGROUP_CACHE_DIR",
            head=at is None,
            node_ip_address=address,
            node_name=address,
            gcs_address=at,
            num_cpus=given.cpus,
            num_gpus=given.gpus,
            object_store_memory=given.memory_mb << 20,
            temp_dir=str(instance.temporary),
            no_monitor=True,
            include_dashboard=True if at is None else None,
            env_vars={"RAY_LOG_TO_STDERR": "1"},
            **(_redis_login(given) if at is None else {}),
            **ports,
        )
        supervision = Supervision(irreplaceable(node))
        try:
            instance.seal()
            say(_ready(address, at, given.port))
            with tls_renewal.renewing(settings.tls, folder):
                _until_stopped()
            say("stopping: the replicas of this node move to others")
            supervision.stop()
            if at is not None:
                with suppress(KeyboardInterrupt):  # asked twice: end at once
                    node._drain_node_before_shutdown()
        finally:
            supervision.stop()
            ending.stop_listening()
            end_all()
            tls_files.remove(folder)


def _ready(address: str, head: str | None, port: int) -> str:
    if head is not None:
        return f"ready: {address} has joined {head}"
    return f"ready: the head is {address}:{port}; others join with: facegroup node --join {address}:{port}"


def variables(settings: Settings, folder: Path, token: str, *, head: bool) -> dict[str, str]:
    """Return the variables that name what only this node has, and what only its cluster has.

    Args:
        settings: of this machine.
        folder: of this node.
        token: of the cluster.
        head: whether the node is the head.
    """
    name = cluster_token.derived(token, "instance")
    if "host" not in settings.model_fields_set:
        settings = settings.model_copy(update={"host": _EVERYWHERE})
    program = haproxy(folder)
    reached = front(settings, folder, program.get("HAPROXY", ""))
    own = {
        **node_variables(settings.node.ports),
        **(_redis(settings.node, name) if head else {}),
        INSTANCE: name,
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": str(settings.node.drain_seconds),
    }
    unset = {name: value for name, value in own.items() if name not in os.environ}
    return {**unset, **paths(folder), **program, **reached, SECRET: cluster_token.derived(token, "ingress")}


def _redis(given: Node, cluster: str) -> dict[str, str]:
    """Return the variables that let the head keep its state in Redis."""
    if given.redis is None:
        return {}
    parts = urlsplit(given.redis.get_secret_value())
    address = f"{parts.scheme}://{parts.hostname}:{parts.port or 6379}"
    return {"RAY_REDIS_ADDRESS": address, "RAY_external_storage_namespace": cluster}


def _redis_login(given: Node) -> dict[str, str]:
    """Return user and password of that Redis, as Ray takes them."""
    parts = urlsplit("" if given.redis is None else given.redis.get_secret_value())
    login = {"redis_username": parts.username, "redis_password": parts.password}
    return {name: unquote(value) for name, value in login.items() if value}


def _head(given: str, port: int) -> str:
    """Return the head's address as IP:PORT."""
    host, colon, number = given.rpartition(":") if given.count(":") == 1 else (given, "", "")
    try:
        wanted = int(number) if colon else port
        if not host or not 0 < wanted < 65536:
            raise ValueError("it should be HOST or HOST:PORT")
        found = socket.getaddrinfo(host, wanted, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"--join {given} is not an address that this machine knows: {error}") from error
    address, at = str(found[0][4][0]), int(found[0][4][1])
    return f"[{address}]:{at}" if ":" in address else f"{address}:{at}"


def _wait_for(head: str, say: Callable[[str], None]) -> None:
    """Return when the head listens. It may start after this node, or be away."""
    host, _, port = head.rpartition(":")
    deadline = time.monotonic() + _JOIN_SECONDS
    said = False
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), 2).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise StageUnavailable(f"the head {head} does not answer: {error}") from None
            if not said:
                say(f"waiting for the head {head}: {error}")
            said = True
            time.sleep(1)


def _own_address(head: str | None) -> str:
    """Return the address by which the others reach this machine."""
    from ray._private.services import get_node_ip_address

    address = str(get_node_ip_address(head))  # type: ignore[no-untyped-call]
    if address.startswith("127."):
        raise InvalidSettings(
            "the address of this machine by which others reach it is not known; set FACEGROUP_NODE__ADDRESS"
        )
    return address


def _until_stopped() -> None:
    with suppress(KeyboardInterrupt):
        while True:
            signal.pause()


def _interruptible() -> None:
    """Treat SIGTERM as Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
