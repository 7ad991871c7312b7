"""Machines made of Linux namespaces: each has its own network address, processes, /tmp, /dev/shm, home and host name.

A bridge joins them, in a namespace of its own. All namespaces end with the process that made them, however it ends, and
with them every process on the machines: nothing stays behind.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

HOME = "/tmp/home"
_PROGRAMS = ("ip", "unshare", "nsenter", "setpriv", "mount", "hostname")
_WITH_TEST = ("setpriv", "--pdeathsig", "KILL", "--")
_SPACES = ("--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc")
_ALIVE = (
    "trap : TERM INT; while :; do sleep 1000 & wait; done"  # pid 1 of a machine: it also reaps what is orphaned there
)


def needs_machines() -> None:
    """Skip the test, and say why, where no machines can be made. In CI that is a failure."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    reason = f"{', '.join(missing)} not installed (iproute2, util-linux)" if missing else _forbidden()
    if reason:
        reason = f"no machines can be made of namespaces: {reason}"
        pytest.fail(reason) if missing and os.environ.get("CI") else pytest.skip(reason)


def _forbidden() -> str:
    command = ["unshare", *_SPACES, "ip", "link", "add", "type", "veth"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    return made.stderr.strip()


class Machine:
    """One machine.

    Args:
        name: its host name, by which the others know it.
        address: its address.
        network: that it is on.
        folder: outside, for its logs.
        hosts: a file as /etc/hosts.
    """

    def __init__(self, name: str, address: str, network: "Network", folder: Path, hosts: Path) -> None:
        self.name = name
        self.address = address
        self._network = network
        self._folder = folder
        self._hosts = hosts
        self._holder: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []
        self._pid = 0

    def start(self) -> None:
        """Switch it on, with empty disks."""
        setup = (
            f"mount --bind {self._hosts} /etc/hosts && mount -t tmpfs -o mode=1777 tmpfs /tmp && "
            f"mount -t tmpfs -o mode=1777,size=512m tmpfs /dev/shm && mkdir -m 700 {HOME} && "
            f"hostname {self.name} && {_ALIVE}"
        )
        self._holder = _spaces(_SPACES, setup)
        self._pid = _child(self._holder.pid)
        self._network.plug(self.name, self._pid, self.address)
        self.run(f'until test "$(hostname)" = {self.name}; do sleep 0.05; done')

    def begin(self, command: str, log: str, environment: Mapping[str, str]) -> None:
        """Start a command of a shell in the background. Its output goes to a file outside."""
        with (self._folder / f"{self.name}-{log}.log").open("ab") as file:
            started = subprocess.Popen(
                [*self._enter(), "bash", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=self._environment(environment),
            )
        self._started.append(started)

    def run(self, command: str, environment: Mapping[str, str] | None = None, seconds: float = 60) -> str:
        """Run a command of a shell, and return its output. It must end well."""
        done = subprocess.run(
            [*self._enter(), "bash", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env=self._environment(environment or {}),
        )
        assert done.returncode == 0, (
            f"{self.name}: {command}: {done.returncode}\n{done.stdout}{done.stderr}\n{self.logs()}"
        )
        return done.stdout

    def processes(self) -> list[str]:
        """Return the command lines of what runs on it: nothing while it is off."""
        return [] if self._holder is None else self.run("ps -eo args").splitlines()

    def kill(self) -> None:
        """Cut the power: every process ends at once, and what was in memory is lost."""
        if self._holder is not None:
            os.kill(self._pid, signal.SIGKILL)
            self._holder.wait()
            self._holder = None
            while self._started:
                self._started.pop().wait()

    def cut(self) -> None:
        """Pull the network cable."""
        self._network.link(self.name, "down")

    def mend(self) -> None:
        """Plug the network cable in again."""
        self._network.link(self.name, "up")

    def logs(self, size: int = 6000) -> str:
        """Return the ends of its logs."""
        files = sorted(self._folder.glob(f"{self.name}-*.log"))
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')[-size:]}" for file in files)

    def _enter(self) -> list[str]:
        return [*_WITH_TEST, "nsenter", "--target", str(self._pid), "--all", "--wdns=" + os.getcwd(), "--"]

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        place = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": place, "LANG": "C.UTF-8", "HOME": HOME, **more}


class Network:
    """A switch, and a cable from it to where the test runs.

    Args:
        prefix: of its addresses, as 10.77.3.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._holder = _spaces(("--net", "--pid", "--fork"), _ALIVE)
        self._pid = _child(self._holder.pid)
        self._cable = f"fg{os.getpid()}"
        _ip("-n", self._at(), "link", "set", "lo", "up")
        _ip("-n", self._at(), "link", "add", "switch", "type", "bridge")
        _ip("-n", self._at(), "link", "set", "switch", "up")
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", "test", "netns", str(self._pid))
        _ip("-n", self._at(), "link", "set", "test", "master", "switch", "up")
        _ip("address", "add", f"{prefix}.254/24", "dev", self._cable)
        _ip("link", "set", self._cable, "up")

    def plug(self, name: str, pid: int, address: str) -> None:
        """Connect a machine, whose first process has this pid."""
        subprocess.run(["ip", "-n", self._at(), "link", "del", name], capture_output=True, check=False)
        _ip("-n", self._at(), "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        _ip("-n", self._at(), "link", "set", name, "master", "switch", "up")
        for words in (["link", "set", "lo", "up"], ["address", "add", f"{address}/24", "dev", "eth0"]):
            _ip("-n", _namespace(pid), *words)
        _ip("-n", _namespace(pid), "link", "set", "eth0", "up")
        _ip("-n", _namespace(pid), "route", "add", "default", "via", f"{self._prefix}.254")

    def link(self, name: str, state: str) -> None:
        """Set a machine's cable up or down."""
        _ip("-n", self._at(), "link", "set", name, state)

    def close(self) -> None:
        """Remove the switch, and with it all cables."""
        self._holder.kill()
        self._holder.wait()

    def _at(self) -> str:
        return _namespace(self._pid)


@contextmanager
def machines(folder: Path, names: Sequence[str]) -> Iterator[dict[str, Machine]]:
    """Switch machines on, and off afterwards.

    Args:
        folder: for their logs.
        names: of them.
    """
    prefix = f"10.77.{random.SystemRandom().randrange(1, 255)}"
    addresses = {name: f"{prefix}.{number}" for number, name in enumerate(names, 1)}
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{at} {name}\n" for name, at in addresses.items()))
    network = Network(prefix)
    made = {name: Machine(name, at, network, folder, hosts) for name, at in addresses.items()}
    try:
        for machine in made.values():
            machine.start()
        yield made
    finally:
        for machine in made.values():
            machine.kill()
        network.close()


def _spaces(kinds: Sequence[str], command: str) -> "subprocess.Popen[bytes]":
    """Start a command of a shell in namespaces of its own. All in them ends with it, and it ends with this process."""
    return subprocess.Popen(
        [*_WITH_TEST, "unshare", *kinds, "--kill-child", "sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


def _namespace(pid: int) -> str:
    """Return a name of a network namespace that `ip -n` takes: a path from /run/netns."""
    return f"../../proc/{pid}/ns/net"


def _child(pid: int) -> int:
    """Return the only child of a process, which it starts soon."""
    deadline = time.monotonic() + 20
    while True:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        assert time.monotonic() < deadline, "a namespace was not made"
        time.sleep(0.02)
