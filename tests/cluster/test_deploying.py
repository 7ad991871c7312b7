"""`serve deploy` with a change restarts only the stages that the change is for, and no request fails meanwhile."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from serve.processes import below
from tests.cluster.deployed import Deployed
from tests.cluster.processes import REPLICA, Processes
from tests.cluster.traffic import NETWORK, photo

STAGES = ("Ingress", "Detector", "Embedder", "GalleryActor")


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {
        "network": NETWORK,
        "store": f"sqlite:///{tmp_path_factory.mktemp('store') / 'gallery.db'}",
        "access": {"mode": "open"},
        "detector": {"engine": "simulated"},
        "embedder": {"engine": "simulated"},
    }


@pytest.fixture(scope="module")
def cluster(arguments: dict[str, Any], port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    others = {name: value for name, value in os.environ.items() if not name.startswith(("FACEGROUP_", "RAY_"))}
    cluster = Deployed(tmp_path_factory.mktemp("cluster"), {**others, "FACEGROUP_PORT": str(port)})
    try:
        cluster.deploy(**arguments)
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def client(cluster: Deployed, port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=90) as client:
        deadline = time.monotonic() + 120
        while not _is_ready(client):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield client


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def asked_all_the_time(port: int) -> Iterator[None]:
    """Identify again and again, and fail if it failed once."""
    stop, wrong = threading.Event(), list[str]()
    answered, longest = 0, 0.0

    def ask() -> None:
        nonlocal answered, longest
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=90) as client:
            while not stop.is_set():
                asked = time.monotonic()
                try:
                    answer = client.post("/v1/galleries/default/identify", files=[("photos", photo(7, answered))])
                    if answer.status_code != 200:
                        wrong.append(answer.text)
                except httpx.TransportError as error:
                    wrong.append(repr(error))
                answered, longest = answered + 1, max(longest, time.monotonic() - asked)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    print(f"\n{answered} requests, {len(wrong)} failed, longest {longest:.1f} s", end="")
    assert wrong == []
    assert answered > 0


def pids(cluster: Deployed) -> dict[str, set[int]]:
    """Return the processes of each stage, without those that have just ended."""
    return {stage: Processes(cluster.pid, f"{REPLICA}{stage}").pids() for stage in STAGES}


def settled(cluster: Deployed) -> dict[str, set[int]]:
    """Return the processes of each stage when there is one of each."""
    deadline = time.monotonic() + 120
    now = pids(cluster)
    while any(len(found) != 1 for found in now.values()):
        assert time.monotonic() < deadline, (now, below(cluster.pid))
        time.sleep(0.5)
        now = pids(cluster)
    return now


def test_another_threshold_restarts_nothing(
    cluster: Deployed, arguments: dict[str, Any], port: int, client: httpx.Client
) -> None:
    before = settled(cluster)
    with asked_all_the_time(port):
        cluster.deploy(**arguments, threshold=0.61, log_level="warning", matcher={"candidates": 2})
        time.sleep(2)
    assert settled(cluster) == before
    assert client.put("/v1/galleries/after").json()["threshold"] == 0.61


@pytest.mark.slow
def test_a_change_of_one_stage_restarts_that_stage(
    cluster: Deployed, arguments: dict[str, Any], port: int, client: httpx.Client
) -> None:
    before = settled(cluster)
    changed = {**arguments, "embedder": {"engine": "simulated", "simulated_ms": 6}}
    with asked_all_the_time(port):
        cluster.deploy(**changed)
        after = settled(cluster)
    assert {stage for stage in STAGES if after[stage] != before[stage]} == {"Embedder"}
