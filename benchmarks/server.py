"""Run a real `facegroup serve` on a free port of this machine for measuring."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.processes import MARK, cpu_seconds

_START_SECONDS = 240
_COUNTS = {
    "facegroup_batch_items_count": "batches",
    "facegroup_batch_items_sum": "items",
    "facegroup_cost_total": "cost",
    "facegroup_work_seconds_total": "seconds",
}


class Server:
    """Class for one server process.

    Args:
        folder: folder for its log and its gallery.
        settings: `FACEGROUP_…` variables; it gets no others.

    Attributes:
        url: its URL.
        mark: mark of its processes, for processes.py.
        ready_seconds: seconds from its start to the first good answer of /readyz.
        ready_cpu: CPU seconds of all its processes until then.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.mark = secrets.token_hex(8)
        self.ready_seconds = self.ready_cpu = 0.0
        self._log = folder / "server.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("FACEGROUP_", "RAY_"))},
            "FACEGROUP_PORT": str(port),
            "FACEGROUP_STORE": f"sqlite:///{folder / f'{self.mark}.db'}",
            MARK: self.mark,
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it; return when it is ready."""
        begun = time.monotonic()
        with self._log.open("ab") as log:
            command = [str(Path(sys.executable).with_name("facegroup")), "serve"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() - begun > _START_SECONDS:
                log_text = self._log.read_text(errors="replace")
                self._stop()
                raise RuntimeError(f"the server did not start:\n{log_text[-3000:]}")
            time.sleep(0.05)
        self.ready_seconds = time.monotonic() - begun
        self.ready_cpu = sum(cpu_seconds(self.mark).values())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def about(self) -> dict[str, Any]:
        """Return the answer of /readyz."""
        answer: dict[str, Any] = httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).json()
        return answer

    def counters(self) -> dict[str, float]:
        """Return what facegroup's queues count, as `QUEUE_WHAT`, each added up over all replicas."""
        text = httpx.get(f"{self.url}/metrics", timeout=10, trust_env=False).text
        total: dict[str, float] = {}
        for each in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
            if each.name in _COUNTS:
                name = f"{each.labels['queue']}_{_COUNTS[each.name]}"
                total[name] = total.get(name, 0.0) + each.value
        return total

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
