"""RTSP for FFmpeg where a camera asks for a login that FFmpeg does not know: a door on this machine, of one stream.

FFmpeg speaks to the door without a password, and the door to the camera with one (`facegroup.cameras.sources.login`):

    FFmpeg ─rtsp://127.0.0.1/WORD/…→ Door ─rtsp://camera/…, Authorization→ camera
"""

import secrets
import socket
import threading
from contextlib import suppress
from typing import NamedTuple, Self
from urllib.parse import SplitResult

from facegroup.cameras.sources import address
from facegroup.cameras.sources.http_stream import secured
from facegroup.cameras.sources.login import Login
from facegroup.errors import SourceUnreachable

_MOST = 1 << 20  # bytes of a message


class Message(NamedTuple):
    """A request, an answer, or a packet between them.

    Attributes:
        first: its first line; "" of a packet.
        headers: lines behind that.
        body: bytes; of a packet all of them.
    """

    first: str
    headers: tuple[str, ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Return all values of a header."""
        pairs = (line.partition(":") for line in self.headers)
        return [value.strip() for key, _, value in pairs if key.strip().lower() == name]

    def with_headers(self, *lines: str) -> Self:
        """Return it with other headers in the place of those of the same name."""
        found = self.without(*(line.partition(":")[0].lower() for line in lines))
        return found._replace(headers=(*found.headers, *lines))

    def without(self, *names: str) -> Self:
        """Return it without some headers."""
        kept = (line for line in self.headers if line.partition(":")[0].strip().lower() not in names)
        return self._replace(headers=tuple(kept))

    def written(self) -> bytes:
        """Return it as it is sent."""
        return "\r\n".join((self.first, *self.headers, "", "")).encode() + self.body if self.first else self.body


class Wire:
    """One side of a conversation."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._file = link.makefile("rb")
        self._lock = threading.Lock()

    def read(self) -> Message | None:
        """Return what comes next; None: the end, or nothing that can be understood."""
        begin = self._file.read(1)
        if begin == b"$":
            head = self._file.read(3)
            return Message("", (), begin + head + self._file.read(int.from_bytes(head[1:])))
        lines, size = [begin], len(begin)
        while (line := self._file.readline(_MOST)).strip() or not lines[-1].strip():
            size += len(line)
            if not line or size > _MOST:
                return None
            lines.append(line)
        text = [each.strip() for each in b"".join(lines).decode("utf-8", "replace").splitlines()]
        found = Message(text[0], tuple(text[1:]), b"") if text and text[0] else None
        length = found.values("content-length")[:1] if found else []
        if found is None or not (length and length[0].isascii() and length[0].isdigit()):
            return found
        return found._replace(body=self._file.read(min(int(length[0]), _MOST)))

    def write(self, message: Message) -> None:
        """Send."""
        with self._lock:
            self._link.sendall(message.written())

    def close(self) -> None:
        """Let go of it; whoever reads is woken."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        with suppress(OSError, ValueError):
            self._file.close()
        self._link.close()


def asked(parts: SplitResult, ip: str, timeout: float) -> list[str]:
    """Return what a camera asks of whoever wants to see its stream (`WWW-Authenticate`). Raises SourceUnreachable."""
    wire = _dialled(parts, ip, timeout)
    try:
        wire.write(Message(f"DESCRIBE {_bare(parts)} RTSP/1.0", ("CSeq: 1", "Accept: application/sdp"), b""))
        answer = wire.read()
    except OSError:
        answer = None
    finally:
        wire.close()
    return answer.values("www-authenticate") if answer and " 401 " in answer.first else []


class RtspProxy:
    """Stands open for one connection from this machine, for whoever knows its address.

    Args:
        parts: the camera's address.
        ip: that was checked.
        login: to the camera.
        timeout: seconds that connecting may take.

    Raises:
        SourceUnreachable: the camera does not answer.
    """

    def __init__(self, parts: SplitResult, ip: str, login: Login, timeout: float) -> None:
        self._camera = _dialled(parts, ip, timeout)
        self._login = login
        self._inside: Wire | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(timeout)
        self._own = f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/{secrets.token_urlsafe(16)}"
        self._there = _bare(parts._replace(path="", query=""))
        self.url = self._own + _bare(parts).removeprefix(self._there)
        self._challenges: list[str] = []
        self._asked: dict[str, Message] = {}  # by number
        threading.Thread(target=self._inwards, name="rtsp login", daemon=True).start()

    def close(self) -> None:
        """Let go of both sides."""
        self._listener.close()
        self._camera.close()
        if self._inside is not None:
            self._inside.close()

    def _inwards(self) -> None:
        """Take FFmpeg's requests to the camera, and from then on what comes back to FFmpeg."""
        with suppress(OSError, ValueError):
            link, _ = self._listener.accept()
            self._listener.close()
            self._inside = Wire(link)
            threading.Thread(target=self._outwards, args=(self._inside,), name="rtsp login", daemon=True).start()
            known = False
            while (message := self._inside.read()) is not None:
                known = known or self._own in message.first
                if not known:
                    break  # somebody else of this machine
                self._send(message._replace(first=message.first.replace(self._own, self._there, 1)))
        self.close()

    def _send(self, message: Message) -> None:
        if message.first:
            method, uri, *_ = (*message.first.split(" "), "", "")
            value = self._login.answer(self._challenges, method, uri) if self._challenges else None
            for number in message.values("cseq"):
                self._asked = {number: message}
            message = message if value is None else message.with_headers(f"Authorization: {value}")
        self._camera.write(message)

    def _outwards(self, inside: Wire) -> None:
        with suppress(OSError, ValueError):
            while (message := self._camera.read()) is not None:
                status = message.first.split(" ")[1:2] if message.first.startswith("RTSP/") else []
                request = self._asked.pop("".join(message.values("cseq")[:1]), None) if status else None
                if status and status[0].startswith("3"):
                    break  # to another host, which nobody checked
                if status == ["401"] and request is not None and message.values("www-authenticate") != self._challenges:
                    self._challenges = message.values("www-authenticate")
                    self._send(request)
                    self._asked.clear()
                    continue
                # FFmpeg would try again where it is asked.
                inside.write(message.without("www-authenticate") if status == ["401"] else message)
        self.close()


def _dialled(parts: SplitResult, ip: str, timeout: float) -> Wire:
    port = parts.port or address.PORTS[parts.scheme]
    try:
        link = socket.create_connection((ip, port), timeout)
        if parts.scheme == "rtsps":
            link = secured(link, parts.hostname or ip, ip)
    except OSError:
        link = None
    if link is None:
        raise SourceUnreachable("the source does not answer")
    link.settimeout(None)
    return Wire(link)


def _bare(parts: SplitResult) -> str:
    """Return the address as it stands in requests: without user and password."""
    host = parts.netloc.rpartition("@")[2]
    return f"rtsp://{host}{parts.path}{'?' if parts.query else ''}{parts.query}"
