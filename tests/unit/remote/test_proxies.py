"""Proxies of the environment: never before this machine itself, and named where one is in the way."""

import os
import socket
from collections.abc import Iterator

import pytest

from facegroup.client import Client
from facegroup.errors import InvalidSettings, MalformedRequest, StageUnavailable
from facegroup.remote.proxies import forget, is_here, proxy_for
from tests.unit.test_client import Stub

DEAD = "http://user:secret@127.0.0.1:9"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.close()


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("proxy", [DEAD, "socks5://127.0.0.1:9", "127.0.0.1:9", "nonsense://127.0.0.1:9"])
def test_loopback_is_never_asked_through_a_proxy(
    server: Stub, monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str
) -> None:
    monkeypatch.setenv(variable, proxy)
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
        with Client(url) as client:
            assert client.gallery("g").name == "g"


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:8000", "http://127.9.9.9", "http://[::1]:8000", "http://localhost", "http://0.0.0.0:8000"),
        *("http://[::ffff:127.0.0.1]:1", "http://a.localhost:1", "https://localhost:443", "http://u:p@127.0.0.1:1"),
    ],
)
def test_what_is_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, DEAD)
    assert proxy_for(url) is None


def test_an_address_of_its_own_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", DEAD)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("needs an interface beside loopback")
        own = probe.getsockname()[0]
    assert is_here(own)
    assert proxy_for(f"http://{own}:8000") is None


@pytest.mark.parametrize(
    ("variable", "url", "through"),
    [
        ("http_proxy", "http://192.0.2.1:8000", "http_proxy"),
        ("ALL_PROXY", "http://192.0.2.1:8000", "all_proxy"),
        ("https_proxy", "https://192.0.2.1", "https_proxy"),
        ("https_proxy", "http://192.0.2.1", None),
        ("http_proxy", "http://no.such.host.invalid", "http_proxy"),
    ],
)
def test_elsewhere_it_is_taken(monkeypatch: pytest.MonkeyPatch, variable: str, url: str, through: str | None) -> None:
    monkeypatch.setenv(variable, DEAD)
    found = proxy_for(url)
    assert (None if found is None else found.variable) == through
    monkeypatch.setenv("no_proxy", "192.0.2.1,.invalid")
    assert proxy_for(url) is None


def test_the_message_names_the_proxy_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", DEAD)
    with Client("http://192.0.2.1:8000") as client, pytest.raises(StageUnavailable) as caught:
        client.gallery("g")
    assert "through the proxy http://127.0.0.1:9 (http_proxy in the environment)" in caught.value.detail
    assert "secret" not in caught.value.detail


def test_what_the_proxy_answers_is_not_taken_for_the_servers(server: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    server.judge = lambda method, path, photos: "503"
    with Client("http://192.0.2.1:8000", patience=0) as client, pytest.raises(StageUnavailable, match="or the proxy"):
        client.gallery("g")


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("socks5://127.0.0.1:9", "socksio"),
        ("socks5h://u:secret@127.0.0.1:9", "socksio"),
        ("gopher://127.0.0.1:9", "all_proxy"),
        ("socks4://[", "all_proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_line(monkeypatch: pytest.MonkeyPatch, proxy: str, said: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(InvalidSettings) as caught:
        Client("http://192.0.2.1:8000")
    assert said in caught.value.detail
    assert "secret" not in caught.value.detail
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "localhost:8000", "ftp://x", "http://", "", "http://[::1", "http://x:p"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(MalformedRequest, match="address"):
        Client(url)


def test_what_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTPS_PROXY", "All_Proxy", "grpc_proxy"):
        monkeypatch.setenv(name, DEAD)
    kept = {"no_proxy": "localhost", "RAY_SERVE_ENABLE_HA_PROXY": "1", "MY_PROXY_LIST": "a"}
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    forget()
    assert kept.items() <= os.environ.items()
    assert not {name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")}
