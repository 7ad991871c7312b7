"""How a server ends: what is asked of its processes, which are told here to be slow, lost or away."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from serve import ending

with warnings.catch_warnings():  # Ray's own, of pydantic
    warnings.simplefilter("ignore")
    import ray.serve

SLOW, LOST = "slow", "lost"


class Processes:
    """Handles of an application: what its ingresses and cameras answer, and what they were asked."""

    def __init__(self, *answers: list[int] | str, cameras: bool = True) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)
        self._cameras = cameras

    def broadcast(self, method: str) -> Any:
        self.asked.append(method)
        return SimpleNamespace(results_async=self._answer)

    async def _answer(self) -> list[int]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer == SLOW:
            await asyncio.Event().wait()
        if isinstance(answer, str):
            raise RuntimeError("a replica was lost")
        return answer

    def status(self) -> Any:
        deployments = {"Ingress": None} | ({"Cameras": None} if self._cameras else {})
        return SimpleNamespace(applications={"app": SimpleNamespace(deployments=deployments)})


Given = Callable[..., Processes]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    def give(*answers: list[int] | str, cameras: bool = True) -> Processes:
        made = Processes(*answers, cameras=cameras)
        monkeypatch.setattr(ending, "_ASK_SECONDS", 0.05)
        monkeypatch.setattr(ray.serve, "get_app_handle", lambda app: made)
        monkeypatch.setattr(ray.serve, "get_deployment_handle", lambda name, app: made)
        monkeypatch.setattr(ray.serve, "status", made.status)
        return made

    return give


@pytest.mark.parametrize(
    "answers",
    [
        ([0],),
        ([1], [0]),
        (SLOW, [2], [0]),
        ([1], SLOW, SLOW, [1], [0]),
        (LOST, [1, 0], [0, 0]),
        ([1], LOST, SLOW, LOST, [0]),
    ],
)
def test_requests_under_way_are_waited_for_whatever_one_answer_is(given: Given, answers: Any) -> None:
    processes = given(*answers)
    ending.drain("app", 60)
    assert processes.asked == ["drain"] * len(answers) + ["close"]


@pytest.mark.parametrize("answer", [SLOW, LOST, [1]])
def test_a_server_that_does_not_answer_ends_and_its_cameras_are_closed(
    given: Given, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "_LOST", 2)
    processes = given(answer)
    ending.drain("app", 0.3)
    assert processes.asked[-1] == "close"
    assert processes.asked.count("close") == 1


def test_where_there_are_no_cameras_none_are_closed(given: Given) -> None:
    processes = given([0], cameras=False)
    ending.drain("app", 60)
    assert processes.asked == ["drain"]


PROXY = """
import os, signal, sys, time
def end(number, frame):
    if sys.argv[1] == "answering":
        time.sleep(0.2)
        print("the last bytes", flush=True)
        os._exit(0)
signal.signal(signal.SIGUSR1, end)
print("here", flush=True)
while True:
    time.sleep(0.01)
"""


@pytest.fixture
def process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROXY, *words]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline() == "here\n"
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def test_the_proxy_sends_what_it_has_and_one_that_does_not_end_is_ended(
    process: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answering, endless = process("answering", "haproxy.cfg"), process("endless", "haproxy.cfg")
    managers = [process("answering", name) for name in ("ray::ServeController", "ray::HAProxyManager")]
    other = process("answering", "ray::Ingress")
    # Time enough for the one, and none for the other.
    monkeypatch.setattr(ending, "_LAST_SECONDS", 2.0)
    ending.stop_listening()
    assert answering.wait(10) == 0
    assert answering.stdout is not None
    assert answering.stdout.read() == "the last bytes\n"
    assert [each.wait(10) for each in (endless, *managers)] == [-signal.SIGKILL] * 3
    os.kill(other.pid, 0)
    assert other.poll() is None


@pytest.mark.parametrize("lost", [(), ("gcs_error_subscriber",), ("gcs_error_subscriber", "gcs_log_subscriber")])
def test_ray_is_not_listened_to_while_its_processes_end(monkeypatch: pytest.MonkeyPatch, lost: tuple[str, ...]) -> None:
    closed: list[str] = []

    def subscriber(name: str) -> Any:
        def close() -> None:
            closed.append(name)
            if name in lost:
                raise ConnectionError

        return SimpleNamespace(close=close)

    names = ("gcs_error_subscriber", "gcs_log_subscriber")
    worker = SimpleNamespace(threads_stopped=threading.Event(), **{name: subscriber(name) for name in names})
    monkeypatch.setattr(ray._private.worker, "global_worker", worker)
    ending.stop_printing()
    assert worker.threads_stopped.is_set()
    assert closed == list(names)
    del worker.gcs_log_subscriber  # where what processes log is not printed
    ending.stop_printing()
