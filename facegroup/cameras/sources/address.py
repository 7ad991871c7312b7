"""Checks the addresses of sources and receivers, and redacts them for people.

Kinds: `rtsp(s)://`, `http(s)://`, `file:///…`, `v4l2:///dev/video0`. User, password and whatever looks like a secret are
sent to the source only: no error quotes an address.
"""

import ipaddress
import json
import logging
import re
import socket
from collections.abc import Collection
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlunsplit

from facegroup.cameras.sources import redaction
from facegroup.errors import InvalidSettings, InvalidSource, SourceNotAllowed, SourceUnreachable
from facegroup.remote.addresses import ESCAPED, parted
from facegroup.remote.ip_ranges import IP, around, is_public, meant
from facegroup.settings import Cameras

log = logging.getLogger(__name__)

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""Default ports of the schemes that lead to a host."""
LOCAL = ("file", "v4l2")
LONGEST = 2048


def check(source: str, settings: Cameras) -> None:
    """Check that the settings allow a camera's address. A host's name is resolved, so this may take seconds.

    Raises:
        InvalidSource: the address is of none of the four kinds.
        SourceNotAllowed: it is a file outside of the folder, a device, or a host in a network that is not public, and the
            settings do not allow it.
        SourceUnreachable: the host's name cannot be resolved.
    """
    parts = split(source, (*PORTS, *LOCAL))
    if parts.scheme == "file":
        path(parts, settings)
    elif parts.scheme == "v4l2":
        device(parts, settings)
    elif parts.fragment:
        raise InvalidSource("The address has a # in it, and what follows is never sent to a host. Write it as %23.")
    else:
        resolve(parts, settings)


def check_url(url: str, settings: Cameras, schemes: Collection[str] = ("http", "https")) -> None:
    """Check that the settings allow the network of a receiver's address. Raises as `check`."""
    resolve(split(url, schemes), settings)


def split(source: str, schemes: Collection[str]) -> SplitResult:
    """Return an address in parts. Raises InvalidSource: it cannot be read, or its scheme is not one of `schemes`."""
    if len(source) > LONGEST:
        raise InvalidSource(f"The address has {len(source):,} characters. The limit is {LONGEST:,}.")
    if any(character <= " " or character == "\x7f" for character in source):
        raise InvalidSource("The address has a space or a control character in it. Escape it, a space as %20.")
    parts = parted(source)
    if parts is None:
        raise InvalidSource(f"The address cannot be read. Write it as scheme://user:password@host:port/path. {ESCAPED}")
    if parts.scheme not in schemes:
        kinds = ", ".join(f"{scheme}://" for scheme in schemes)
        raise InvalidSource(f"The address must begin with one of {kinds}.")
    if parts.scheme in LOCAL and parts.netloc:
        raise InvalidSource(f"The address names a host. Write it with three slashes: {parts.scheme}:///path")
    if parts.scheme not in LOCAL and not parts.hostname:
        raise InvalidSource(f"The address does not name a host. Write it as {parts.scheme}://host/path")
    return parts


def path(parts: SplitResult, settings: Cameras) -> Path:
    """Return the real path of a file or folder, so that no link leads out of the allowed folder."""
    name = unquote(parts.path)
    if "\0" in name or parts.query or parts.fragment:
        raise InvalidSource("The address does not name a file. Write ? as %3F and # as %23.")
    if settings.folder is None:
        raise SourceNotAllowed(
            "Files are not allowed as sources. Set FACEGROUP_CAMERAS__FOLDER to a folder to allow the files in it."
        )
    folder = settings.folder.resolve()
    try:
        found = Path(name).resolve()
    except (OSError, RuntimeError):  # the name is too long, or links form a circle
        found = None
    if found is None or not found.is_relative_to(folder):
        raise SourceNotAllowed("The file is not in the folder that FACEGROUP_CAMERAS__FOLDER names.")
    return found


def device(parts: SplitResult, settings: Cameras) -> str:
    """Return the path of a webcam."""
    if not re.fullmatch(r"/dev/video\d{1,3}", parts.path) or parts.query:
        raise InvalidSource("Write the address of a webcam as v4l2:///dev/video0, with its number.")
    if not settings.devices:
        raise SourceNotAllowed(
            "Webcams of this machine are not allowed as sources. FACEGROUP_CAMERAS__DEVICES=true allows them."
        )
    return parts.path


def resolve(parts: SplitResult, settings: Cameras) -> list[str]:
    """Return the IP addresses of a host, all of which are public or in a network that the settings allow.

    Connect to one of these, not to the name: a name that resolves to another address the second time (DNS rebinding) would
    get past this check.
    """
    host = parts.hostname or ""
    port = parts.port or PORTS.get(parts.scheme, 0)
    try:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        known = []
    if not known:
        raise SourceUnreachable(f"The name of host {host} cannot be resolved.")
    allowed = _networks(settings)
    for entry in known:
        ip = meant(ipaddress.ip_address(str(entry[4][0])))
        if not is_public(ip) and not any(ip in network for network in allowed):
            raise _not_allowed(host, ip)
    return list(dict.fromkeys(str(entry[4][0]) for entry in known))


def _not_allowed(host: str, ip: IP) -> SourceNotAllowed:
    """Return the refusal of a host. Only the log says to which IP address its name leads."""
    try:
        asked = meant(ipaddress.ip_address(host)) == ip
    except ValueError:
        asked = False
    if asked:
        advice = f"To allow it, add {json.dumps(around(ip))} to FACEGROUP_CAMERAS__NETWORKS."
    else:
        advice = "FACEGROUP_CAMERAS__NETWORKS does not allow it. The server's log says which network it is."
        log.warning("Host %s is at %s. To allow it, add %s to FACEGROUP_CAMERAS__NETWORKS.", host, ip, around(ip))
    return SourceNotAllowed(f"Host {host} is in a network that is not public. {advice}")


def is_private(ip: str) -> bool:
    """Return whether an IP address is not one of the public internet."""
    return not is_public(ipaddress.ip_address(ip))


def at(parts: SplitResult, ip: str) -> str:
    """Return the address with an IP address instead of the host's name, and with user and password escaped."""
    host = f"[{ip}]" if ":" in ip else ip
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{_credentials(parts)}{host}{port}", parts.path, parts.query, ""))


def shown(source: str) -> str:
    """Return an address for people, without secrets (`redaction.shown`). One that cannot be read is hidden whole."""
    parts = parted(source)
    if parts is None or not parts.scheme or (not parts.netloc and parts.scheme not in LOCAL):
        return redaction.HIDDEN
    if parts.scheme in LOCAL:
        return source if not parts.netloc else redaction.HIDDEN
    return redaction.shown(parts)


def has_secret(source: str) -> bool:
    """Return whether `shown` hides a part of an address."""
    parts = parted(source)
    return redaction.HIDDEN in shown(source) or parts is None or "@" in parts.netloc


def credentials(parts: SplitResult) -> tuple[str, str] | None:
    """Return user and password; None if the address has none."""
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
