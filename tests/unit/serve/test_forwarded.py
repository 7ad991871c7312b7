"""Who a request comes from, by what proxies say."""

import asyncio
from typing import Any

import pytest

from facegroup.settings import load
from serve.api.forwarded import Forwarded

Named = tuple[str, ...]
PROXIES = ("10.0.0.1", "10.0.0.2", "2001:db8::/32")
OWN = ["x-forwarded-for: 10.0.0.1", "x-forwarded-proto: http"]


def asked(
    lines: list[str],
    named: Named = PROXIES,
    peer: str = "127.0.0.1",
    header: str = "x-forwarded-for",
    behind: bool = True,
) -> tuple[str, str]:
    """Return the client's address and scheme of a request with these headers."""
    found: list[tuple[str, str]] = []

    async def app(scope: Any, *_: object) -> None:
        found.append((scope["client"][0], scope["scheme"]))

    headers = [tuple(part.strip().encode("latin-1") for part in line.split(":", 1)) for line in lines]
    scope: Any = {"type": "http", "client": (peer, 1), "scheme": "http", "headers": headers}
    middleware = Forwarded(app, load(trusted_proxies=named, forwarded=header), behind=behind)
    given: Any = None
    asyncio.run(middleware(scope, given, given))
    return found[0]


def test_haproxy_says_who_asks_it() -> None:
    assert asked(["x-forwarded-for: 198.51.100.7", "x-forwarded-proto: https"]) == ("198.51.100.7", "https")
    assert asked(["x-forwarded-for: ::1", "x-forwarded-proto: http"]) == ("::1", "http")


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("192.0.2.1, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.2, 198.51.100.7", "198.51.100.7"),
        ("192.0.2.1, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("198.51.100.7:50123", "198.51.100.7"),
        ("[2001:db9::7]:50123", "2001:db9::7"),
        ("2001:db9::7", "2001:db9::7"),
        ("198.51.100.7, 2001:db8::1", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("198.51.100.7, ::ffff:10.0.0.2", "198.51.100.7"),
        ("10.0.0.2", "10.0.0.2"),
        ("192.0.2.1, unknown", "10.0.0.1"),
        ("192.0.2.1, <script>, 10.0.0.2", "10.0.0.2"),
        ("192.0.2.1, 999.1.1.1", "10.0.0.1"),
        (" , ,198.51.100.7,, ", "198.51.100.7"),
        ("", "10.0.0.1"),
    ],
)
def test_the_right_most_address_that_is_no_named_proxy_counts(said: str, client: str) -> None:
    assert asked([f"x-forwarded-for: {said}", *OWN])[0] == client
    assert asked([f"x-forwarded-for: {said}"], peer="10.0.0.1", behind=False)[0] == client


def test_several_lines_are_one_list() -> None:
    lines = ["x-forwarded-for: 192.0.2.1", "x-forwarded-for: 198.51.100.7", "x-forwarded-for: 10.0.0.2", *OWN]
    assert asked(lines)[0] == "198.51.100.7"


@pytest.mark.parametrize("behind", [True, False])
def test_others_are_not_believed(behind: bool) -> None:
    forged = [
        "x-forwarded-for: 192.0.2.1, 10.0.0.1",
        "x-forwarded-proto: https",
        "forwarded: for=192.0.2.1;proto=https",
    ]
    for header in ("x-forwarded-for", "forwarded"):
        assert asked(forged, peer="198.51.100.7", header=header, behind=behind) == ("198.51.100.7", "http")
    assert asked(forged, named=(), peer="10.0.0.1", behind=behind) == ("10.0.0.1", "http")
    assert asked(forged, named=("10.0.0.2",), peer="127.0.0.1", behind=False) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("addresses", "schemes", "scheme"),
    [
        ("198.51.100.7", "https", "https"),
        ("198.51.100.7", "HTTPS", "https"),
        ("198.51.100.7", "", "http"),
        ("198.51.100.7", "gopher", "http"),
        ("198.51.100.7, 10.0.0.2", "https", "https"),
        ("198.51.100.7, 10.0.0.2", "https, http", "https"),
        ("198.51.100.7, 10.0.0.2", "http, https", "http"),
        ("192.0.2.1, 198.51.100.7", "https, http", "http"),
        ("198.51.100.7", "https, http", "http"),
    ],
)
def test_the_scheme_is_that_of_the_same_hop(addresses: str, schemes: str, scheme: str) -> None:
    lines = [f"x-forwarded-for: {addresses}", f"x-forwarded-proto: {schemes}"]
    assert asked([*lines, *OWN]) == ("198.51.100.7", scheme)
    assert asked(lines, peer="10.0.0.1", behind=False) == ("198.51.100.7", scheme)


def test_a_proxy_on_the_same_machine() -> None:
    own = ["x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http"]
    said = ["x-forwarded-for: 198.51.100.7", "x-forwarded-proto: https"]
    assert asked([*said, *own], named=("127.0.0.1",)) == ("198.51.100.7", "https")
    assert asked(said, named=("127.0.0.0/8",), behind=False) == ("198.51.100.7", "https")
    assert asked(own, named=()) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ("for=198.51.100.7;proto=https", ("198.51.100.7", "https")),
        ("For=198.51.100.7; Proto=HTTPS;by=10.0.0.1;host=faces.lan", ("198.51.100.7", "https")),
        ('for="[2001:db9::7]:4711";proto=https', ("2001:db9::7", "https")),
        ('for="198.51.100.7:4711"', ("198.51.100.7", "http")),
        ("for=192.0.2.1;proto=http, for=198.51.100.7;proto=https, for=10.0.0.2;proto=http", ("198.51.100.7", "https")),
        ("for=192.0.2.1, for=_hidden", ("10.0.0.1", "http")),
        ('for="192.0.2.1', ("10.0.0.1", "http")),
        ("for=192.0.2.1;;", ("10.0.0.1", "http")),
        ('for="192.0.2.1, for=198.51.100.7";proto=https', ("10.0.0.1", "http")),
        ('for="19\\8.51.100.7"', ("198.51.100.7", "http")),
        ("", ("10.0.0.1", "http")),
    ],
)
def test_the_header_of_rfc_7239(said: str, client: tuple[str, str]) -> None:
    assert asked([f"forwarded: {said}", *OWN], header="forwarded") == client


def test_only_the_chosen_header_counts() -> None:
    said = ["x-forwarded-for: 192.0.2.1", "x-forwarded-proto: https", "forwarded: for=192.0.2.2;proto=https"]
    assert asked([*said, *OWN])[0] == "192.0.2.1"
    plain = {"peer": "10.0.0.1", "behind": False}
    assert asked(said, header="forwarded", **plain)[0] == "192.0.2.2"  # type: ignore[arg-type]


@pytest.mark.parametrize("peer", ["testclient", "", "::1%lo"])
def test_a_peer_without_an_address_is_left_alone(peer: str) -> None:
    assert asked(["x-forwarded-for: 192.0.2.1"], peer=peer, behind=False) == (peer, "http")
