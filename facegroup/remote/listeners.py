"""Finds out what listens for TCP on this machine, and whether another machine's ports can be reached."""

import errno
import ipaddress
import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facegroup.remote.ip_ranges import IP

Reach = Literal["open", "closed", "blocked"]
"""Something listens; nothing listens, and the machine says so; or nobody answers, as behind a firewall."""

_LISTEN = "0A"
_WORD = 8


@dataclass(frozen=True, slots=True, order=True)
class Listener:
    """A port that is listened on.

    Attributes:
        port: its number.
        address: the address; 0.0.0.0 and :: are all of them.
        process: what listens, "" if only its own user or root can see it.
        pid: its process, 0 likewise.
    """

    port: int
    address: str
    process: str
    pid: int

    @property
    def off_loopback(self) -> bool:
        """Whether other machines can reach it, as far as the address goes."""
        return not ipaddress.ip_address(self.address).is_loopback


def listening(proc: Path = Path("/proc")) -> list[Listener]:
    """Return what listens on this machine, by port.

    Args:
        proc: where the kernel tells it.
    """
    sockets: dict[str, tuple[str, int]] = {}
    for name in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for line in (proc / "net" / name).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTEN:
                    address, _, port = words[1].partition(":")
                    sockets[words[9]] = (str(_address(address)), int(port, 16))
    owners = _owners(proc, set(sockets))
    return sorted(Listener(port, address, *owners.get(inode, ("", 0))) for inode, (address, port) in sockets.items())


def reach(host: str, port: int, seconds: float = 3) -> Reach:
    """Return whether a port of a machine can be reached.

    Args:
        host: name or address.
        port: its number.
        seconds: how long to wait.

    Raises:
        OSError: the name is unknown, or there is no way to the machine.
    """
    try:
        socket.create_connection((host, port), seconds).close()
    except ConnectionRefusedError:
        return "closed"
    except OSError as error:
        if isinstance(error, TimeoutError) or error.errno in (errno.EHOSTUNREACH, errno.ECONNRESET, errno.EACCES):
            return "blocked"
        raise
    return "open"


def _address(text: str) -> IP:
    """Return an address as the kernel writes it: words of 32 bits, each in this machine's order of bytes."""
    words = [bytes.fromhex(text[at : at + _WORD])[::-1] for at in range(0, len(text), _WORD)]
    ip = ipaddress.ip_address(b"".join(words))
    return getattr(ip, "ipv4_mapped", None) or ip


def _owners(proc: Path, inodes: set[str]) -> dict[str, tuple[str, int]]:
    """Return the name and the pid of the process of each socket; of several the one that was there first."""
    found: dict[str, tuple[str, int]] = {}
    folders = sorted((each for each in proc.iterdir() if each.name.isdecimal()), key=lambda each: int(each.name))
    for folder in folders:
        with suppress(OSError):  # another user's, or it has ended
            line = (folder / "cmdline").read_bytes().split(b"\0")
            for each in (folder / "fd").iterdir():
                with suppress(OSError):  # closed meanwhile
                    inode = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(each))
                    if inode and inode[1] in inodes:
                        found.setdefault(inode[1], (_named(line), int(folder.name)))
    return found


def _named(line: list[bytes]) -> str:
    """Return a short name of a process by its command line."""
    words = [each.decode(errors="replace") for each in line if each]
    if not words:
        return ""
    name = Path(words[0]).name
    if "::" in words[0]:  # Ray's processes are named so
        return words[0][:60]
    script = next((each for each in words[1:] if not each.startswith("-")), "")
    return f"{name} {Path(script).name}" if name.startswith("python") and script else name
