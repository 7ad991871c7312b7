"""Which variables a server gives to Ray, and whom its HTTP library believes by them."""

import asyncio
import os
from typing import Any

import pytest
import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from serve.ray_environment import RAY, set_variables


def client(peer: str) -> str:
    """Return who sends a request of a peer that says to come from elsewhere."""
    trusted = uvicorn.Config("none").forwarded_allow_ips
    found: list[str] = []

    async def app(scope: Any, *_: object) -> None:
        found.append(scope["client"][0])

    said = [(b"x-forwarded-for", b"192.0.2.7")]
    scope: Any = {"type": "http", "client": (peer, 1), "scheme": "http", "headers": said}
    given: Any = None
    asyncio.run(ProxyHeadersMiddleware(app, trusted)(scope, given, given))
    return found[0]


@pytest.mark.parametrize("behind", ["1", "0", None])
def test_only_haproxy_says_where_requests_come_from(behind: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {} if behind is None else {"RAY_SERVE_ENABLE_HA_PROXY": behind})
    set_variables()
    assert client("127.0.0.1") == ("127.0.0.1" if behind == "0" else "192.0.2.7")
    assert client("198.51.100.1") == "198.51.100.1"


def test_a_variable_that_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"RAY_SERVE_ENABLE_HA_PROXY": "0", "FORWARDED_ALLOW_IPS": "198.51.100.1", "RAY_USAGE_STATS_ENABLED": "1"}
    monkeypatch.setattr(os, "environ", dict(given))
    set_variables()
    assert given.items() <= os.environ.items()
    assert RAY.keys() <= os.environ.keys()
    assert client("198.51.100.1") == "192.0.2.7"
