"""The processes of a server: found by what they are called below the one that was started, and killed as a crash would."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from serve.processes import alive, below

REPLICA = "ray::ServeReplica:facegroup:"


class Processes:
    """The processes below one, of one name.

    Args:
        root: pid of the server.
        name: what is in their command line.
    """

    def __init__(self, root: int, name: str) -> None:
        self._root = root
        self._name = name

    def pids(self) -> set[int]:
        """Return those that run now."""
        return {pid for pid, line in below(self._root).items() if self._name in line}

    def at_work(self) -> int:
        """Return how many have come so far that they can work: while an actor is made, its title tells."""
        return sum(self._name in line and "initialize" not in line for line in below(self._root).values())

    def youngest(self) -> float:
        """Return for how many seconds the one that was started last has run."""
        up = float(Path("/proc/uptime").read_text().split()[0])
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids()]
        return min(up - int(words[19]) / os.sysconf("SC_CLK_TCK") for words in stats)

    def kill_one(self) -> set[int]:
        """End one of them at once; return those that ran before."""
        return self._kill(1)

    def stop_one(self) -> set[int]:
        """Make one of them hang; return those that ran before."""
        before = self.pids()
        os.kill(min(before), signal.SIGSTOP)
        return before

    def kill_all(self) -> set[int]:
        """End all of them at once; return those that ran before."""
        return self._kill(None)

    def _kill(self, count: int | None) -> set[int]:
        before = self.pids()
        assert before, f"there is no process {self._name}"
        for pid in sorted(before)[:count]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return before

    def wait_for_another(self, before: set[int], seconds: float = 60) -> float:
        """Return after how many seconds there is a new one."""
        start = time.monotonic()
        while not self.pids() - before:
            assert time.monotonic() < start + seconds, f"no {self._name} came in the place of the one that was killed"
            time.sleep(0.05)
        return time.monotonic() - start


def all_gone(pids: set[int]) -> None:
    """Wait until none of them runs."""
    deadline = time.monotonic() + 20
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < deadline, [below(1).get(pid) for pid in left]
        time.sleep(0.1)
