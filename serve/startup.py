"""Starts Ray on this machine. It waits where the machine is busy, and tells in one line why Ray cannot start."""

import errno
import os
import random
import re
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import typer

from facegroup.errors import FacegroupError, SetupError, StageUnavailable
from serve.ports import is_free
from serve.processes import end_all

_SLOW_SECONDS = 45.0
_UNWRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
_FILES = 8192  # as Ray recommends
_LEAST_FILES = 512
_PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
_AGENT_PORTS = range(10_000, 20_000)
_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
"""Starts a command so that it ends with the process that starts it."""
_MODULES = "--modules-to-load=ServeHead"
"""What a head's dashboard does: it takes deployments. Each of its other parts is a process that nobody here asks."""
_AGENTS = ("dashboard_agent", "runtime_env_agent")


def start_ray(seconds: float, folder: str, port: int, **options: Any) -> None:
    """Start Ray's own processes, and connect to them.

    Args:
        seconds: how long that may take.
        folder: how the operator chooses another folder for Ray's files.
        port: of the server, which is not listened on yet and is not to be one of Ray's.
        options: of `ray.init`.

    Raises:
        SetupError: Ray cannot be started here.
        StageUnavailable: it did not start in time.
    """
    _raise_open_files()
    try:
        import ray

        with _patched(time.monotonic() + seconds, port):
            ray.init(address="local", **options)
    except (Exception, SystemExit) as error:
        end_all()
        raise start_error(error, seconds, folder) from None


def start_node(seconds: float, folder: str, *, head: bool, **parameters: Any) -> Any:
    """Start Ray's own processes of a cluster's node, and return Ray's object of them. Nothing is connected to them.

    Args:
        seconds: how long that may take.
        folder: how the operator chooses another folder for Ray's files.
        head: whether it is the cluster's head, which has a dashboard, too: `serve deploy` talks to it.
        parameters: of Ray's `RayParams`.

    Raises:
        SetupError: Ray cannot be started here.
        StageUnavailable: it did not start in time.
    """
    _raise_open_files()
    try:
        from ray._private.node import Node
        from ray._private.parameter import RayParams

        with _patched(time.monotonic() + seconds, None):
            return Node(RayParams(**parameters), head=head, shutdown_at_exit=False, spawn_reaper=True)
    except (Exception, SystemExit) as error:
        end_all()
        raise start_error(error, seconds, folder) from None


def start_error(error: BaseException, seconds: float, folder: str) -> FacegroupError:
    """Return an error that tells in one line why Ray did not start, and what to do.

    Args:
        error: what Ray raised.
        seconds: how long the start could take.
        folder: how the operator chooses another folder for Ray's files.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    if "AF_UNIX" in text:
        path = text.rpartition(": ")[2]
        return SetupError(f"Ray cannot start: the path of its socket is too long ({path}); choose a shorter {folder}")
    if isinstance(error, OSError) and error.filename:
        why = f"{error.filename}: {error.strerror}"
        choose = f"; choose another {folder}" if error.errno in (*_UNWRITABLE, errno.ENOSPC) else ""
        return SetupError(f"Ray cannot start: {why}{choose}")
    if "timed out" in text.lower() or isinstance(error, TimeoutError):
        return StageUnavailable(f"Ray did not start within {seconds:g} seconds: {busy()}; {text[:200]}")
    if isinstance(error, ChildProcessError):
        text += f"; common reasons are a full disk (choose another {folder}) and a busy machine ({busy()})"
    return SetupError(f"Ray cannot start: {text[:300]}")


def busy() -> str:
    """Return how busy the machine is, for a message."""
    return f"the load is {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"


def slow_start_warning() -> threading.Timer:
    """Start a timer that prints that the start takes long, and why. Cancel it when the server is ready."""

    def say() -> None:
        typer.echo(f"still starting after {_SLOW_SECONDS:g} seconds: {busy()}", err=True)

    timer = threading.Timer(_SLOW_SECONDS, say)
    timer.daemon = True
    timer.start()
    return timer


def deployment_error(error: BaseException) -> FacegroupError:
    """Return an error of the process that deploys as one whose message is one line."""
    if isinstance(error, FacegroupError):
        return error
    text = (str(error).strip() or type(error).__name__).splitlines()[-1]
    return StageUnavailable(f"the server cannot start ({busy()}): {text[:300]}")


def _raise_open_files() -> None:
    """Let this process and its children open as many files as Ray needs: with a few dozen, Ray hangs at its start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < _LEAST_FILES:
        raise SetupError(
            f"a process may open {wanted} files, and the server needs {_LEAST_FILES}: `ulimit -n {_FILES}`"
        )


@contextmanager
def _patched(deadline: float, port: int | None) -> Iterator[None]:
    """Change what Ray has no setting for, as long as it starts: another server may follow in this process.

    The node is waited for until `deadline`, not for 30 seconds. Raylet is told its agent's port: it aborts if it must wait
    for one for more than 15 seconds. Agents and workers end with the process that started them: otherwise they live for
    another minute when all else was killed.

    Where `port` is that of a server on this machine only, Ray's autoscaler and a dashboard that shows nothing are not
    started (together 130 MB, 4 seconds of processor time, and 3 that everything else waits), and the agents have free ports.
    """
    from ray._private import services
    from ray._private.node import Node

    prefix = _WITH_PARENT if shutil.which(_WITH_PARENT[0]) else ()
    alone: list[tuple[object, str, Callable[[Any], Any]]] = [
        (Node, "start_monitor", lambda _: _nothing),
        (Node, "start_api_server", lambda _: _nothing),
        (Node, "__init__", lambda start: _with_ports(start, port or 0)),
    ]
    changes = [
        *(alone if port is not None else ()),
        (services, "start_ray_process", lambda start: _telling_raylet(start, prefix)),
        (services, "get_node", lambda get: _waiting(get, deadline)),
        (services, "_build_python_executable_command_memory_profileable", lambda get: _ending_with_parent(get, prefix)),
    ]
    with ExitStack() as stack:
        for owner, name, change in changes:
            before = getattr(owner, name)
            stack.callback(setattr, owner, name, before)
            setattr(owner, name, change(before))
        yield


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""


def _with_ports(start: Callable[..., None], taken: int) -> Callable[..., None]:
    """Return a node's constructor that gives its agents free ports, but not `taken`."""

    def wrapped(node: Any, ray_params: Any, *arguments: Any, **named: Any) -> None:
        for name, port in zip(_PORTS, _free_ports(taken), strict=False):
            setattr(ray_params, name, port)
        start(node, ray_params, *arguments, **named)

    return wrapped


def _telling_raylet(start: Callable[..., Any], prefix: Sequence[str]) -> Callable[..., Any]:
    """Return Ray's function that starts its processes, made to tell raylet what Ray does not, and to start less.

    That is the port that Ray tells only to the agent, and the prefix of the workers' command: a worker that has not reached
    raylet yet would outlive it.
    """
    option = "--python_worker_command="

    def wrapped(command: list[str], part: str, **named: Any) -> Any:
        if part == "dashboard":
            command = [*command, _MODULES]
        agent = re.search(r"--listen-port=(\d+)", " ".join(command)) if part == "raylet" else None
        more = [f"--dashboard_agent_listen_port={agent[1]}"] if agent else []
        command = [each.replace(option, option + "".join(f"{word} " for word in prefix), 1) for each in command]
        return start([*command, *more], part, **named)

    return wrapped


def _free_ports(taken: int) -> Iterator[int]:
    """Return ports that nobody listens on, neither a block of serve.ports nor what the system gives to connections."""
    for port in random.SystemRandom().sample(_AGENT_PORTS, min(1000, len(_AGENT_PORTS))):
        if port != taken and is_free(port):
            yield port


def _waiting(get_node: Callable[..., Any], deadline: float) -> Callable[..., Any]:
    """Return Ray's function that raises while a node is not there, made to wait for it."""

    def wait(*arguments: Any) -> Any:
        while True:
            try:
                return get_node(*arguments)
            except RuntimeError:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is not None:
                    raise ChildProcessError(f"one of its processes ended with status {ended.si_status}") from None
                if time.monotonic() > deadline:
                    raise TimeoutError("the node timed out") from None
                time.sleep(0.1)

    return wait


def _ending_with_parent(command: Callable[..., list[str]], prefix: Sequence[str]) -> Callable[..., list[str]]:
    """Return Ray's function that says how a part is started, made to start agents so that they end with their parent."""

    def wrapped(part: str, *arguments: Any, **named: Any) -> list[str]:
        found = command(part, *arguments, **named)
        return [*prefix, *found] if part in _AGENTS else found

    return wrapped
