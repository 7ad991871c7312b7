"""Two servers of one user on one machine: nothing that either opens or writes is the other's, whatever dies."""

import os
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count, takewhile
from pathlib import Path

import httpx
import pytest

from facegroup.store import open_store
from serve.processes import below
from tests.cluster.processes import REPLICA, Processes
from tests.cluster.server import Server
from tests.cluster.traffic import NETWORK, Caller, photo, traffic

SIMULATED = {f"FACEGROUP_{stage}__ENGINE": "simulated" for stage in ("DETECTOR", "EMBEDDER")}
INGRESS = f"{REPLICA}Ingress"
FALLBACK = "ray::ProxyActor"
WRITES = os.O_WRONLY | os.O_RDWR


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    """A cache folder of the user's, with a path as short as one has."""
    folder = Path(tempfile.mkdtemp(prefix="c", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def servers(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    started = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp(name)
        store = f"sqlite:///{folder / 'gallery.db'}"
        server = Server(
            folder, FACEGROUP_STORE=store, FACEGROUP_NETWORK=NETWORK, XDG_CACHE_HOME=str(cache), **SIMULATED
        )
        server.start()
        started.append(server)
    yield started
    for server in started:
        server.close()


def instance(server: Server) -> str:
    answer = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=30)
    return str(answer.headers["x-facegroup-instance"])


def is_ready(server: Server) -> bool:
    with suppress(httpx.TransportError, ValueError):
        return bool(httpx.get(f"{server.url}/readyz", trust_env=False, timeout=30).json()["status"] == "ready")
    return False


def until(true: Callable[[], bool], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def opened(server: Server) -> dict[str, int]:
    """Return what the processes of a server have open, as /proc names it, and how."""
    found = {}
    for pid in (server.pid, *below(server.pid)):
        with suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    flags = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text().split("flags:")[1].split()[0]
                    found[str(link.readlink())] = int(flags, 8)
    return found


def ports(server: Server) -> set[int]:
    """Return the TCP ports that the processes of a server listen on, and the UDP ports that they have."""
    mine = opened(server)
    found = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == state and f"socket:[{words[9]}]" in mine:
                found.add(int(words[1].rpartition(":")[2], 16))
    return found


def test_no_port_is_the_others(servers: list[Server]) -> None:
    first, second = map(ports, servers)
    assert len(first) > 10
    assert not first & second
    assert instance(servers[0]) != instance(servers[1])


def test_a_server_whose_port_is_taken_is_refused(servers: list[Server], tmp_path: Path) -> None:
    first = servers[0]
    taken = {
        "FACEGROUP_PORT": first.url.rpartition(":")[2],
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(min(ports(first) & set(range(20_000, 30_000)))),
    }
    for name, port in taken.items():
        settings = {"FACEGROUP_STORE": f"sqlite:///{tmp_path / 'third.db'}", "FACEGROUP_NETWORK": NETWORK, **SIMULATED}
        third = Server(tmp_path, **settings)
        third.change(**{name: port})
        assert third.refused() == 2
        last = third.log().splitlines()[-1]
        assert port in last
        assert last.endswith("(invalid_settings)")


def test_everything_is_written_where_only_the_user_may_look(servers: list[Server], cache: Path) -> None:
    base = cache / "facegroup" / "run"
    folders = [path for path in base.iterdir() if path.is_dir()]
    assert len(folders) == len(servers)
    for folder in (base, *folders):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    sockets = [path for path in base.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
    assert len(sockets) == 3 * len(servers), "HAProxy's and two of Ray"
    assert {stat.S_IMODE(path.stat().st_mode) for path in sockets} == {0o600}
    assert [stat.S_IMODE(path.stat().st_mode) for path in base.glob("*/token")] == [0o600] * len(servers)
    for server in servers:
        own = Path(server.setting("FACEGROUP_STORE").removeprefix("sqlite:///")).parent
        written = [path for path, flags in opened(server).items() if path.startswith("/") and flags & WRITES]
        allowed = (f"{base}/", f"{own}/", "/dev/", "/proc/", "/memfd:")
        assert not [path for path in written if not path.startswith(allowed) and not path.endswith("(deleted)")]


def test_what_a_killed_server_left_is_removed_at_the_next_start(servers: list[Server], cache: Path) -> None:
    base = cache / "facegroup" / "run"
    before = {path.name for path in base.iterdir() if path.is_dir()}
    servers[1].kill()
    servers[1].start()
    after = {path.name for path in base.iterdir() if path.is_dir()}
    assert len(after) == len(servers)
    assert len(after & before) == 1
    assert is_ready(servers[0])


def test_what_nobody_can_take_is_a_problem_that_says_when_to_try_again(servers: list[Server]) -> None:
    first, second = servers
    (controller,) = Processes(first.pid, "ray::ServeController").pids()
    os.kill(controller, signal.SIGSTOP)  # or it would replace them
    try:
        for name in (INGRESS, FALLBACK):
            Processes(first.pid, name).kill_all()
        caller = Caller(first.url)
        for path in ("/readyz", "/v1/galleries", "/v1/galleries/x/people", "/-/healthz", "/nowhere"):
            answer = caller.once("GET", f"../..{path}")  # a connection that dies with a process is closed without one
            assert answer.status_code == 503, path
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
            problem = answer.json()
            assert (problem["status"], problem["code"]) == (503, "stage_unavailable")
            assert problem["request_id"] == answer.headers["x-request-id"]
        caller.close()
        assert is_ready(second)
    finally:
        os.kill(controller, signal.SIGCONT)
    until(lambda: is_ready(first), "the server does not come back")


@pytest.mark.slow
def test_a_request_waits_for_a_new_ingress_but_not_for_ever(servers: list[Server]) -> None:
    first = servers[0]
    (controller,) = Processes(first.pid, "ray::ServeController").pids()
    os.kill(controller, signal.SIGSTOP)
    try:
        Processes(first.pid, INGRESS).kill_all()
        caller = Caller(first.url)
        until(lambda: caller.once("GET", "").status_code == 503, "something answers")
        answer = caller.once("GET", "")
        assert (answer.status_code, answer.json()["code"]) == (503, "stage_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        caller.close()
    finally:
        os.kill(controller, signal.SIGCONT)
    until(lambda: is_ready(first), "the server does not come back")


def enrol_while_processes_die(servers: list[Server], names: list[str], person: str, rounds: Iterable[int]) -> None:
    """Two writers and a reader of each server, who write to people of the same ids; kill one process after the other."""
    acknowledged: list[list[str]] = [[], []]
    sent = [0, 1]
    lock = threading.Lock()
    ids = [instance(server) for server in servers]
    people = (f"{person}-0", f"{person}-1")

    def write(caller: Caller, which: int) -> None:
        with lock:
            number = sent[which]
            sent[which] += 2
        answer = caller.enrol("default", people[number % 4 // 2], photo(11, number), tries=100)
        acknowledged[which] += [each["photo_id"] for each in answer["enrolled"]]

    def look(caller: Caller, which: int) -> None:
        answer = caller.once("GET", "../../readyz")
        assert answer.headers.get("x-facegroup-instance", ids[which]) == ids[which]
        assert answer.status_code in (200, 503)
        time.sleep(0.05)

    for server in servers:
        caller = Caller(server.url)
        for each in people:
            caller("PUT", f"default/people/{each}", json={"name": each})
        caller.close()
    with traffic(servers[0].url) as first, traffic(servers[1].url) as second:
        for which, running in enumerate((first, second)):
            for work in (write, write, look):
                running.go(lambda caller, work=work, which=which: work(caller, which))  # type: ignore[misc]

        def goes_on(which: int, wanted: int) -> bool:
            return first.goes_on() and second.goes_on() and len(acknowledged[which]) > wanted

        for _ in rounds:
            for name in names:
                for which, server in enumerate(servers):
                    wanted = len(acknowledged[which]) + 5
                    processes = Processes(server.pid, name)
                    processes.wait_for_another(processes.kill_all(), seconds=180)
                    until(partial(goes_on, which, wanted), f"nothing is enrolled after {name} was killed")
    for server, mine in zip(servers, acknowledged, strict=True):
        store = open_store(server.setting("FACEGROUP_STORE"))
        kept = [sample.id for each in people for sample in store.samples("default", each)]
        store.close()
        assert sorted(kept) == sorted(mine)
        print(f"\n{len(kept)} enrolled", end="")


def test_each_store_holds_what_its_own_port_acknowledged(servers: list[Server]) -> None:
    enrol_while_processes_die(servers, [INGRESS], "short", range(3))


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_each_store_holds_what_its_own_port_acknowledged_whatever_dies(servers: list[Server]) -> None:
    """Ten minutes."""
    end = time.monotonic() + 600
    rounds = takewhile(lambda _: time.monotonic() < end, count())
    enrol_while_processes_die(servers, [INGRESS, FALLBACK, "haproxy.cfg"], "long", rounds)
