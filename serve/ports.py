"""Chooses the ports of one server, so that no other server on the machine uses the same.

Ray shares some ports between servers silently (SO_REUSEPORT), and takes others from the same range in each. So each server
has its own block of ports. It holds the block by an abstract socket of that name: the kernel gives the name to one process
only, and frees it when the process ends in any way. Ray's other ports are free ones that the system chooses.
"""

import random
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from facegroup.cli.cluster_ports import NODE, WORKERS
from facegroup.errors import InvalidSettings, SetupError
from facegroup.settings import Node, Settings

BLOCKS = range(20_000, 30_000, 250)
"""First ports of blocks. The system uses 32768 and more for outgoing connections."""

SINGLE = {"RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": 0, "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": 1}
RANGES = {
    ("RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT", "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT"): (10, 130),
    ("RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT", "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT"): (130, 250),
}
"""Ray's variables and their places in a block. A dead ingress keeps its port for 150 s; 120 allow one death every 1.25 s."""

_END_SECONDS = 10.0


@contextmanager
def held(settings: Settings, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Hold the ports of a server; yield the variables that tell them to Ray.

    Args:
        settings: with the server's own `host` and `port`.
        environment: variables of Ray that are set already keep their values.

    Raises:
        InvalidSettings: a port from the settings or the environment is taken.
        SetupError: no block is free.
    """
    with ExitStack() as stack:
        # At all addresses: Ray would share a port between servers on localhost, 127.0.0.1 and 0.0.0.0.
        if not _hold(f"{settings.port}", stack):
            raise InvalidSettings(
                f"another server uses port {settings.port}, perhaps at another address of this machine; "
                "choose another with FACEGROUP_PORT"
            )
        _check_port(settings)
        for name in SINGLE.keys() & environment.keys():
            port = _number(name, environment)
            if not _hold(f"{port}", stack) or not is_free(port):
                raise InvalidSettings(f"{name}: port {port} is in use; unset it, or choose another")
        for least, most in RANGES:
            if least in environment and not _hold(f"{_number(least, environment)}-", stack):
                raise InvalidSettings(
                    f"{least}: another server uses these ports; unset it and {most}, or choose others"
                )
        block = _block(settings.port, stack)
        variables = {name: block + place for name, place in SINGLE.items()}
        for names, places in RANGES.items():
            if not environment.keys() & set(names):
                variables |= {name: block + place for name, place in zip(names, places, strict=True)}
        yield {name: str(port) for name, port in variables.items() if name not in environment}


@contextmanager
def held_by_node(settings: Node, *, head: bool) -> Iterator[dict[str, int]]:
    """Hold the ports of a cluster's node, which are the same at each start; yield them by the names that Ray gives them.

    Args:
        settings: of the node, with its `port` and `ports`.
        head: whether it is the head.

    Raises:
        InvalidSettings: one of them is taken.
    """
    ports = {name: settings.port + place for name, place in NODE.items()}
    if head:
        ports["gcs_server_port"] = settings.port
    first = settings.ports
    needed = [*ports.values(), *(first + place for place in SINGLE.values())]
    deadline = time.monotonic() + _END_SECONDS  # a node that is started again may find the last one's processes
    with ExitStack() as stack:
        while not (held := _hold(f"{first}-", stack)) or (
            taken := [port for port in needed if not is_free(port, soon=True)]
        ):
            if time.monotonic() < deadline:
                stack.close()
                time.sleep(0.2)
                continue
            raise InvalidSettings(
                f"port {taken[0] if held else first} is in use, perhaps by another node or server; end it, or choose other "
                "ports with FACEGROUP_NODE__PORTS and FACEGROUP_NODE__PORT"
            )
        yield {**ports, "min_worker_port": WORKERS[0], "max_worker_port": WORKERS[1]}


def node_variables(first: int) -> dict[str, str]:
    """Return the variables that tell the ports of a node's block to Ray."""
    variables = {name: first + place for name, place in SINGLE.items()}
    for names, places in RANGES.items():
        variables |= {name: first + place for name, place in zip(names, places, strict=True)}
    return {name: str(port) for name, port in variables.items()}


def is_free(port: int, *, soon: bool = False) -> bool:
    """Return whether a port is free at all addresses of this machine; `soon` allows for connections that ended just now."""
    with socket.socket() as probe:
        if soon:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _block(port: int, stack: ExitStack) -> int:
    for block in random.SystemRandom().sample(BLOCKS, len(BLOCKS)):
        free = port not in range(block, block + BLOCKS.step) and all(is_free(block + each) for each in SINGLE.values())
        if free and _hold(f"{block}-", stack):
            return block
    raise SetupError(
        f"no block of {BLOCKS.step} ports from {BLOCKS.start} to {BLOCKS.stop - 1} is free for the server's own use"
    )


def _hold(name: str, stack: ExitStack) -> bool:
    """Hold a name until the stack is left; return whether no other process holds it."""
    if sys.platform != "linux":
        return True
    holder = stack.enter_context(socket.socket(socket.AF_UNIX))
    try:
        holder.bind(f"\0facegroup/{name}")
    except OSError:
        return False
    return True


def _number(name: str, environment: Mapping[str, str]) -> int:
    text = environment[name]
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise InvalidSettings(f"{name} is {text!r}, which is not a port number; use 1 to 65535")
    return int(text)


def _check_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise InvalidSettings(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another with FACEGROUP_PORT"
            ) from error
