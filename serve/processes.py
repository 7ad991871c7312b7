"""Finds, watches and ends the processes of a server on this machine, all below the one that was started."""

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def below(pid: int) -> dict[int, str]:
    """Return the pid and command line of each process that descends from one."""
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile, perhaps between the two
        parents[int(folder.name)], lines[int(folder.name)] = parent, line
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {child: lines[child] for child in found - {pid}}


def alive(pid: int) -> bool:
    """Return whether a process runs. A zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def adopt() -> None:
    """Make this process the parent of orphans below it, so that `below` still finds them."""
    with suppress(OSError, AttributeError):  # not Linux
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end(pids: Iterable[int], seconds: float = 5.0, by: signal.Signals = signal.SIGKILL) -> None:
    """Send processes a signal, and wait until they are gone, `seconds` at most."""
    pids = set(pids)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, by)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(map(alive, pids)):
        time.sleep(0.02)


def end_all() -> None:
    """Kill all processes below this one, in rounds: they may start others meanwhile."""
    for _ in range(5):
        if not (left := [pid for pid in below(os.getpid()) if alive(pid)]):
            return
        end(left)
