"""A real `facegroup serve` in a process of its own, on a free port: started, asked to end, or killed."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from facegroup.client import Client
from facegroup.remote.authorities import trusting
from serve.processes import below

RAY_DEFAULTS = {"RAY_SERVE_ENABLE_HA_PROXY": "0", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "0"}
"""Ray Serve as it comes: its own proxy, actor calls between replicas."""


class Server:
    """One server and its log.

    Args:
        folder: for the log.
        ca: authority that signed its certificate; None: it speaks plain HTTP.
        settings: `FACEGROUP_…` and Ray's variables, beside those of this process.
    """

    def __init__(self, folder: Path, ca: Path | None = None, /, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.ca = ca
        self.url = f"{'http' if ca is None else 'https'}://127.0.0.1:{port}"
        self._log = folder / "server.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("FACEGROUP_", "RAY_"))},
            "FACEGROUP_PORT": str(port),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it is ready."""
        self._process = self._launched()
        deadline = time.monotonic() + 150
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log()}")
            time.sleep(0.2)

    def refused(self) -> int:
        """Return its exit status; it must end by itself instead of getting ready."""
        return self._launched().wait(120)

    def ended(self, seconds: float = 60) -> int:
        """Return its exit status; it must end by itself."""
        assert self._process is not None
        status = self._process.wait(seconds)
        self._process = None
        return status

    def setting(self, name: str) -> str:
        """Return a variable that it is started with."""
        return self._environment[name]

    def change(self, **settings: str) -> None:
        """Let it have other settings when it is started next."""
        self._environment.update(settings)

    def stop(self) -> int:
        """Ask it to end; return its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(60)
        self._process = None
        return status

    def kill(self) -> None:
        """End it as a crash would; return when its port is free again."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None
        deadline = time.monotonic() + 60
        while self._listens():
            assert time.monotonic() < deadline, "something of the killed server goes on listening"
            time.sleep(0.2)

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        assert self._process is not None
        return self._process.pid

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None:
            self.stop()

    def client(self) -> Client:
        """Return a client of it."""
        return Client(self.url, ca=self.ca)

    def log(self) -> str:
        """Return what it has printed."""
        return self._log.read_text(errors="replace")

    def _launched(self) -> "subprocess.Popen[bytes]":
        command = [str(Path(sys.executable).with_name("facegroup")), "serve"]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False, verify=trusting(self.ca)).is_success
        except httpx.TransportError:
            return False

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.url.rpartition(":")[2]))) == 0


def listening(server: Server) -> list[str]:
    """Return the addresses at which the processes of a server listen for TCP."""
    processes = {str(pid) for pid in below(server.pid)} | {str(server.pid)}
    told = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[3] for line in told if processes & set(re.findall(r"pid=(\d+)", line))]
