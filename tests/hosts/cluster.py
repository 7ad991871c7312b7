"""A cluster on machines made of namespaces, started by the commands of docs/deployment.md, to the letter."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.hosts.machines import HOME, Machine, machines

ROOT = Path(__file__).parents[2]
PATIENCE = 400.0
"""Seconds to wait for whatever comes by itself, on a busy machine. No test says how long anything takes."""

STAGES = {"ingress": "Ingress", "detector": "Detector", "embedder": "Embedder", "matcher": "GalleryActor"}
"""Stages by the names of their settings, and the names of their replicas."""

_STORE, _STATE = 6379, 6390
_AGAIN = "while :; do {command}; status=$?; case $status in 0|2) exit $status;; esac; sleep 1; done"
"""What facegroup-node.service does: it starts the node again, unless it was asked to end or somebody must act."""


def commands() -> list[str]:
    """Return the commands of docs/deployment.md that start a cluster, without comments."""
    section = (ROOT / "docs" / "deployment.md").read_text().partition("## Many machines")[2]
    (block, *_) = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    return [line for line in block.splitlines() if line.strip() and not line.startswith("#")]


class Cluster:
    """A head, workers, and a machine with two Redis: the galleries', and one for the head's own state.

    Args:
        made: the machines by name; `first` is the head, `redis` has Redis, all others are workers.
        options: whether the head keeps its state in Redis (`kept`), and whether it has replicas (`served`).
    """

    def __init__(self, made: dict[str, Machine], *, kept: bool = False, served: bool = True) -> None:
        self.machines = made
        self.head = made["first"]
        self.workers = [machine for name, machine in made.items() if name not in ("first", "redis")]
        self._kept, self._served = kept, served
        self.key = ""
        self._token = ""
        self._head_command, self._copy_command, self._join_command, self._deploy_command = commands()

    def start(self) -> None:
        """Start everything but the server itself."""
        self.start_redis()
        self.start_head()
        for worker in self.workers:
            self.start_worker(worker)
        for worker in self.workers:
            self.wait_for_log(worker, "has joined")

    def start_redis(self) -> None:
        """Start both, or the one that does not run, with the data that is there."""
        at = self.machines["redis"]
        for port in (_STORE, _STATE):
            if any(f":{port}" in line for line in at.processes()):
                continue
            disk = f"--dir /tmp/{port} --save '' --appendonly yes --appendfsync always"
            at.begin(
                f"mkdir -p /tmp/{port} && exec redis-server --bind {at.address} --port {port} --protected-mode no {disk}",
                "redis",
                {},
            )
            until(lambda port=port: self._redis_answers(port), "Redis")  # type: ignore[misc]

    def redis(self) -> "redis.Redis":
        """Return a client of the galleries' Redis, to close."""
        return redis.Redis(self.machines["redis"].address, _STORE, socket_timeout=5)

    def start_head(self) -> None:
        """Start the head, and return when it is ready."""
        more = {"FACEGROUP_NODE__REDIS": f"redis://redis:{_STATE}"} if self._kept else {}
        command = self._head_command + ("" if self._served else " --cpus 0")
        if self._token:
            self._put_token(self.head)
        self.head.begin(_AGAIN.format(command=command), "node", {**_environment(), **more})
        self.wait_for_log(self.head, "the head is")
        self._token = self.head.run("cat ~/.ray/auth_token")

    def start_worker(self, worker: Machine) -> None:
        """Start a worker, which joins soon."""
        assert "scp -p first:.ray/auth_token ~/.ray/" in self._copy_command  # there is no ssh between the machines
        self._put_token(worker)
        worker.begin(_AGAIN.format(command=self._join_command), "node", _environment())

    def deploy(self, config: dict[str, Any]) -> None:
        """Deploy, and return when all processes run."""
        folder = self.head
        folder.run(f"mkdir -p /tmp/serve && cat > /tmp/serve/cluster.yaml <<'END'\n{yaml.safe_dump(config)}\nEND")
        folder.run(f"cd /tmp && {self._deploy_command}", _environment(), PATIENCE)
        self.key = self.key or folder.run("cat ~/admin.key").strip()

    def url(self, machine: Machine) -> str:
        """Return the address of a machine's HTTP server."""
        return f"http://{machine.address}:8000"

    def client(self, machine: Machine) -> httpx.Client:
        """Return a client of a machine's HTTP server, with the admin key."""
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url(machine), headers=headers, timeout=90, trust_env=False)

    def wait_until_ready(self, *at: Machine) -> None:
        """Return when the HTTP servers of these machines answer that all is well."""
        for machine in at:
            until(lambda machine=machine: self._is_ready(machine), f"the server on {machine.name}")  # type: ignore[misc]

    def wait_for_log(self, machine: Machine, words: str, times: int = 1) -> None:
        """Return when a machine's log has some words as often as that."""
        until(lambda: machine.logs(1 << 30).count(words) >= times, f"{words!r} on {machine.name}")

    def replicas(self) -> dict[str, list[str]]:
        """Return the machines on which each stage has replicas."""
        found: dict[str, list[str]] = {name: [] for name in STAGES.values()}
        for machine in (self.head, *self.workers):
            for line in machine.processes():
                for stage, at in found.items():
                    if f"ray::ServeReplica:facegroup:{stage}" in line:
                        at.append(machine.name)
        return found

    def serves(self) -> bool:
        """Return whether Serve's controller runs, on whichever machine."""
        return any("ray::ServeController" in line for each in (self.head, *self.workers) for line in each.processes())

    def _is_ready(self, machine: Machine) -> bool:
        try:
            with self.client(machine) as client:
                return client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _redis_answers(self, port: int) -> bool:
        with redis.Redis(self.machines["redis"].address, port, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def _put_token(self, machine: Machine) -> None:
        machine.run(f"umask 077 && mkdir -p ~/.ray && printf %s {self._token} > ~/.ray/auth_token")


@contextmanager
def cluster(folder: Path, workers: Sequence[str], *, kept: bool = False, served: bool = True) -> Iterator[Cluster]:
    """Start a cluster, and end it."""
    with machines(folder, ["first", *workers, "redis"]) as made:
        running = Cluster(made, kept=kept, served=served)
        try:
            running.start()
            yield running
        except BaseException:
            print("\n".join(machine.logs() for machine in made.values()))
            raise


def config(replicas: int, per_machine: int = 1, **settings: Any) -> dict[str, Any]:
    """Return serve/cluster.yaml for two cores and simulated devices, with so many replicas of each stage."""
    whole: dict[str, Any] = yaml.safe_load((ROOT / "serve" / "cluster.yaml").read_text())
    (application,) = whole["applications"]
    given = application["args"]
    for stage in STAGES:
        given[stage] = {"replicas": replicas, "per_machine": per_machine, "num_cpus": 0.1}
    for stage in ("detector", "embedder"):
        given[stage].update(engine="simulated", threads=1)
    given |= {
        "network": "retail-0095",
        "access": {"first_key": f"{HOME}/admin.key"},
        "cameras": {"enabled": False},
        **settings,
    }
    return whole


def until(true: Callable[[], object], what: str, seconds: float = PATIENCE) -> float:
    """Wait until something is true, and return after how many seconds it was."""
    start = time.monotonic()
    while True:
        if true():
            return time.monotonic() - start
        assert time.monotonic() < start + seconds, f"{what} did not come"
        time.sleep(0.2)


def _environment() -> dict[str, str]:
    return {"FACEGROUP_NODE__CPUS": "4", "OMP_NUM_THREADS": "1"}
