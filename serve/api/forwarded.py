"""ASGI middleware in front of all routes: the client's address and scheme, where proxies in front say them.

Each proxy appends whom it was asked by (X-Forwarded-For, or `for` of RFC 7239), so the right-most address that is not a
named proxy's is the client's: what stands left of it is the client's own claim. HAProxy is a part of the server. It passes
these headers on from named proxies only, and appends its own peer (serve/haproxy_config.py).
"""

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from facegroup.settings import Settings
from serve.haproxy_config import SECRET

_SCHEMES = ("http", "https")
_PAIR = re.compile(r'\s*(?P<name>[\w.~!#$%&\'*+^`|-]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s;,"]*))\s*')
_PORT = re.compile(r"(?P<v4>[0-9.]+)(:\d+)?|\[(?P<v6>[0-9A-Fa-f:.]+)\](:\d+)?")


@dataclass(frozen=True, slots=True)
class _Hop:
    """Whom a proxy was asked by, as it says: an address and a scheme, "" for what it does not say."""

    address: str
    scheme: str


class Forwarded:
    """Sets `client` and `scheme` of a request to those of the client, where named proxies say them.

    Args:
        app: the rest.
        settings: of the server: `trusted_proxies` and `forwarded`.
        behind: whether HAProxy is in front; None: as Ray's variable says.
    """

    def __init__(self, app: ASGIApp, settings: Settings, *, behind: bool | None = None) -> None:
        self._app = app
        self._named = [ipaddress.ip_network(each) for each in settings.trusted_proxies]
        self._in_one = settings.forwarded == "forwarded"
        self._guarded = bool(os.environ.get(SECRET))  # early_refusal.py lets nobody in but HAProxy, of whatever machine
        self._behind = os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1" if behind is None else behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope.get("client") is not None:
            self._set(scope)
        await self._app(scope, receive, send)

    def _set(self, scope: Scope) -> None:
        peer = _Hop(scope["client"][0], scope["scheme"])
        here = _address(peer.address)
        headers = Headers(scope=scope)
        if self._behind and here is not None and (self._guarded or here.is_loopback or self._is_named(here)):
            told = _listed(headers)
            if not told:
                return
            peer, told = told[-1], told[:-1]
        elif here is not None and self._is_named(here):
            told = _listed(headers)
        else:
            return
        client = self._client(peer, _elements(headers) if self._in_one else told)
        scope["client"] = (client.address, 0)
        scope["scheme"] = client.scheme

    def _client(self, peer: _Hop, told: Sequence[_Hop]) -> _Hop:
        """Return the right-most hop that is not of a named proxy."""
        client = peer
        for hop in reversed(told):
            address = _address(client.address)
            if address is None or not self._is_named(address):
                break
            before = _address(hop.address)
            if before is None:  # such as `unknown`: nobody knows more than whom it was
                break
            client = _Hop(str(before), hop.scheme if hop.scheme in _SCHEMES else client.scheme)
        return client

    def _is_named(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address in network for network in self._named)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address that is written alone or with a port."""
    found = _PORT.fullmatch(text)
    try:
        ip = ipaddress.ip_address((found["v4"] or found["v6"]) if found else text)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def _listed(headers: Headers) -> list[_Hop]:
    """Return what X-Forwarded-For and X-Forwarded-Proto say; with fewer schemes than addresses, the first one counts."""
    addresses, schemes = (
        [each.strip() for each in ",".join(headers.getlist(name)).split(",") if each.strip()]
        for name in ("x-forwarded-for", "x-forwarded-proto")
    )
    missing = len(addresses) - len(schemes)
    schemes = [*(schemes[:1] or [""]) * missing, *schemes][-len(addresses) :] if addresses else []
    return [_Hop(address, scheme.lower()) for address, scheme in zip(addresses, schemes, strict=True)]


def _elements(headers: Headers) -> list[_Hop]:
    """Return what Forwarded says (RFC 7239, section 4); of a header that cannot be read, nothing."""
    hops: list[_Hop] = []
    for line in headers.getlist("forwarded"):
        pairs: dict[str, str] = {}
        at = 0
        while at < len(line):
            found = _PAIR.match(line, at)
            if found is None:
                return []
            quoted = found["quoted"]
            pairs[found["name"].lower()] = found["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            at = found.end()
            if at == len(line) or line[at] == ",":
                hops.append(_Hop(pairs.get("for", ""), pairs.get("proto", "").lower()))
                pairs = {}
            elif line[at] != ";":
                return []
            at += 1
    return hops
