"""Cameras on a real server: a source, a camera's process, what looks after them and the server itself are killed.

One server behind HAProxy, two real RTSP cameras with a password, a file, a source that is dead; the others always go on.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from facegroup.cameras.journal.encryption import new_key
from facegroup.client import Client
from serve.processes import below
from tests import clips
from tests.cluster.processes import REPLICA, Processes
from tests.cluster.server import Server
from tests.photos import astronaut, encode
from tests.receiver import Receiver
from tests.rtsp_process import RtspProcess

USER, PASSWORD = "watcher", "hunter2-word"
CAMERA = "ray::CameraActor"
KEEPER = f"{REPLICA}Cameras"
LEAST_FRAMES = 3


@pytest.fixture(scope="module")
def rtsp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspProcess]:
    """Two cameras, before which Eileen walks to and fro all the time, and one by which she comes every few seconds."""
    folder, there = tmp_path_factory.mktemp("rtsp"), list(clips.walk(40, face=240))
    walk = clips.recording(folder / "walk", [*there, *reversed(there)])
    comes = clips.recording(folder / "comes", [*there, *clips.still(60, clips.room())])
    process = RtspProcess({"/door": walk, "/yard": walk, "/hall": comes}, USER, PASSWORD)
    yield process
    process.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    clips.video(folder / "walk.mp4", clips.walk(48, face=240), fps=24)
    return folder


@pytest.fixture(scope="module")
def server(
    rtsp: RtspProcess, folder: Path, network: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    server = Server(
        tmp_path_factory.mktemp("server"),
        FACEGROUP_STORE=f"sqlite:///{tmp_path_factory.mktemp('store') / 'gallery.db'}",
        FACEGROUP_CAMERAS__KEY=new_key(),
        FACEGROUP_CAMERAS__NETWORKS='["127.0.0.0/8"]',
        FACEGROUP_CAMERAS__FOLDER=str(folder),
        **network,
    )
    server.start()
    with server.client() as client:
        person = client.store.create_person("default", "Eileen")
        client.enrol("default", [("eileen.jpg", encode(astronaut(), quality=95))], person.id)
        gone = client.store.create_person("default", "Gone")
        assert client.call("DELETE", f"/v1/galleries/default/people/{gone.id}")["removed"]["sightings"] == 0
        assert not Processes(server.pid, KEEPER).pids()  # without cameras nobody looks after them
        for camera in ("door", "yard"):
            add(client, camera, rtsp.url(f"/{camera}", USER, PASSWORD))
        add(client, "dead", f"rtsp://{USER}:{PASSWORD}@127.0.0.1:9/stream?token={PASSWORD}")
    yield server
    server.close()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver(PASSWORD)
    yield receiver
    receiver.stop()


def add(client: Client, camera: str, source: str, **given: Any) -> None:
    body = {"id": camera, "source": source, "fps": 5, "cooldown": 2, "stall_seconds": 2, **given}
    client.call("POST", "/v1/cameras", json=body)


def cameras(client: Client) -> dict[str, dict[str, Any]]:
    """Return the status of every camera."""
    return {each["id"]: each["status"] for each in client.call("GET", "/v1/cameras")["cameras"]}


def sightings(client: Client, **wanted: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("GET", "/v1/sightings", params=wanted)["sightings"]
    return found


def until(what: Callable[[], Any], why: str, seconds: float = 60) -> Any:
    """Return what is asked for once it is so; whoever asks may find the server starting."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := what():
                return found
        except httpx.TransportError:
            pass
        except Exception as error:
            if getattr(error, "code", None) != "stage_unavailable":
                raise
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


def named(client: Client) -> bool:
    (seen,) = client.identify([encode(astronaut())], "default")
    return [each.name for each in seen.matched.matches] == ["Eileen"]  # type: ignore[union-attr]


def looks(client: Client, *ids: str) -> Callable[[], bool]:
    """Return what says whether these cameras are live, and have analysed some more frames since it was made."""
    before = {camera: cameras(client)[camera]["frames"]["analysed"] for camera in ids}

    def more() -> bool:
        now = {camera: cameras(client)[camera] for camera in ids}
        return all(
            each["state"] == "live" and each["frames"]["analysed"] >= before[camera] + LEAST_FRAMES
            for camera, each in now.items()
        )

    return more


def seen_since(client: Client, camera: str, since: float) -> Callable[[], list[dict[str, Any]]]:
    def seen() -> list[dict[str, Any]]:
        return [each for each in sightings(client, camera=camera) if each["last_seen"] > since]

    return seen


def test_who_walks_by_is_seen_by_both_and_a_dead_source_disturbs_nobody(
    server: Server, client: Client, folder: Path
) -> None:
    for camera in ("door", "yard"):
        seen = until(lambda camera=camera: sightings(client, camera=camera), f"nobody is seen at the {camera}")  # type: ignore[misc]
        assert {each["name"] for each in seen} == {"Eileen"}
    assert len({each["visit_id"] for each in sightings(client)}) == 1  # one person before both
    dead = until(lambda: (now := cameras(client)["dead"])["state"] == "failed" and now, "the dead source is not said")
    assert dead["reason"] == "source_unreachable"
    until(looks(client, "door", "yard"), "the others do not go on")
    assert named(client)
    add(client, "clip", f"file://{folder}/walk.mp4", fps=10)
    until(lambda: cameras(client)["clip"]["state"] == "ended", "the file does not come to its end")
    (seen,) = until(lambda: sightings(client, camera="clip", open=False), "nobody is seen in the file")
    assert seen["name"] == "Eileen"
    frames = cameras(client)["clip"]["frames"]
    assert frames["received"] == 48 == frames["skipped"] + frames["still"] + frames["analysed"]
    # What has ended needs no process any more.
    until(lambda: len(Processes(server.pid, CAMERA).pids()) == 3, "not one process a camera")
    client.call("DELETE", "/v1/cameras/clip")


def test_a_source_that_goes_away_comes_back(client: Client, rtsp: RtspProcess) -> None:
    rtsp.kill()
    until(
        lambda: all(cameras(client)[each]["state"] in ("connecting", "stalled", "failed") for each in ("door", "yard")),
        "it is not said that the cameras are away",
    )
    assert named(client)
    back = time.time()
    rtsp.start()
    until(looks(client, "door", "yard"), "the cameras do not come back")
    until(seen_since(client, "door", back), "nobody is seen any more")


@pytest.mark.parametrize("how", ["killed", pytest.param("hung", marks=pytest.mark.slow)])
def test_a_cameras_process_that_is_lost_is_replaced(server: Server, client: Client, how: str) -> None:
    processes = Processes(server.pid, CAMERA)
    restarts = {camera: status["restarts"] for camera, status in cameras(client).items()}
    before = processes.kill_one() if how == "killed" else processes.stop_one()
    processes.wait_for_another(before)
    until(looks(client, "door", "yard"), "the cameras do not go on")
    until(lambda: len(processes.pids()) == 3, "the lost process stays")
    now = cameras(client)
    assert sum(now[camera]["restarts"] - restarts[camera] for camera in now) == 1  # and no other
    assert named(client)


def test_the_cameras_come_back_when_what_looks_after_them_is_killed(server: Server, client: Client) -> None:
    eyes, keeper = Processes(server.pid, CAMERA), Processes(server.pid, KEEPER)
    known = {each["id"] for each in sightings(client)}
    old = eyes.pids()
    killed = time.time()
    before = keeper.kill_one()
    assert named(client)  # is none of its business
    keeper.wait_for_another(before)
    until(lambda: cameras(client)["door"]["state"] == "live", "the cameras do not come back")
    assert set(cameras(client)) == {"door", "yard", "dead"}
    until(looks(client, "door", "yard"), "the cameras do not come back")
    seen = until(seen_since(client, "yard", killed), "nobody is seen any more")
    assert {each["name"] for each in seen} == {"Eileen"}
    until(lambda: len(eyes.pids() - old) == 3 and not old & eyes.pids(), "processes of the one that was killed stay")
    assert known <= {each["id"] for each in sightings(client)}, "sightings are lost"


def test_the_cameras_come_back_when_the_server_does(server: Server, rtsp: RtspProcess, receiver: Receiver) -> None:
    """All of its processes are killed at once while sightings and webhooks flow: none is lost, none told is missing."""
    with server.client() as client:
        until(lambda: sightings(client, camera="door"), "nobody is seen")
        client.call("POST", "/v1/webhooks", json={"id": "hook", "url": receiver.url})
        add(client, "hall", rtsp.url("/hall", USER, PASSWORD), cooldown=1)
        until(lambda: len(receiver.got) >= 2, "no event is delivered")
        receiver.answers = [503] * 1000  # what comes from now on cannot be delivered before the end
        tries = len(receiver.got)
        until(lambda: len(receiver.got) > tries, "no event follows")
        before = {each["id"] for each in sightings(client, limit=1000)}
    everything = below(server.pid)
    for pid in everything:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.kill()
    receiver.answers = []
    until(lambda: not [pid for pid in everything if CAMERA in line(pid)], "processes of cameras outlive the server")
    started = time.time()
    server.start()
    with server.client() as client:
        until(lambda: cameras(client)["door"]["state"] == "live", "the cameras do not come back")
        until(looks(client, "door", "yard"), "the cameras do not go on")
        seen = until(seen_since(client, "door", started), "nobody is seen any more")
        assert {each["name"] for each in seen} == {"Eileen"}
        until(seen_since(client, "hall", started), "nobody is seen in the hall any more")
        client.call("DELETE", "/v1/cameras/hall")
        until(lambda: client.call("GET", "/v1/webhooks/hook")["waiting"] == 0, "events wait for ever")
        found = sightings(client, limit=1000)
        assert before <= {each["id"] for each in found}, "sightings are lost"
        told = receiver.events()
        numbers = sorted({each["seq"] for each in told})
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "events are missing"
        ids = {each["sighting"]["id"] for each in told if each["type"] == "sighting.began"}
        assert {each["id"] for each in found if each["camera"] == "hall"} <= ids, "sightings were not told"
        client.call("DELETE", "/v1/webhooks/hook")
        assert named(client)


def line(pid: int) -> str:
    """Return the command line of a process, empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def scraped(server: Server) -> str:
    return httpx.get(f"{server.url}/metrics", trust_env=False, timeout=30).text


def test_the_password_is_nowhere(server: Server, client: Client) -> None:
    """After all of the above: in no answer, no log of the server or of Ray, and not in the database."""
    metrics = until(lambda: "facegroup_camera_state{" in (found := scraped(server)) and found, "no metrics of cameras")
    answered = str(client.call("GET", "/v1/cameras")) + metrics
    assert "token=***" in answered
    assert PASSWORD not in answered
    assert PASSWORD not in server.log()
    (session,) = {
        found[0] for each in below(server.pid).values() if (found := re.findall(r"/\S+/session_[\w-]+", each))
    }
    logs = [each for each in Path(session, "logs").rglob("*") if each.is_file()]
    assert any("Cameras" in each.name for each in logs)
    store = Path(server.setting("FACEGROUP_STORE").removeprefix("sqlite:///")).parent
    for file in (*logs, *store.iterdir()):
        assert PASSWORD.encode() not in file.read_bytes(), file
