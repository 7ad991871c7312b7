"""Two nodes of Ray: replicas are kept apart, near ones are called, and far ones where near ones hang."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cluster.deployed import Deployed
from tests.cluster.processes import REPLICA, Processes
from tests.cluster.traffic import NETWORK, photo
from tests.conftest import RedisProcess

PEOPLE = {"ann": 11, "bo": 22, "cy": 33}
SILENT = "does not answer"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, redis_process: RedisProcess) -> Iterator[tuple[Deployed, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("nodes")
    others = {name: value for name, value in os.environ.items() if not name.startswith(("FACEGROUP_", "RAY_"))}
    cluster = Deployed(folder, {**others, "FACEGROUP_PORT": str(port)}, nodes=2)
    apart = {"engine": "simulated", "replicas": 2, "per_machine": 1}
    try:
        cluster.deploy(
            network=NETWORK,
            store=redis_process.emptied(),
            access={"mode": "open"},
            detector=apart,
            embedder=apart,
            cameras={"enabled": False},
        )
        yield cluster, f"http://127.0.0.1:{port}"
    finally:
        cluster.close()


@pytest.fixture
def client(cluster: tuple[Deployed, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cluster[1], trust_env=False, timeout=90) as client:
        yield client


def parent(pid: int) -> int:
    """Return the process that started one: the raylet of its node."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def near_and_far(cluster: Deployed, stage: str) -> tuple[int, int]:
    """Return the replica of a stage on the ingress' node, and the other one."""
    (ingress,) = Processes(cluster.pid, f"{REPLICA}Ingress").pids()
    found = {parent(pid) == parent(ingress): pid for pid in Processes(cluster.pid, f"{REPLICA}{stage}").pids()}
    assert len(found) == 2, "both are on one node"
    return found[True], found[False]


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def identified(client: httpx.Client, times: int) -> None:
    for _ in range(times):
        answer = client.post("/v1/galleries/g/identify", files=[("photos", photo(kind, 0)) for kind in PEOPLE.values()])
        assert answer.status_code == 200, answer.text
        assert [face["name"] for image in answer.json()["images"] for face in image["faces"]] == list(PEOPLE)


@pytest.mark.slow
def test_near_replicas_are_called_and_far_ones_where_near_ones_hang(
    cluster: tuple[Deployed, str], client: httpx.Client
) -> None:
    client.put("/v1/galleries/g").raise_for_status()
    for person, kind in PEOPLE.items():
        client.post("/v1/galleries/g/people", json={"name": person, "id": person}).raise_for_status()
        files = [("photos", photo(kind, 0))]
        client.post(f"/v1/galleries/g/people/{person}/photos", files=files).raise_for_status()
    near, far = zip(*(near_and_far(cluster[0], stage) for stage in ("Detector", "Embedder")), strict=True)
    with stopped(*far):
        identified(client, 20)
    assert SILENT not in cluster[0].log(), "a far replica was called"
    with stopped(near[1]):
        identified(client, 20)
    assert SILENT in cluster[0].log()
    with stopped(near[0]):
        identified(client, 20)
    identified(client, 20)
