"""Addresses of sources and receivers: what may be opened, and what of it may be shown.

`rtsp(s)://`, `http(s)://`, `file:///…`, `v4l2:///dev/video0`. User, password and whatever looks like a secret never leave
this process but towards the source itself: nothing here quotes an address in an error.
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
"""Of the schemes that lead to a host, where the address says none."""
LOCAL = ("file", "v4l2")
LONGEST = 2048


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
    elif parts.fragment:
        raise InvalidSource("the address has a # in it, and no host is sent what is behind it; write it as %23")
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
    parts = parted(source)
    if parts is None:
        raise InvalidSource(f"the address cannot be read; write it as scheme://user:password@host:port/path. {ESCAPED}")
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
        ip = meant(ipaddress.ip_address(str(entry[4][0])))
        if not is_public(ip) and not any(ip in network for network in allowed):
            raise _not_allowed(host, ip)
    return list(dict.fromkeys(str(entry[4][0]) for entry in known))


def _not_allowed(host: str, ip: IP) -> SourceNotAllowed:
    """Return the refusal of a host. Whoever asks is not told what its name stands for: only the log says that."""
    try:
        asked = meant(ipaddress.ip_address(host)) == ip
    except ValueError:
        asked = False
    if asked:
        advice = f"add {json.dumps(around(ip))} to FACEGROUP_CAMERAS__NETWORKS to allow it"
    else:
        advice = "FACEGROUP_CAMERAS__NETWORKS does not name it; the log of the server says which one it is"
        log.warning("the host %s is at %s: add %s to FACEGROUP_CAMERAS__NETWORKS to allow it", host, ip, around(ip))
    return SourceNotAllowed(f"the host {host} is in a network that is not public: {advice}")


def is_private(ip: str) -> bool:
    """Whether an IP address is not one of the public internet."""
    return not is_public(ipaddress.ip_address(ip))


def at(parts: SplitResult, ip: str) -> str:
    """Return the address with the IP address in its host's place; user and password are escaped as they must be."""
    host = f"[{ip}]" if ":" in ip else ip
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{_credentials(parts)}{host}{port}", parts.path, parts.query, ""))


def shown(source: str) -> str:
    """Return an address for people, without what may be secret (`secrets.shown`); of one that cannot be read, nothing."""
    parts = parted(source)
    if parts is None or not parts.scheme or (not parts.netloc and parts.scheme not in LOCAL):
        return redaction.HIDDEN
    if parts.scheme in LOCAL:
        return source if not parts.netloc else redaction.HIDDEN
    return redaction.shown(parts)


def has_secret(source: str) -> bool:
    """Whether an address holds something that `shown` leaves out."""
    parts = parted(source)
    return redaction.HIDDEN in shown(source) or parts is None or "@" in parts.netloc


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
