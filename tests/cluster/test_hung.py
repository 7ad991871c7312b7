"""One replica of a stage hangs while requests go on: answers go on, too, from the others."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.cluster.processes import REPLICA, Processes
from tests.cluster.server import Server
from tests.cluster.traffic import NETWORK, Caller, photo, traffic

PEOPLE = {"ann": 11, "bo": 22, "cy": 33}
CLIENTS = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hung")
    simulated = {f"FACEGROUP_{stage}__ENGINE": "simulated" for stage in ("DETECTOR", "EMBEDDER")}
    two = {f"FACEGROUP_{stage}__REPLICAS": "2" for stage in ("DETECTOR", "EMBEDDER")}
    server = Server(
        folder, FACEGROUP_STORE=f"sqlite:///{folder / 'gallery.db'}", FACEGROUP_NETWORK=NETWORK, **simulated, **two
    )
    server.start()
    yield server
    server.close()


@pytest.mark.parametrize("stage", ["Embedder", "Detector"])
def test_answers_go_on_while_a_replica_hangs(server: Server, stage: str) -> None:
    caller = Caller(server.url)
    caller("PUT", stage.lower())
    for person, kind in PEOPLE.items():
        caller("POST", f"{stage.lower()}/people", json={"name": person, "id": person})
        caller.enrol(stage.lower(), person, photo(kind, 0))
    caller.close()
    lock, moments = threading.Lock(), list[float]()

    def show(caller: Caller) -> None:
        files = [("photos", photo(kind, 0)) for kind in PEOPLE.values()]
        answer = caller.once("POST", f"{stage.lower()}/identify", files=files)
        assert answer.status_code == 200, answer.text
        names = [face["name"] for image in answer.json()["images"] for face in image["faces"]]
        assert names == list(PEOPLE)
        with lock:
            moments.append(time.monotonic())

    def answered(count: int) -> None:
        wanted, deadline = len(moments) + count, time.monotonic() + 60
        while len(moments) < wanted:
            assert running.goes_on()
            assert time.monotonic() < deadline, f"{len(moments) + count - wanted} answers in 60 s"
            time.sleep(0.05)

    processes = Processes(server.pid, f"{REPLICA}{stage}")
    with traffic(server.url) as running:
        for _ in range(CLIENTS):
            running.go(show)
        answered(100)
        hung = min(processes.stop_one())
        begun = time.monotonic()
        try:
            answered(100)
        finally:
            os.kill(hung, signal.SIGCONT)
        after = [begun, *(each for each in moments if each > begun)]
        gaps = [second - first for first, second in pairwise(after)]
        print(f"\n{stage}: longest time without an answer {max(gaps):.2f} s of {after[-1] - begun:.1f} s", end="")
        answered(100)
    assert processes.pids() >= {hung}, "it was replaced although it hung for a moment only"
