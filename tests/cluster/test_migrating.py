"""A migration while writers write, and everything that takes part in it is killed: it goes on, and nothing is lost.

A real `facegroup migrate`, two gallery actors behind HAProxy, a Redis of its own; the networks are simulated.
"""

import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import redis

from facegroup.errors import UnknownGallery
from facegroup.store import open_store
from facegroup.store.contract import Store
from facegroup.store.staging import migration_copy, previous_copy
from tests.cluster.moving import NEW, SIMULATED, Move, Writer, apart, moved_descriptor
from tests.cluster.server import Server
from tests.cluster.test_faults import names, until
from tests.cluster.traffic import NETWORK, Caller, descriptor, photo, traffic
from tests.conftest import RedisProcess

SLOW_MS = 120
PHOTOS = 8  # so that a batch of the migration is a few people
*_KINDS, GUEST = apart(21)
KINDS = {f"p{kind:03d}": kind for kind in _KINDS}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    folder = tmp_path_factory.mktemp("migrating") / "redis"
    folder.mkdir()
    process = RedisProcess(folder)
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="module")
def server(database: RedisProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    actors = {"FACEGROUP_MATCHER__REPLICAS": "2", "FACEGROUP_MATCHER__NUM_CPUS": "0.2"}
    where = {"FACEGROUP_STORE": database.url, "FACEGROUP_NETWORK": NETWORK}
    server = Server(tmp_path_factory.mktemp("server"), **where, **SIMULATED, **actors)
    server.start()
    yield server
    server.close()


@pytest.fixture
def caller(server: Server) -> Iterator[Caller]:
    caller = Caller(server.url)
    yield caller
    caller.close()


@pytest.fixture
def store(database: RedisProcess) -> Iterator[Store]:
    store = open_store(database.url)
    yield store
    store.close()


def fill(caller: Caller, gallery: str) -> None:
    caller("PUT", gallery)
    for person, kind in KINDS.items():
        caller("PUT", f"{gallery}/people/{person}", json={"name": person})
        caller.enrol(gallery, person, *(photo(kind, number) for number in range(PHOTOS)))


def people_on(store: Store, copy: str) -> int:
    try:
        return store.gallery(copy).people
    except UnknownGallery:
        return 0


def begun(move: Move, store: Store, gallery: str, least: int) -> int:
    """Wait until so many people are done; return how many."""
    until(lambda: not move.runs() or people_on(store, migration_copy(gallery)) >= least, "the migration does nothing")
    assert move.runs(), move.end()
    return people_on(store, migration_copy(gallery))


def served(caller: Caller, gallery: str) -> None:
    """The old network's people are named, all of them rightly."""
    answer = caller.identify(gallery, *KINDS.values(), tries=20)
    assert names(answer) == list(KINDS)


def moved(store: Store, gallery: str, writers: list[Writer]) -> None:
    """All that was acknowledged is in the gallery of the new network, once, and nothing else."""
    assert store.gallery(gallery).network == NEW.name
    centroids = store.centroids(gallery)
    assert centroids.matrix.shape[1] == NEW.dimension
    rows = dict(zip(centroids.ids, centroids.matrix, strict=True))
    for person, kind in KINDS.items():
        np.testing.assert_allclose(rows[person], moved_descriptor(kind), atol=1e-5)
    for writer in writers:
        for guest in writer.gone:
            assert guest not in rows
    for person in {*KINDS, *(each for writer in writers for each in writer.acknowledged)}:
        kept = [sample.id for sample in store.samples(gallery, person)]
        wanted = {each for writer in writers for each in writer.acknowledged.get(person, ())}
        assert wanted <= set(kept), f"{len(wanted - set(kept))} acknowledged photos of {person} are lost"
        assert len(kept) == len(set(kept))
        assert len(kept) <= PHOTOS * (person in KINDS) + sum(writer.asked.get(person, 0) for writer in writers)


def refused(caller: Caller, gallery: str) -> None:
    """The server of the old network says that it is not its gallery any more."""
    for method, path, body in (
        ("POST", "identify", {"json": {"descriptors": [descriptor(1)]}}),
        ("POST", f"people/{next(iter(KINDS))}/photos", {"files": [("photos", photo(1, 1))]}),
    ):
        answer = caller.once(method, f"{gallery}/{path}", **body)
        assert (answer.status_code, answer.json()["code"]) == (409, "network_mismatch")


def forgotten(store: Store, gallery: str, writers: list[Writer]) -> int:
    """Take the photos that Redis lost out of those that it must have; return how many."""
    lost = 0
    for writer in writers:
        for person, ids in list(writer.acknowledged.items()):
            kept = {sample.id for sample in store.samples(gallery, person)}
            lost += len(ids) - len(kept.intersection(ids))
            ids[:] = [each for each in ids if each in kept]
    return lost


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_killed_and_then_its_store_the_same_command_goes_on(
    server: Server, database: RedisProcess, caller: Caller, store: Store, policy: str
) -> None:
    gallery = f"moved-{policy}"
    with redis.Redis(port=database.port) as client:
        client.config_set("appendfsync", policy)
    fill(caller, gallery)
    writers = [Writer(gallery, KINDS, GUEST, number) for number in (1, 2)]
    with traffic(server.url) as running:
        for writer in writers:
            running.go(writer.write)

        def written(more: int = 5) -> None:
            wanted = [writer.done + more for writer in writers]
            until(
                lambda: running.goes_on() and all(w.done >= n for w, n in zip(writers, wanted, strict=True)),
                "the writers do not go on",
            )

        written()
        first = Move(database.url, gallery, SLOW_MS)
        begun(first, store, gallery, 3)
        first.kill()
        done = people_on(store, migration_copy(gallery))
        assert 0 < done < len(KINDS)
        served(caller, gallery)
        written()
        second = Move(database.url, gallery, SLOW_MS)
        begun(second, store, gallery, done + 1)
        database.kill()
        status, said = second.end()
        assert (status, "(store_unavailable)" in said) == (2, True), said
        database.start()
        until(lambda: _settled(server), "not ready after Redis was killed")
        if not _is_ready(server):
            assert policy == "everysec"
            caller("POST", f"{gallery}/accept")
            print(f"\nRedis can lose writes at {policy}, and did: {forgotten(store, gallery, writers)}", end="")
        served(caller, gallery)
        written()
        done = people_on(store, migration_copy(gallery))
        start = time.monotonic()
        answer = Move(database.url, gallery, 0).result()
        print(f"\n{policy}: {done} of {len(KINDS)} people were done; resumed, {time.monotonic() - start:.1f} s", end="")
        until(lambda: running.goes_on() and all(w.refused for w in writers), "the writers were not told of the switch")
    assert answer["missing"] == []
    print(f", {answer['embedded']} embedded, {sum(w.done for w in writers)} photos enrolled meanwhile")
    refused(caller, gallery)
    moved(store, gallery, writers)
    assert store.gallery(previous_copy(gallery)).network == NETWORK


def test_the_server_killed_meanwhile(server: Server, database: RedisProcess, caller: Caller, store: Store) -> None:
    """The migration asks nothing of it; a server of the new network then knows everybody, and takes what comes."""
    gallery = "left"
    fill(caller, gallery)
    writers = [Writer(gallery, KINDS, GUEST, number) for number in (1, 2)]
    with traffic(server.url) as running:
        for writer in writers:
            running.go(writer.write)
        for each in running.callers:
            each.patience = 200  # longer than a server may take to start
        move = Move(database.url, gallery, SLOW_MS)
        begun(move, store, gallery, 3)
        server.kill()
        for writer in writers:
            writer.leave()
        assert move.result()["missing"] == []
        moved(store, gallery, writers)
        server.change(FACEGROUP_NETWORK=NEW.name, FACEGROUP_GALLERY="of-the-new")
        server.start()
    probes = {"descriptors": [moved_descriptor(kind).tolist() for kind in KINDS.values()], "threshold": 0.3}
    assert names(caller("POST", f"{gallery}/identify", json=probes)) == list(KINDS)
    person, kind = next(iter(KINDS.items()))
    before = store.person(gallery, person).samples
    caller.enrol(gallery, person, photo(kind, PHOTOS))
    assert store.person(gallery, person).samples == before + 1


def _settled(server: Server) -> bool:
    """Whether all is well, or Redis lost writes: it has no WAITAOF before 7.2, and the server warns of that."""
    return _is_ready(server) or _about(server).get("store") == "went_back"


def _is_ready(server: Server) -> bool:
    return _about(server).get("status") == "ready"


def _about(server: Server) -> dict[str, str]:
    try:
        answer: dict[str, str] = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=30).json()
    except (httpx.TransportError, ValueError):
        return {}
    return answer
