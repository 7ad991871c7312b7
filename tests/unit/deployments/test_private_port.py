"""On which addresses a replica takes the calls of other replicas, and HAProxy's requests."""

import asyncio
import importlib
import re
import socket
import warnings
from typing import Any

import pytest
import ray

from deployments import private_port
from facegroup.errors import SetupError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Ray's own, of pydantic
    importlib.import_module("ray.serve")
    replica = importlib.import_module("ray.serve._private.replica")


@pytest.mark.parametrize(
    ("node", "bound"), [("127.0.0.1", "127.0.0.1:0"), ("10.0.0.7", "10.0.0.7:0"), ("fd00::7", "[fd00::7]:0")]
)
def test_it_is_the_nodes_own(node: str, bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def add(server: Any, address: str) -> int:
        asked.append(address)
        return 7

    monkeypatch.setattr(replica, "add_port_to_grpc_server", add)  # restored afterwards
    monkeypatch.setattr(private_port, "add_port_to_grpc_server", add)
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: node)
    private_port.close()
    opened: Any = vars(replica)["add_port_to_grpc_server"]
    assert opened(None, "[::]:0") == 7
    assert asked == [bound]
    for other in ("0.0.0.0:0", "[::1]:0", "unix:/tmp/x"):  # a Ray that does it in another way
        with pytest.raises(SetupError, match=re.escape(other)):
            opened(None, other)
    assert asked == [bound]


@pytest.mark.parametrize("said", ["0.0.0.0", "127.0.0.3"])
def test_haproxy_finds_it_at_the_nodes_own(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    util = importlib.import_module("ray.serve._private.http_util")
    config = importlib.import_module("ray.serve.config")
    bound: list[Any] = []

    class Server:
        async def serve(self, sockets: list[socket.socket]) -> None:
            bound.extend(each.getsockname() for each in sockets)
            sockets[0].close()

    monkeypatch.setattr(util, "socket", socket)  # restored afterwards
    monkeypatch.setattr(util.uvicorn, "Server", lambda config: Server())
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "127.0.0.2")
    private_port.close_http()

    async def start() -> None:
        options = config.HTTPOptions(host=said, port=0)
        task, _ = await util.start_asgi_http_server(None, options, event_loop=asyncio.get_running_loop())
        await task

    asyncio.run(start())
    assert [address for address, _ in bound] == ["127.0.0.2"]
