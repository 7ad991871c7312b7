"""A server that is dead, or cannot start, says so in one line, ends, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from serve.processes import below
from serve.supervision import LOST
from tests.cluster.processes import Processes, all_gone
from tests.cluster.server import Server
from tests.cluster.traffic import NETWORK

SIMULATED = {f"FACEGROUP_{stage}__ENGINE": "simulated" for stage in ("DETECTOR", "EMBEDDER")} | {
    "FACEGROUP_NETWORK": NETWORK
}
COMMAND = Path(sys.executable).with_name("facegroup")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, FACEGROUP_STORE=f"sqlite:///{tmp_path / 'gallery.db'}", **SIMULATED)
    yield server
    server.close()


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("ray::DashboardAgent", signal.SIGKILL),
        ("gcs_server", signal.SIGKILL),
        pytest.param("raylet/raylet", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("raylet/raylet", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("ray::RuntimeEnvAgent", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("log_monitor.py", signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_what_ray_does_not_replace_ends_the_server_which_says_so(
    server: Server, name: str, sent: signal.Signals
) -> None:
    server.start()
    everything = {server.pid, *below(server.pid)}
    # gcs_server's and raylet's command lines hold the names of others, too: the first word is the program.
    (found,) = [pid for pid in Processes(server.pid, name).pids() if name in below(server.pid)[pid].split(" --")[0]]
    os.kill(found, sent)
    assert server.ended(30) == LOST
    all_gone(everything)
    last = server.log().splitlines()[-1]
    assert last.startswith("facegroup: Ray lost ")
    assert name.removeprefix("ray::").partition("/")[0].removesuffix(".py") in last
    assert last.endswith("which nothing replaces: the server ends; start it again (stage_unavailable)")


@pytest.mark.slow
def test_a_server_that_is_killed_while_it_starts_leaves_nothing_behind(server: Server) -> None:
    process = server._process = server._launched()
    deadline = time.monotonic() + 60
    while len(below(process.pid)) < 6:
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.05)
    everything = {server.pid, *below(server.pid)}
    server.kill()
    all_gone(everything)


def refused(tmp_path: Path, *prefix: str, **environment: str) -> tuple[int, list[str]]:
    """Return the exit status and the lines of a server that cannot start, without those before Ray is started."""
    settings = {**SIMULATED, "FACEGROUP_STORE": f"sqlite:///{tmp_path / 'gallery.db'}", **environment}
    passed = {name: value for name, value in os.environ.items() if not name.startswith(("FACEGROUP_", "RAY_"))}
    done = subprocess.run(
        [*prefix, str(COMMAND), "serve"],
        env=passed | settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    return done.returncode, [line for line in lines if not line.startswith(("starting: ", "["))]


@pytest.mark.parametrize("there", ["a file in its way", "a folder where nothing can be made"])
def test_a_store_that_cannot_be_written_is_told_before_ray_starts(tmp_path: Path, there: str) -> None:
    path = tmp_path / "gallery.db" / "gallery.db" if there.endswith("way") else Path("/proc/none/gallery.db")
    (tmp_path / "gallery.db").write_text("not a folder")
    status, lines = refused(tmp_path, FACEGROUP_STORE=f"sqlite:///{path}")
    assert (status, len(lines)) == (2, 1), lines
    assert lines[0].startswith(f"facegroup: {path}")
    assert lines[0].endswith("(store_invalid)")


def test_too_few_files_are_one_line(tmp_path: Path) -> None:
    status, lines = refused(tmp_path, "sh", "-c", 'ulimit -n 100; exec "$0" "$@"')
    assert (status, len(lines)) == (2, 1), lines
    assert "may open 100 files" in lines[0]


@pytest.mark.slow
@pytest.mark.parametrize("program", ["raylet/raylet", "dashboard/agent.py"])
def test_a_machine_that_is_slow_is_waited_for(server: Server, program: str) -> None:
    """Ray's raylet, or its agent, stands still for longer than Ray waits for it by itself."""

    def stand_still() -> None:
        found: list[int] = []
        while not found:
            time.sleep(0.02)
            processes = {} if server._process is None else below(server.pid)
            found = [pid for pid, line in processes.items() if program in line.split(" --")[0]]
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(40)
                os.kill(pid, signal.SIGCONT)

    slowing = threading.Thread(target=stand_still)
    slowing.start()
    server.start()
    slowing.join()
    if program == "raylet/raylet":  # for its agent nobody waits
        assert "still starting after 45 seconds: the load is" in server.log()
