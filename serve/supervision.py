"""Watches the processes that Ray does not replace. If one of them dies, the server ends and says which.

Ray replaces replicas, Serve's controller, its proxies and HAProxy, but not its own processes. Without them a server may go
on answering, but it replaces nothing that dies, and takes minutes to end.
"""

import os
import select
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from serve.processes import below, end_all

LOST = 75
"""Exit status that tells a supervisor to start the server again (EX_TEMPFAIL of sysexits.h)."""

_TOGETHER_SECONDS = 0.2
"""Within which one that ends takes others with it."""

_AGENTS = {
    "DashboardAgent": ("ray::DashboardAgent", "dashboard/agent.py"),
    "RuntimeEnvAgent": ("ray::RuntimeEnvAgent", "runtime_env/agent/main.py"),
}
"""Ray's agents and their command lines, after and before they set a title."""


def irreplaceable(node: Any = None) -> dict[int, str]:
    """Return the pid and name of each of Ray's own processes below this one.

    Args:
        node: Ray's object of them; if None, the one that this process is connected to.
    """
    if node is None:
        import ray

        node = ray._private.worker._global_node
        assert node is not None
    found = {each.process.pid: str(kind) for kind, group in node.all_processes.items() for each in group}
    others = {
        pid: line for pid, line in below(os.getpid()).items() if pid not in found
    }  # raylet's tells how to start them
    for pid, line in others.items():
        found.update((pid, name) for name, marks in _AGENTS.items() if any(mark in line for mark in marks))
    return found


class Supervision:
    """Class that ends this process and all below it, with one line and the status `LOST`, when a watched one dies.

    Args:
        names: of the processes to watch, by pid.
    """

    def __init__(self, names: dict[int, str]) -> None:
        self._stopped = False
        self._poll = select.poll()
        self._names: dict[int, str] = {}
        for pid, name in names.items():
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                self._end([name])
            self._poll.register(descriptor, select.POLLIN)
            self._names[descriptor] = name
        threading.Thread(target=self._wait, name="supervision", daemon=True).start()

    def stop(self) -> None:
        """Stop watching: the processes may end now."""
        self._stopped = True

    def _wait(self) -> None:
        self._poll.poll()
        time.sleep(_TOGETHER_SECONDS)  # raylet ends its agent first: both are named then
        gone = self._poll.poll(0)
        if not self._stopped:
            self._end([self._names[descriptor] for descriptor, _ in gone])

    def _end(self, lost: list[str]) -> None:
        end_all()
        say = f"Ray lost {' and '.join(lost)}, which nothing replaces: the server ends; start it again"
        with suppress(OSError):
            print(f"facegroup: {say} (stage_unavailable)", file=sys.stderr, flush=True)
        # Not sys.exit: another thread, or Ray's exit handler, may wait for the lost process.
        os._exit(LOST)
