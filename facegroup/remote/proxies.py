"""Finds the proxy in the environment for an address.

`http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` are read as urllib reads them. This machine itself is never reached
through a proxy: a proxy elsewhere would ask its own loopback.
"""

import ipaddress
import os
import socket
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from facegroup.errors import InvalidSettings, MalformedRequest
from facegroup.remote.authorities import trusting

_VARIABLES = {f"{scheme}_proxy" for scheme in ("http", "https", "all", "ftp", "ws", "wss", "socks", "grpc")}
"""Whole names: RAY_SERVE_ENABLE_HA_PROXY ends with _proxy, too."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and the variable that names it."""

    url: str
    variable: str

    def __str__(self) -> str:
        scheme, _, rest = self.url.partition("://")
        where = rest.rpartition("@")[2].partition("/")[0]  # without user and password
        return f"the proxy {scheme}://{where} ({self.variable} in the environment)"


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy that the environment names for a server's URL, or None to reach it directly."""
    parts = urlsplit(url)
    known = urllib.request.getproxies()
    found = next((name for name in (parts.scheme, "all") if known.get(name)), None)
    host = parts.hostname or ""
    if found is None or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]) or is_here(host):
        return None
    address = known[found]
    return Proxy(address if "://" in address else f"http://{address}", f"{found}_proxy")


def transport(url: str, ca: str | os.PathLike[str] | None = None) -> tuple[httpx.HTTPTransport, Proxy | None]:
    """Return httpx's transport to a server, and the proxy that it uses.

    Args:
        url: of the server.
        ca: PEM file of certificate authorities that are trusted beside the usual ones; None: no others.

    Raises:
        MalformedRequest: the URL is not an address of a server.
        InvalidSettings: the proxy or the authorities cannot be used.
    """
    try:
        asked = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise MalformedRequest(f"{url!r} is not an address of a server: {error}") from error
    if asked.scheme not in ("http", "https") or not asked.host:
        raise MalformedRequest(f"{url!r} is not an address of a server; write http://host:port")
    proxy = proxy_for(str(asked))
    try:
        return httpx.HTTPTransport(verify=trusting(ca), proxy=None if proxy is None else proxy.url), proxy
    except ImportError as error:
        raise InvalidSettings(
            f"{proxy} needs the package socksio: pip install 'httpx[socks]', or name the server in no_proxy"
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise InvalidSettings(f"{proxy} cannot be used: {error}") from error


def open_client(url: str, **options: Any) -> httpx.Client:
    """Return a client for a download. It uses the environment's proxies, also for redirections.

    Raises:
        InvalidSettings: the proxy cannot be used.
    """
    try:
        return httpx.Client(**options)
    except ImportError as error:
        raise InvalidSettings(
            f"{proxy_for(url) or 'the proxy'} needs the package socksio: pip install socksio"
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise InvalidSettings(f"{proxy_for(url) or 'the proxy'} cannot be used: {error}") from error


def through(url: str) -> str:
    """Return the proxy for a message about a failure, or "" without one."""
    proxy = proxy_for(url)
    return f" through {proxy}" if proxy else ""


def forget() -> None:
    """Remove the proxies from the environment of this process and of all that it starts."""
    for name in [name for name in os.environ if name.lower() in _VARIABLES]:
        del os.environ[name]


def is_here(host: str) -> bool:
    """Return whether a host is this machine: loopback, or an address of its own. An unknown name is not."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        found = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(_own(family, address) for family, _, _, _, address in found)


def _own(
    family: socket.AddressFamily, address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
) -> bool:
    ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback or ip.is_unspecified:
        return True
    with socket.socket(family, socket.SOCK_DGRAM) as probe:  # sends nothing: the kernel only looks up the route
        try:
            probe.connect(address)
        except OSError:
            return False
        return bool(probe.getsockname()[0] == address[0])
