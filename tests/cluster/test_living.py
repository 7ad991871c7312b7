"""A server whose environment names proxies, whose disk is full, or that is asked to end while it works."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.server import RAY_DEFAULTS, Server
from tests.cluster.traffic import NETWORK, photo

SIMULATED = {f"FACEGROUP_{stage}__ENGINE": "simulated" for stage in ("DETECTOR", "EMBEDDER")} | {
    "FACEGROUP_NETWORK": NETWORK
}
NOBODY = "http://127.0.0.1:9"
PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "grpc_proxy"), NOBODY)
SOCKS = dict.fromkeys(("ALL_PROXY", "all_proxy"), "socks5://127.0.0.1:9")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk of its own, where there can be one, else a folder."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = os.getuid() == 0 and shutil.which("mount") is not None
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    mounted = mounted and not subprocess.run(command, check=False).returncode
    yield folder
    if mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def server(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    slow = {"FACEGROUP_DETECTOR__SIMULATED_MS": "1500", "FACEGROUP_DETECTOR__BATCH": "2"}
    store = f"sqlite:///{disk / 'gallery.db'}"
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder, FACEGROUP_STORE=store, **SIMULATED, **slow, **PROXIES, **SOCKS)
    server.start()
    yield server
    server.close()


def ask(server: Server, method: str, path: str, **request: Any) -> httpx.Response:
    return httpx.request(method, f"{server.url}{path}", timeout=60, trust_env=False, **request)


def test_no_hop_goes_through_a_proxy(server: Server) -> None:
    """The server became ready, though every variable names a proxy that is not there."""
    assert ask(server, "GET", "/healthz").json() == {"status": "ok"}
    assert ask(server, "POST", "/v1/detect", content=photo(11, 0)).status_code == 200


def test_a_refusal_of_another_process_is_one_line_in_the_log(server: Server) -> None:
    before = len(server.log().splitlines())
    refused = [
        ask(server, "GET", "/v1/galleries/none"),
        ask(server, "DELETE", "/v1/galleries/default/people/nobody"),
        ask(server, "POST", "/v1/galleries/none/identify", content=photo(11, 0)),
        ask(server, "POST", "/v1/galleries/default/people", json={"name": "Ann", "id": "ann"}),
        ask(server, "POST", "/v1/galleries/default/people", json={"name": "Ann", "id": "ann"}),
        ask(server, "GET", "/v1/cameras/none"),
    ]
    assert [each.status_code for each in refused] == [404, 404, 404, 201, 409, 404]
    time.sleep(3)  # what processes write reaches the terminal by way of files
    lines = server.log().splitlines()[before:]
    assert not [line for line in lines if "Traceback" in line or 'File "' in line]
    for code in ("unknown_gallery", "unknown_person", "person_exists", "unknown_camera"):
        told = [line for line in lines if f"({code})" in line]
        assert told, code
        assert all("INFO" in line for line in told)


def test_a_full_disk_is_said_and_people_are_erased(server: Server, disk: Path) -> None:
    if shutil.disk_usage(disk).total > 1 << 30:
        pytest.skip("needs root, to mount a small disk")
    for person in ("bo", "cy"):
        ask(server, "PUT", f"/v1/galleries/default/people/{person}", json={"name": person})
        done = ask(server, "POST", f"/v1/galleries/default/people/{person}/photos", content=photo(22, 0))
        assert done.status_code == 200, done.text
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as out:
        for size in (1 << 16, 4096, 1):
            with suppress(OSError):
                while True:
                    out.write(bytes(size))
    ready = ask(server, "GET", "/readyz")
    assert (ready.status_code, ready.json()["status"], ready.json()["store"]) == (503, "degraded", "full")
    texts = [ready.text]
    for number in range(1000):
        refused = ask(server, "PUT", f"/v1/galleries/default/people/p{number}", json={"name": "x" * 100})
        texts.append(refused.text)
        if not refused.is_success:
            break
    assert (refused.status_code, refused.json()["code"]) == (503, "store_full")
    assert int(refused.headers["retry-after"]) >= 1
    assert ask(server, "GET", "/healthz").status_code == 200
    for person in ("bo", "cy"):
        erased = ask(server, "DELETE", f"/v1/galleries/default/people/{person}")
        assert erased.status_code == 200, erased.text
        texts.append(erased.text)
    assert not [text for text in texts if str(disk) in text or "gallery.db" in text]
    filler.unlink()
    assert ask(server, "GET", "/readyz").json()["status"] == "ready"
    assert ask(server, "PUT", "/v1/galleries/default/people/late", json={"name": "late"}).is_success


def drained(server: Server) -> None:
    """Ask a server to end while requests wait and new ones come."""
    codes: list[str] = []
    stop = threading.Event()

    def knock() -> None:
        while not stop.is_set():
            try:
                answer = ask(server, "POST", "/v1/detect", content=photo(33, 0))
                codes.append(str(answer.status_code))
                if not answer.is_success:
                    codes.append(f"{answer.json()['code']} {answer.headers['content-type']}")
            except httpx.TransportError:
                codes.append("nobody")
            time.sleep(0.1)

    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(ask, server, "POST", "/v1/detect", content=photo(kind, kind)) for kind in range(8)]
        time.sleep(1.0)
        ending = pool.submit(server.stop)
        time.sleep(0.5)
        knocking = pool.submit(knock)
        answers = [each.result() for each in asked]
        status = ending.result()
        stop.set()
        knocking.result()
    assert [each.status_code for each in answers] == [200] * 8
    assert status == 0
    assert set(codes) <= {"200", "503", "nobody", "stage_unavailable application/problem+json"}, codes
    assert "503" in codes
    at_the_end = server.log().rpartition("stopping\n")[2].splitlines()
    assert not [line for line in at_the_end if " facegroup." not in line], "Ray tells of what was ended on purpose"


def test_who_is_asked_to_end_answers_what_is_under_way(server: Server) -> None:
    drained(server)


@pytest.mark.slow
def test_who_is_asked_to_end_answers_what_is_under_way_on_rays_defaults(tmp_path: Path) -> None:
    slow = {"FACEGROUP_DETECTOR__SIMULATED_MS": "1500", "FACEGROUP_DETECTOR__BATCH": "2"}
    store = f"sqlite:///{tmp_path / 'gallery.db'}"
    server = Server(tmp_path, FACEGROUP_STORE=store, **SIMULATED, **slow, **RAY_DEFAULTS)
    server.start()
    drained(server)
