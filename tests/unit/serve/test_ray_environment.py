"""Which variables a server gives to Ray, and whom its HTTP library believes by them."""

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest
import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from facegroup.settings import load
from serve.api.forwarded import Forwarded
from serve.ray_environment import CLUSTER, RAY, set_variables


def client(peer: str, *, behind: bool = False) -> str:
    """Return who sends a request of a peer that says to come from elsewhere."""
    trusted = uvicorn.Config("none").forwarded_allow_ips
    found: list[str] = []

    async def app(scope: Any, *_: object) -> None:
        found.append(scope["client"][0])

    said = [(b"x-forwarded-for", b"192.0.2.7"), (b"x-forwarded-proto", b"http")]
    scope: Any = {"type": "http", "client": (peer, 1), "scheme": "http", "headers": said}
    given: Any = None
    own: Any = Forwarded(app, load(), behind=behind)
    asyncio.run(ProxyHeadersMiddleware(own, trusted)(scope, given, given))
    return found[0]


@pytest.mark.parametrize("behind", ["1", "0", None])
def test_only_haproxy_says_where_requests_come_from(behind: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {} if behind is None else {"RAY_SERVE_ENABLE_HA_PROXY": behind})
    set_variables()
    assert client("127.0.0.1", behind=behind != "0") == ("127.0.0.1" if behind == "0" else "192.0.2.7")
    assert client("198.51.100.1", behind=behind != "0") == "198.51.100.1"


def test_a_variable_that_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"RAY_SERVE_ENABLE_HA_PROXY": "0", "FORWARDED_ALLOW_IPS": "198.51.100.1", "RAY_USAGE_STATS_ENABLED": "1"}
    monkeypatch.setattr(os, "environ", dict(given))
    set_variables()
    assert given.items() <= os.environ.items()
    assert RAY.keys() <= os.environ.keys()
    assert client("198.51.100.1") == "192.0.2.7"


def test_on_a_cluster_silent_machines_are_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"RAY_health_check_period_ms": "500"}
    monkeypatch.setattr(os, "environ", dict(given))
    set_variables(cluster=True)
    assert os.environ.items() >= {**CLUSTER, **given}.items()
    assert os.environ.keys() >= RAY.keys()
    assert client("198.51.100.1", behind=True) == "198.51.100.1"
    monkeypatch.setenv("HAPROXY_SECRET", "x" * 32)
    assert client("198.51.100.1", behind=True) == "192.0.2.7"  # early_refusal.py lets nobody else in
    monkeypatch.setattr(os, "environ", {})
    set_variables()
    assert not [name for name in os.environ if "health_check" in name]


def test_a_node_is_at_an_address_that_others_cannot_reach() -> None:
    """So it is on a machine with a network, where Ray would choose the address of that."""
    script = """
from serve.ray_environment import set_variables
set_variables()
from ray._private import services
services.node_ip_address_from_perspective = lambda *_: "198.51.100.1"
print(services.resolve_ip_for_localhost("127.0.0.1"), services.get_node_ip_address())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize("module", ["serve.commands", "serve.launch", "facegroup.cli.app"])
def test_ray_is_not_imported_before_its_environment_is_set(module: str) -> None:
    """It reads the environment when it is imported: a server could not authenticate to its own Ray."""
    program = f"import sys, {module}; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
