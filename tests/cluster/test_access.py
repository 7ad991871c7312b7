"""Keys on real servers: two on one Redis, each with two ingress processes, and what is refused before anything starts."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from facegroup.client import Client
from facegroup.errors import Unauthorised
from tests.cluster.server import Server, listening
from tests.cluster.test_two_servers import SIMULATED, ports
from tests.cluster.traffic import NETWORK
from tests.conftest import RedisProcess

TRIES = 24
"""Requests on new connections, so that each ingress process gets some."""


def status(url: str, key: str, path: str = "/v1/galleries") -> int:
    return httpx.get(url + path, headers={"x-api-key": key}, trust_env=False, timeout=30).status_code


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path_factory.mktemp("redis"))
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="module")
def servers(redis: RedisProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers of one store that listen on all addresses; the start of the first makes the first key."""
    started = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp(name)
        server = Server(
            folder,
            FACEGROUP_STORE=redis.url,
            FACEGROUP_NETWORK=NETWORK,
            FACEGROUP_HOST="0.0.0.0",
            FACEGROUP_INGRESS__REPLICAS="2",
            FACEGROUP_ACCESS__FIRST_KEY=str(folder / "admin.key"),
            **SIMULATED,
        )
        server.start()
        started.append(server)
    yield started
    for server in started:
        server.close()


@pytest.fixture(scope="module")
def admin(servers: list[Server]) -> str:
    return Path(servers[0].setting("FACEGROUP_ACCESS__FIRST_KEY")).read_text().strip()


def test_the_first_start_makes_the_first_key_and_says_where(servers: list[Server], admin: str) -> None:
    one, two = servers
    assert one.setting("FACEGROUP_ACCESS__FIRST_KEY") in one.log()
    assert admin not in one.log()
    assert not Path(two.setting("FACEGROUP_ACCESS__FIRST_KEY")).exists()
    for server in servers:
        assert status(server.url, admin) == 200
        answer = httpx.get(f"{server.url}/v1/galleries", trust_env=False)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert httpx.get(f"{server.url}/readyz", trust_env=False).json() == {"status": "ready"}
        assert httpx.get(f"{server.url}/healthz", trust_env=False).json() == {"status": "ok"}
        assert httpx.get(f"{server.url}/metrics", trust_env=False).status_code == 401
        assert status(server.url, admin, "/metrics") == 200


def test_a_replicas_own_port_asks_for_a_key_too(servers: list[Server], admin: str) -> None:
    asked = 0
    for port in sorted(ports(servers[0]) & set(range(20_000, 30_000))):
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/v1/galleries", trust_env=False, timeout=5)
        except httpx.TransportError:
            continue  # it speaks something else
        assert answer.status_code in (401, 404, 503), port
        asked += answer.status_code == 401
    assert asked >= 2, "the ingress processes were not found"


def test_others_reach_the_servers_own_port_only(servers: list[Server]) -> None:
    for server in servers:
        own = listening(server)
        assert len(own) > 10, "ss does not tell the server's ports"
        off = {each for each in own if not each.startswith(("127.0.0.1:", "[::ffff:127.0.0.1]:", "[::1]:"))}
        assert {each.rpartition(":")[2] for each in off} == {server.url.rpartition(":")[2]}, off


def test_a_revoked_key_is_refused_by_all_at_the_next_request(servers: list[Server], admin: str) -> None:
    with Client(servers[0].url, key=admin) as client:
        made = client.call("POST", "/v1/keys", json={"scopes": ["identify", "events"]})
        key = made["key"]
        for server in servers:
            assert {status(server.url, key) for _ in range(TRIES)} == {200}
        stream = f"{servers[1].url}/v1/sightings/stream"
        with httpx.stream("GET", stream, headers={"x-api-key": key}, trust_env=False, timeout=60) as answer:
            assert answer.status_code == 200
            client.call("DELETE", f"/v1/keys/{made['id']}")
            for server in servers:
                assert {status(server.url, key) for _ in range(TRIES)} == {401}
            for _ in answer.iter_lines():
                pass  # it ends
    with Client(servers[1].url, key=key, patience=0) as client, pytest.raises(Unauthorised):
        client.galleries()


def test_known_keys_go_on_while_the_store_is_away(servers: list[Server], admin: str, redis: RedisProcess) -> None:
    for _ in range(TRIES):
        assert status(servers[0].url, admin) == 200
    redis.kill()
    try:
        told = {
            httpx.get(f"{servers[0].url}/v1/galleries", headers={"x-api-key": admin}, trust_env=False, timeout=30)
            .json()
            .get("code")
            for _ in range(TRIES)
        }
        assert told == {"store_unavailable"}  # it was admitted, and the galleries cannot be read
        assert status(servers[0].url, "fg_wrong") == 401
    finally:
        redis.start()


@pytest.mark.parametrize(("host", "code"), [("0.0.0.0", "no_keys"), ("::", "no_keys")])
def test_no_start_off_loopback_without_keys(tmp_path: Path, host: str, code: str) -> None:
    server = Server(
        tmp_path,
        FACEGROUP_STORE=f"sqlite:///{tmp_path}/g.db",
        FACEGROUP_NETWORK=NETWORK,
        FACEGROUP_HOST=host,
        **SIMULATED,
    )
    assert server.refused() == 2
    last = server.log().splitlines()[-1]
    assert f"facegroup keys add --role admin --store sqlite:///{tmp_path}/g.db" in last
    assert last.endswith(f"({code})")


def test_open_is_open_and_says_so(tmp_path: Path) -> None:
    server = Server(
        tmp_path,
        FACEGROUP_STORE=f"sqlite:///{tmp_path}/g.db",
        FACEGROUP_NETWORK=NETWORK,
        FACEGROUP_HOST="0.0.0.0",
        FACEGROUP_ACCESS__MODE="open",
        **SIMULATED,
    )
    server.start()
    try:
        assert httpx.get(f"{server.url}/v1/galleries", trust_env=False).status_code == 200
        assert server.log().count("this server is open") >= 2  # at the start, and by the process that answers
    finally:
        server.close()
