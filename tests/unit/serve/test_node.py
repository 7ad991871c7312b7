"""How a node of a cluster is told where the head is, what it opens, and where the head keeps its state."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from facegroup.cli.cluster_ports import NODE, needed
from facegroup.errors import InvalidSettings
from facegroup.settings import load
from serve import node
from serve.ports import SINGLE, held_by_node, node_variables

TOKEN = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("127.0.0.1", "127.0.0.1:6380"),
        ("127.0.0.1:7000", "127.0.0.1:7000"),
        ("localhost:7000", "127.0.0.1:7000"),
        ("::1", "[::1]:6380"),
    ],
)
def test_the_heads_address(given: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(host: str, port: int, **_: object) -> list[object]:
        assert host in ("localhost", "127.0.0.1", "::1")
        return [(None, None, None, "", ("127.0.0.1" if host == "localhost" else host, port))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    assert node._head(given, 6380) == address


@pytest.mark.parametrize(
    "given", ["", "no such host.invalid", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:65536", ":7000"]
)
def test_an_address_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(InvalidSettings, match="--join"):
        node._head(given, 6380)


def test_only_the_head_is_told_of_its_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_REDIS_ADDRESS", "RAY_external_storage_namespace"):
        monkeypatch.delenv(name, raising=False)
    given = load(node={"redis": "rediss://me:p%40ss@state:7000"})
    (tmp_path / "head").mkdir()
    (tmp_path / "other").mkdir()
    head = node.variables(given, tmp_path / "head", TOKEN, head=True)
    other = node.variables(given, tmp_path / "other", TOKEN, head=False)
    assert head["RAY_REDIS_ADDRESS"] == "rediss://state:7000"
    assert head["RAY_external_storage_namespace"] == head["FACEGROUP_INSTANCE"]
    assert "RAY_REDIS_ADDRESS" not in other
    assert "p%40ss" not in str(head)
    assert node._redis_login(given.node) == {"redis_username": "me", "redis_password": "p@ss"}
    assert node._redis_login(load().node) == {}
    for name in ("FACEGROUP_INSTANCE", "HAPROXY_SECRET"):  # by which the nodes of one cluster know each other
        assert head[name] == other[name]


@pytest.mark.parametrize("given", ["redis", "http://redis:6379", "redis://redis:6379/0", "redis://", "sqlite:///x"])
def test_what_is_no_redis_is_refused(given: str) -> None:
    with pytest.raises(InvalidSettings, match=r"node\.redis"):
        load(node={"redis": given})


@pytest.mark.parametrize("given", ["first", "10.0.0", "10.0.0.1:80", ""])
def test_the_own_address_is_an_ip_address(given: str) -> None:
    with pytest.raises(InvalidSettings, match=r"node\.address"):
        load(node={"address": given})


def test_a_port_that_is_taken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.ports._END_SECONDS", 0.0)
    given = load(node={"port": 31_900, "ports": 31_000}).node
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 31_901))
        with pytest.raises(InvalidSettings, match="port 31901 is in use"):
            held_by_node(given, head=False).__enter__()
    with held_by_node(given, head=True) as ports:
        assert ports.pop("gcs_server_port") == 31_900
        assert {name: ports[name] for name in NODE} == {name: 31_900 + place for name, place in NODE.items()}
        with pytest.raises(InvalidSettings, match=r"port 31000 is in use.*FACEGROUP_NODE__PORTS"):
            held_by_node(given, head=False).__enter__()
    told = node_variables(31_000)
    assert {int(told[name]) for name in SINGLE} == {31_000, 31_001}


def test_the_ports_are_those_that_facegroup_ports_tells() -> None:
    given = load(node={"port": 31_900, "ports": 31_000})
    told = needed(given, {})
    with held_by_node(given.node, head=True) as ports:
        opened = {*ports.values(), *(int(each) for name, each in node_variables(31_000).items() if "HTTP" in name)}
    assert not [port for port in opened if not any(port in each for each in told)]


@pytest.mark.parametrize("words", [[], ["--head", "--join", "first"], ["--head", "--cpus", "-1"]])
def test_the_command_says_what_it_wants(words: list[str]) -> None:
    command = [str(Path(sys.executable).with_name("facegroup")), "node", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
