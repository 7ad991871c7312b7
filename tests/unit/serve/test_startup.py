"""What Ray's refusals to start become: one line that says what to do."""

import errno
import socket

import pytest

from facegroup.errors import FacegroupError, SetupError, StageUnavailable
from serve import startup
from serve.startup import _free_ports, _patched, _telling_raylet, deployment_error, start_error

LONG = "/a" * 60
TOO_LONG = OSError(f"validate_socket_filename failed: AF_UNIX path length cannot exceed 107 bytes: {LONG}")


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (TOO_LONG, SetupError, f"the path of its socket is too long ({LONG}); choose a shorter THERE"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/ray"), SetupError, "/x/ray: Permission denied; choose"),
        (
            FileExistsError(errno.EEXIST, "File exists", "/x/ray"),
            SetupError,
            "/x/ray: File exists; choose another THERE",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), SetupError, "/x: No space left on device; choose"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), SetupError, "/x: Read-only file system; choose another"),
        (OSError(errno.EMFILE, "Too many open files", "/x"), SetupError, "/x: Too many open files"),
        (
            RuntimeError("Failed to start GCS.\n  Last 3 lines\nmore"),
            SetupError,
            "Failed to start GCS. Last 3 lines more",
        ),
        (Exception("The current node timed out during startup. This could"), StageUnavailable, "within 300 seconds"),
        (TimeoutError(), StageUnavailable, "within 300 seconds: the load is"),
        (ChildProcessError("one of its processes ended with status 1"), SetupError, "a busy machine (the load is"),
        (SystemExit(1), SetupError, "Ray cannot start: 1"),
        (ImportError("no module named _raylet"), SetupError, "Ray cannot start: no module named _raylet"),
    ],
)
def test_what_ray_refuses_is_one_line(raised: BaseException, kind: type[FacegroupError], said: str) -> None:
    error = start_error(raised, 300, "THERE")
    assert type(error) is kind
    assert said in error.detail
    assert "\n" not in error.detail
    assert len(error.detail) < 500


def test_what_serve_refuses_is_one_line() -> None:
    known = SetupError("known")
    assert deployment_error(known) is known
    error = deployment_error(RuntimeError("Traceback (most recent call last):\n  File x\nValueError: no route"))
    assert "\n" not in error.detail
    assert error.detail.endswith("ValueError: no route")


def test_the_servers_own_port_is_given_to_no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as used, socket.socket() as free:
        for each in (used, free):
            each.bind(("", 0))
        busy, own = used.getsockname()[1], free.getsockname()[1]
        free.close()
        monkeypatch.setattr(startup, "_AGENT_PORTS", (busy, own))
        assert list(_free_ports(own)) == []
        assert list(_free_ports(1)) == [own]


@pytest.mark.parametrize(
    ("part", "told"), [("raylet", ["--dashboard_agent_listen_port=10007"]), ("gcs_server", []), ("log_monitor", [])]
)
def test_raylet_is_told_the_port_of_its_agent(part: str, told: list[str]) -> None:
    started: list[tuple[list[str], str, dict[str, bool]]] = []
    start = _telling_raylet(lambda command, part, **named: started.append((command, part, named)), ())
    command = [part, "--dashboard_agent_command=python agent.py --grpc-port=1 --listen-port=10007 --x=2"]
    start(command, part, fate_share=True)
    assert started == [([*command, *told], part, {"fate_share": True})]


def test_workers_end_with_raylet() -> None:
    started: list[list[str]] = []
    start = _telling_raylet(lambda command, part: started.append(command), ("setpriv", "--pdeathsig", "KILL", "--"))
    start(["raylet", "--python_worker_command=python worker.py --x=2"], "raylet")
    assert started == [["raylet", "--python_worker_command=setpriv --pdeathsig KILL -- python worker.py --x=2"]]


def test_ray_is_as_it_was_after_its_start() -> None:
    from ray._private import services
    from ray._private.node import Node

    def functions() -> list[object]:
        return [Node.__init__, Node.start_monitor, services.start_ray_process, services.get_node]

    before = functions()
    with _patched(0.0, 8000):
        assert all(now is not old for now, old in zip(functions(), before, strict=True))
    assert functions() == before
