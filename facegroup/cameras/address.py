"""Addresses of sources and receivers: what may be opened, and what of it may be shown.

`rtsp(s)://`, `http(s)://`, `file:///…`, `v4l2:///dev/video0`. User, password and whatever looks like a secret never leave
this process but towards the source itself: nothing here quotes an address in an error.
"""

import ipaddress
import json
import re
import socket
from collections.abc import Collection
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from facegroup.errors import InvalidSettings, InvalidSource, SourceNotAllowed, SourceUnreachable
from facegroup.settings import Cameras

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""Of the schemes that lead to a host, where the address says none."""
LOCAL = ("file", "v4l2")
LONGEST = 2048

IP: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_HIDDEN = "***"
_HARMLESS = frozenset(
    ("channel", "subtype", "stream", "streamtype", "resolution", "fps", "profile", "camera", "codec", "width", "height")
)
_ASSIGNED = re.compile(r"(?i)((?:user(?:name)?|login|pass\w*?|pwd|token|key|auth|secret)=)(.*?)(?=[/&;]|_[a-z]+=|$)")
_TOKEN = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_~+=-]{16,}")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def check(source: str, settings: Cameras) -> None:
    """Hold a camera's address against what the settings allow. A host's name is resolved, so this may take seconds.

    Raises:
        InvalidSource: no address of one of the four kinds.
        SourceNotAllowed: a file outside of the folder, a device, or a host in a network that is not public, where the
            settings do not name them.
        SourceUnreachable: the host's name is not known.
    """
    parts = split(source, (*PORTS, *LOCAL))
    if parts.scheme == "file":
        path(parts, settings)
    elif parts.scheme == "v4l2":
        device(parts, settings)
    else:
        resolve(parts, settings)


def check_url(url: str, settings: Cameras, schemes: Collection[str] = ("http", "https")) -> None:
    """Hold the address of a receiver against the networks that the settings allow; errors as of `check`."""
    resolve(split(url, schemes), settings)


def split(source: str, schemes: Collection[str]) -> SplitResult:
    """Return an address in parts. Raises InvalidSource: it is none, or its scheme is none of `schemes`."""
    if len(source) > LONGEST:
        raise InvalidSource(f"the address has {len(source):,} characters; the limit is {LONGEST:,}")
    if any(character <= " " or character == "\x7f" for character in source):
        raise InvalidSource("the address has a space or a control character in it; write it as %20 and the like")
    parts = None
    try:
        parts = urlsplit(source)
        port = parts.port
    except ValueError:
        port = 0
    # Raised outside of the handler: Python's own error quotes the address, and would stay on the new one.
    if parts is None or port == 0:
        raise InvalidSource("the address cannot be read; write it as scheme://host:port/path")
    if parts.scheme not in schemes:
        kinds = ", ".join(f"{scheme}://" for scheme in schemes)
        raise InvalidSource(f"the address must begin with one of {kinds}")
    if parts.scheme in LOCAL and parts.netloc:
        raise InvalidSource(f"the address names a host; write it with three slashes: {parts.scheme}:///path")
    if parts.scheme not in LOCAL and not parts.hostname:
        raise InvalidSource(f"the address names no host; write it as {parts.scheme}://host/path")
    return parts


def path(parts: SplitResult, settings: Cameras) -> Path:
    """Return the real path of a file or folder: no link leads out of the folder that the settings allow."""
    name = unquote(parts.path)
    if "\0" in name or parts.query or parts.fragment:
        raise InvalidSource("the address names no file; write ? and # as %3F and %23")
    if settings.folder is None:
        raise SourceNotAllowed(
            "files are not looked at here: FACEGROUP_CAMERAS__FOLDER=/folder names the one that they may be in"
        )
    folder = settings.folder.resolve()
    try:
        found = Path(name).resolve()
    except (OSError, RuntimeError):  # a name that is too long, links in a circle
        found = None
    if found is None or not found.is_relative_to(folder):
        raise SourceNotAllowed("the file is not in the folder that FACEGROUP_CAMERAS__FOLDER names")
    return found


def device(parts: SplitResult, settings: Cameras) -> str:
    """Return the path of a webcam."""
    if not re.fullmatch(r"/dev/video\d{1,3}", parts.path) or parts.query:
        raise InvalidSource("a webcam's address is v4l2:///dev/video0, or of another number")
    if not settings.devices:
        raise SourceNotAllowed("webcams of this machine are not looked at: FACEGROUP_CAMERAS__DEVICES=true allows it")
    return parts.path


def resolve(parts: SplitResult, settings: Cameras) -> list[str]:
    """Return the IP addresses of a host, all of which are public or in a network that the settings name.

    To be told apart from what a second look-up would say: who opens a connection uses these, not the name
    (a name that leads elsewhere the second time is how guards like this one are passed by).
    """
    host = parts.hostname or ""
    port = parts.port or PORTS.get(parts.scheme, 0)
    try:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        known = []
    if not known:
        raise SourceUnreachable(f"the host {host} is not known here: its name cannot be resolved")
    allowed = _networks(settings)
    for entry in known:
        ip = _meant(ipaddress.ip_address(str(entry[4][0])))
        if not _is_public(ip) and not any(ip in network for network in allowed):
            networks = json.dumps([*settings.networks, _around(ip)])
            raise SourceNotAllowed(
                f"the host {host} is in a network that is not public ({ip}): "
                f"FACEGROUP_CAMERAS__NETWORKS='{networks}' allows it"
            )
    return list(dict.fromkeys(str(entry[4][0]) for entry in known))


def is_private(ip: str) -> bool:
    """Whether an IP address is not one of the public internet."""
    return not _is_public(_meant(ipaddress.ip_address(ip)))


def at(parts: SplitResult, ip: str) -> str:
    """Return the address with the IP address in its host's place; user and password are escaped as they must be."""
    host = f"[{ip}]" if ":" in ip else ip
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{_credentials(parts)}{host}{port}", parts.path, parts.query, ""))


def shown(source: str) -> str:
    """Return an address for people: without user and password, and without what looks like a secret elsewhere in it.

    Of a query only names and numbers that every camera has are left (a channel, a resolution); in a path, values of
    ``password=`` and the like and long random words are hidden, as they are the key of many a webhook.
    """
    try:
        parts = urlsplit(source)
        if not parts.scheme or (not parts.netloc and parts.scheme not in LOCAL):
            return _HIDDEN  # no address: who knows what it is
        host = parts.netloc.rpartition("@")[2]
        place = parts.path
        if parts.scheme not in LOCAL:
            words = (_HIDDEN if _TOKEN.fullmatch(word) else word for word in place.split("/"))
            place = _ASSIGNED.sub(rf"\1{_HIDDEN}", "/".join(words))
        query = "&".join(map(_harmless, parts.query.split("&")))
        return f"{parts.scheme}://{host}{place}{'?' if query else ''}{query}"
    except ValueError:
        return _HIDDEN


def _harmless(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return _HIDDEN if pair else ""
    return f"{name}={value if name.lower() in _HARMLESS else _HIDDEN}"


def has_secret(source: str) -> bool:
    """Whether an address holds something that `shown` leaves out."""
    return _HIDDEN in shown(source) or "@" in urlsplit(source).netloc


def credentials(parts: SplitResult) -> tuple[str, str] | None:
    """Return user and password, or None where there are none."""
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def _credentials(parts: SplitResult) -> str:
    known = credentials(parts)
    return f"{quote(known[0], safe='')}:{quote(known[1], safe='')}@" if known else ""


def _networks(settings: Cameras) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(network, strict=False) for network in settings.networks]
    except ValueError as error:
        raise InvalidSettings(f"FACEGROUP_CAMERAS__NETWORKS: {error}") from error


def _meant(ip: IP) -> IP:
    """Return the IPv4 address that an IPv6 address stands for, where it does (mapped, 6to4, Teredo, NAT64); else itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
    if inner is None and ip in _NAT64:
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return inner or ipaddress.IPv6Address(int(ip))  # without its scope


def _is_public(ip: IP) -> bool:
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _around(ip: IP) -> str:
    """Return the network that somebody probably means who means this address."""
    alone = ip.is_loopback or ip.is_link_local or ip.is_multicast
    size = ip.max_prefixlen if alone else (24 if ip.version == 4 else 64)
    return str(ipaddress.ip_network((ip, size), strict=False))
