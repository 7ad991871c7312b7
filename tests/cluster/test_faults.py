"""Everything that can die, dies, while writers and readers go on: nothing acknowledged is lost, nobody gets a wrong name.

One server behind HAProxy, three gallery actors, a Redis of its own; the networks are simulated, all else is real.
"""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import redis

from facegroup.store import open_store
from facegroup.store.redis.server import RedisServer
from facegroup.types import NOT_IN_DATASET
from tests.cluster.processes import REPLICA, Processes
from tests.cluster.server import Server
from tests.cluster.traffic import NETWORK, Caller, descriptor, photo, traffic
from tests.conftest import RedisProcess

ACTOR = f"{REPLICA}GalleryActor"
SETTLED_SECONDS = 12
REPLICAS = 3
PEOPLE = {"ann": 11, "bo": 22, "cy": 33}
"""Ids, which are their names, and the kinds of their faces."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    folder = tmp_path_factory.mktemp("faults") / "redis"
    folder.mkdir()
    process = RedisProcess(folder)
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="module")
def server(database: RedisProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    simulated = {f"FACEGROUP_{stage}__ENGINE": "simulated" for stage in ("DETECTOR", "EMBEDDER")}
    server = Server(
        tmp_path_factory.mktemp("server"),
        FACEGROUP_STORE=database.url,
        FACEGROUP_NETWORK=NETWORK,
        FACEGROUP_MATCHER__REPLICAS=str(REPLICAS),
        FACEGROUP_MATCHER__NUM_CPUS="0.2",
        **simulated,
    )
    server.start()
    yield server
    server.close()


@pytest.fixture
def caller(server: Server) -> Iterator[Caller]:
    caller = Caller(server.url)
    yield caller
    caller.close()


def fill(server: Server, caller: Caller, gallery: str) -> int:
    """Make a gallery of the three; every gallery actor has matched on it when this returns. Return its version."""
    actors = Processes(server.pid, ACTOR)
    # One that is new is asked only once the others have been told of it, which takes a second or more after its making.
    until(
        lambda: actors.at_work() == REPLICAS and actors.youngest() > SETTLED_SECONDS,
        "a gallery actor that was killed did not come back",
    )
    caller("PUT", gallery)
    for person, kind in PEOPLE.items():
        caller("POST", f"{gallery}/people", json={"name": person, "id": person})
        version = int(caller.enrol(gallery, person, photo(kind, 0))["gallery_version"])
    for _ in range(20 * REPLICAS):
        assert names(caller.identify(gallery, *PEOPLE.values())) == list(PEOPLE)
    return version


def names(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [face["name"] for face in answer["faces"]]


def ready(server: Server) -> dict[str, str]:
    answer: dict[str, str] = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=30).json()
    return answer


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_every_answer_is_of_one_version_and_none_older_than_what_was_acknowledged(
    server: Server, caller: Caller
) -> None:
    """Two writers, each of whom makes a person of three photos and erases it, again and again, under a name each time."""
    kinds = {"ann": (41, 42, 43), "bo": (51, 52, 53)}
    whole = {
        person: float(np.dot(descriptor(kind[0]), mean := sum(np.array(descriptor(each)) for each in kind)))
        / float(np.linalg.norm(mean))
        for person, kind in kinds.items()
    }
    lock = threading.Lock()
    newest = 0
    history: dict[str, list[tuple[int, str]]] = {person: [(0, NOT_IN_DATASET)] for person in kinds}
    read: list[tuple[int, dict[str, str]]] = []

    def learn(version: int, person: str, state: str) -> None:
        nonlocal newest
        with lock:
            newest = max(newest, version)
            history[person].append((version, state))

    def write(caller: Caller, person: str) -> None:
        name = f"{person} {len(history[person])}"
        caller("PUT", f"fresh/people/{person}", json={"name": name})
        cycle = len(history[person])
        photos = [photo(kind, cycle) for kind in kinds[person]]
        learn(caller.enrol("fresh", person, *photos)["gallery_version"], person, name)
        learn(caller("DELETE", f"fresh/people/{person}")["gallery_version"], person, NOT_IN_DATASET)

    def look(caller: Caller) -> None:
        known = newest
        probes = {"descriptors": [descriptor(kind[0]) for kind in kinds.values()], "threshold": 0.3}
        answer = caller("POST", "fresh/identify", json=probes)
        assert not answer["degraded"]
        assert answer["gallery_version"] >= known
        for face, (person, whole_similarity) in zip(answer["faces"], whole.items(), strict=True):
            if face["name"] != NOT_IN_DATASET:
                assert face["person"]["id"] == person
                assert face["similarity"] == pytest.approx(whole_similarity, abs=1e-4), "half of an enrolment"
        read.append((answer["gallery_version"], dict(zip(kinds, names(answer), strict=True))))

    caller("PUT", "fresh")
    with traffic(server.url) as running:
        for person in kinds:
            running.go(lambda caller, person=person: write(caller, person))  # type: ignore[misc]
        for _ in range(4):
            running.go(look)
        until(lambda: running.goes_on() and len(read) > 600 and newest > 60, "too little was read or written")
    assert all(caller.retried == [] for caller in running.callers)
    for version, seen in read:
        for person, states in history.items():
            state = max((each for each in states if each[0] <= version), key=lambda each: each[0])[1]
            assert seen[person] == state, (version, person, states)
    print(f"\n{len(read)} answers while the gallery went to version {newest}")


def test_whatever_is_killed_comes_back_and_nothing_is_lost(
    server: Server, database: RedisProcess, caller: Caller
) -> None:
    """Three writers and three readers; each process of the server, then Redis at every way of keeping its file."""
    fill(server, caller, "killed")
    acknowledged: dict[str, list[str]] = {person: [] for person in PEOPLE}
    numbers = dict.fromkeys(PEOPLE, 0)
    forgotten = 0

    def write(caller: Caller, person: str) -> None:
        numbers[person] += 1
        done = caller.enrol("killed", person, photo(PEOPLE[person], numbers[person]), tries=20)
        acknowledged[person] += [each["photo_id"] for each in done["enrolled"]]

    def look(caller: Caller) -> None:
        assert names(caller.identify("killed", *PEOPLE.values())) == list(PEOPLE)

    def show(caller: Caller) -> None:
        files = [("photos", photo(kind, 0)) for kind in PEOPLE.values()]
        answer = caller("POST", "killed/identify", files=files)
        assert [face["name"] for image in answer["images"] for face in image["faces"]] == list(PEOPLE)

    with traffic(server.url) as running:
        for person in PEOPLE:
            running.go(lambda caller, person=person: write(caller, person))  # type: ignore[misc]
        for work in (look, look, show):
            running.go(work)
        targets = ("GalleryActor", "Embedder", "Detector", "Ingress")
        for name in (*(f"{REPLICA}{each}" for each in targets), "ray::ServeController", "haproxy.cfg"):
            _written(acknowledged, running.goes_on)
            processes = Processes(server.pid, name)
            start = time.monotonic()
            # HAProxy has an old process beside the new one for as long as old connections last.
            before = processes.kill_all() if name == "haproxy.cfg" else processes.kill_one()
            took = processes.wait_for_another(before)
            until(lambda: _is_ready(server), f"not ready after {name} was killed")
            print(
                f"\n{name}: another after {took:.1f} s, ready {time.monotonic() - start:.1f} s after the kill", end=""
            )
        for policy in ("always", "everysec"):
            with redis.Redis(port=database.port) as client:
                client.config_set("appendfsync", policy)
            _written(acknowledged, running.goes_on)
            database.kill()
            time.sleep(0.5)
            database.start()
            until(partial(_settled, server, database, policy), "not ready after Redis was killed")
            if not _is_ready(server):
                forgotten = _forget(database.url, acknowledged)
                print(f"\nRedis said before that it can lose writes at {policy}, and did: {forgotten}", end="")
                caller("POST", "killed/accept")
            _kept(database.url, acknowledged)
        _written(acknowledged, running.goes_on)
    _kept(database.url, acknowledged)
    for each in running.callers:
        assert "store_went_back" not in each.retried or forgotten
        print(f"\nasked again {len(each.retried)} times ({set(each.retried)}), longest {each.longest:.1f} s", end="")


def _settled(server: Server, database: RedisProcess, policy: str) -> bool:
    """Whether all is well, or Redis lost writes in the one way of keeping its file where the server warns of that."""
    if _is_ready(server):
        return True
    keeper = RedisServer(database.url, 5.0)
    waits = keeper._learn()
    keeper.close()
    return not waits and policy == "everysec" and ready(server).get("store") == "went_back"


def _forget(url: str, acknowledged: dict[str, list[str]]) -> int:
    """Take the photos that Redis lost out of those that it must have; return how many."""
    store = open_store(url)
    lost = 0
    for person, ids in acknowledged.items():
        kept = {sample.id for sample in store.samples("killed", person)}
        lost += len(ids) - len(kept.intersection(ids))
        ids[:] = [each for each in ids if each in kept]
    store.close()
    return lost


def _is_ready(server: Server) -> bool:
    try:
        return ready(server)["status"] == "ready"
    except (httpx.TransportError, ValueError):
        return False


def _written(acknowledged: dict[str, list[str]], goes_on: Callable[[], bool]) -> None:
    """Wait until each writer has written some more."""
    wanted = {person: len(ids) + 5 for person, ids in acknowledged.items()}
    until(
        lambda: goes_on() and all(len(acknowledged[person]) >= least for person, least in wanted.items()),
        "the writers do not go on",
    )


def _kept(url: str, acknowledged: dict[str, list[str]]) -> None:
    """Every acknowledged sample is there once, and each centroid is that of the samples."""
    before = {person: set(ids) for person, ids in acknowledged.items()}
    store = open_store(url)
    try:
        for person, ids in before.items():
            kept = [sample.id for sample in store.samples("killed", person)]
            assert ids <= set(kept), f"{len(ids - set(kept))} acknowledged photos of {person} are lost"
            assert len(kept) == len(set(kept))
        centroids = store.centroids("killed")
        assert centroids.ids == tuple(PEOPLE)
        for row, kind in zip(centroids.matrix, PEOPLE.values(), strict=True):
            np.testing.assert_allclose(row, descriptor(kind), atol=1e-5)
    finally:
        store.close()


@pytest.fixture(params=[signal.SIGKILL, signal.SIGSTOP], ids=["dead", "hung"])
def away(request: pytest.FixtureRequest, database: RedisProcess) -> Iterator[Callable[[], Callable[[], None]]]:
    """Make Redis be away; returns what brings it back."""
    process = database._process
    assert process is not None

    def leave() -> Callable[[], None]:
        if request.param == signal.SIGKILL:
            database.kill()
            return database.start
        os.kill(process.pid, signal.SIGSTOP)
        return lambda: os.kill(process.pid, signal.SIGCONT)

    yield leave
    if request.param == signal.SIGSTOP:
        os.kill(process.pid, signal.SIGCONT)
    elif database._process is None:
        database.start()


def test_while_redis_is_away_known_people_are_named_and_nothing_is_written(
    server: Server, caller: Caller, away: Callable[[], Callable[[], None]], request: pytest.FixtureRequest
) -> None:
    gallery = f"away-{request.node.callspec.id}"
    version = fill(server, caller, gallery)
    come_back = away()
    try:
        until(lambda: ready(server)["status"] == "degraded", "it is not said that the store is away")
        took = []
        for _ in range(60):
            start = time.monotonic()
            answer = caller.identify(gallery, *PEOPLE.values(), tries=1)
            took.append(time.monotonic() - start)
            assert names(answer) == list(PEOPLE)
            assert (answer["degraded"], answer["degraded_reason"]) == (True, "store_unavailable")
            assert answer["gallery_version"] == version
        print(f"\nanswers without Redis: median {np.median(took) * 1e3:.0f} ms, longest {max(took) * 1e3:.0f} ms")
        writes: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", f"{gallery}/people", {"json": {"name": "late", "id": "late"}}),
            ("POST", f"{gallery}/people/ann/photos", {"files": [("photos", photo(PEOPLE["ann"], 9))]}),
            ("PATCH", f"{gallery}/people/ann", {"json": {"name": "late"}}),
            ("DELETE", f"{gallery}/people/ann", {}),
            ("PUT", f"{gallery}-late", {}),
            ("POST", "never-matched-on/identify", {"json": {"descriptors": [descriptor(1)]}}),
        ]
        for method, path, body in writes:
            refused = caller.once(method, path, **body)
            assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable"), path
            assert int(refused.headers["retry-after"]) >= 1

        actors = Processes(server.pid, ACTOR)
        actors.wait_for_another(actors.kill_one())
        # The new one has read nothing yet, and says so; the others go on.
        codes = set()
        for _ in range(40 * REPLICAS):
            answer = caller.once("POST", f"{gallery}/identify", json={"descriptors": [descriptor(PEOPLE["ann"])]})
            if answer.is_success:
                assert (names(answer.json()), answer.json()["degraded"]) == (["ann"], True)
            codes.add(answer.json().get("code"))
        assert codes - {"stage_unavailable"} <= {None, "store_unavailable"}
        assert None in codes
    finally:
        come_back()
    until(lambda: _is_ready(server), "it does not notice that the store is back")

    def caught_up() -> bool:
        answers = [caller.identify(gallery, *PEOPLE.values()) for _ in range(10 * REPLICAS)]
        assert all(names(answer) == list(PEOPLE) for answer in answers)
        return all(answer["gallery_version"] == version and not answer["degraded"] for answer in answers)

    until(caught_up, "it goes on being degraded")
    assert [each["photos"] for each in caller("GET", f"{gallery}/people")["people"]] == [1, 1, 1]
    assert caller.enrol(gallery, "ann", photo(PEOPLE["ann"], 9))["gallery_version"] == version + 1


def _lose(server: Server, database: RedisProcess, caller: Caller, loss: str, folder: Path) -> dict[str, int]:
    """Make Redis lose data that every gallery actor knows; return the people whom they know, and their kinds."""
    gallery, older = loss.replace(" ", "-"), None
    fill(server, caller, gallery)
    known = dict(PEOPLE)
    if loss == "flushed":
        with redis.Redis(port=database.port) as client:
            client.flushall()
        return known
    database.kill()
    if loss == "an older dump":
        older = shutil.copytree(database.folder, folder / "older")
        database.start()
        until(lambda: _is_ready(server), "it does not notice that the store is back")
        caller("POST", f"{gallery}/people", json={"name": "di", "id": "di"}, tries=5)
        caller.enrol(gallery, "di", photo(44, 0), tries=5)
        known["di"] = 44
        for _ in range(20 * REPLICAS):
            assert names(caller.identify(gallery, 44)) == ["di"]
        database.kill()
    shutil.rmtree(database.folder)
    if older is None:
        database.folder.mkdir()
    else:
        shutil.copytree(older, database.folder)
    database.start()
    return known


@pytest.mark.parametrize("loss", ["flushed", "restarted empty", "an older dump"])
def test_lost_data_are_said_to_be_lost(
    server: Server, database: RedisProcess, caller: Caller, loss: str, tmp_path: Path
) -> None:
    gallery = loss.replace(" ", "-")
    known = _lose(server, database, caller, loss, tmp_path)
    reasons = set()

    def named() -> bool:
        answer = caller.identify(gallery, *known.values(), tries=5)
        assert names(answer) == list(known), "people were taken for erased"
        reasons.add(answer["degraded_reason"])
        return bool(answer["degraded_reason"] == "store_went_back")

    until(named, "the loss is not noticed")
    assert reasons <= {"store_unavailable", "store_went_back"}
    until(lambda: {ready(server).get("store") for _ in range(5 * REPLICAS)} == {"went_back"}, "/readyz does not tell")
    about = ready(server)
    assert about["status"] == "degraded"
    assert "without having been erased" in about["detail"]
    for method, path in (("PUT", gallery), ("DELETE", f"{gallery}/people/ann"), ("GET", f"{gallery}/people")):
        refused = caller.once(method, path)
        assert (refused.status_code, refused.json()["code"]) == (503, "store_went_back"), path
        assert int(refused.headers["retry-after"]) >= 1

    actors = Processes(server.pid, ACTOR)
    actors.wait_for_another(actors.kill_one())  # nor does one that starts now take it for the truth
    for _ in range(30 * REPLICAS):
        answer = caller.once("POST", f"{gallery}/identify", json={"descriptors": [descriptor(PEOPLE["ann"])]})
        if answer.is_success:
            assert (names(answer.json()), answer.json()["degraded_reason"]) == (["ann"], "store_went_back")
        else:
            assert answer.json()["code"] in ("store_went_back", "stage_unavailable")

    lost = [each for each in ("default", gallery) if _refused(caller, each)]
    assert gallery in lost
    if loss == "flushed":
        caller("DELETE", gallery)
        lost.remove(gallery)
    for each in lost:
        caller("POST", f"{each}/accept")
    if loss == "an older dump":
        assert names(caller.identify(gallery, *known.values())) == [*PEOPLE, NOT_IN_DATASET]
    else:
        gone = caller.once("POST", f"{gallery}/identify", json={"descriptors": [descriptor(1)]})
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_gallery")
        caller("PUT", gallery)
        assert names(caller.identify(gallery, *PEOPLE.values())) == [NOT_IN_DATASET] * len(PEOPLE)
    _accept_all(server, caller)


def _refused(caller: Caller, gallery: str) -> bool:
    return bool(caller.once("GET", gallery).json().get("code") == "store_went_back")


def _accept_all(server: Server, caller: Caller) -> None:
    """Accept what other tests' galleries lost: all were in the same Redis."""
    names = ["default", "fresh", "killed", "away-dead", "away-hung", "flushed", "restarted-empty", "an-older-dump"]
    for name in names:
        if _refused(caller, name):
            caller("POST", f"{name}/accept")
    until(lambda: _is_ready(server), "it goes on being degraded after all was accepted")


def test_the_whole_server_killed_and_started_again(server: Server, database: RedisProcess, caller: Caller) -> None:
    """As in test_server, on Redis that is killed with it."""
    fill(server, caller, "both")
    acknowledged: list[str] = []

    def write(caller: Caller) -> None:
        answer = caller.enrol("both", "ann", photo(PEOPLE["ann"], len(acknowledged) + 1), tries=20)
        acknowledged.extend(each["photo_id"] for each in answer["enrolled"])

    with traffic(server.url) as running:
        running.go(write)
        until(lambda: running.goes_on() and len(acknowledged) > 10, "nothing is written")
        server.kill()
        database.kill()
        before = len(acknowledged)
        database.start()
        server.start()
        until(lambda: running.goes_on() and len(acknowledged) > before + 5, "it is not written on")
    kept = caller("GET", "both/people/ann/photos")["photos"]
    assert set(acknowledged) <= {each["id"] for each in kept}
    assert len(kept) == len({each["id"] for each in kept})
    assert names(caller.identify("both", *PEOPLE.values())) == list(PEOPLE)
