"""Logs in over RTSP where FFmpeg cannot: a proxy on this machine for one stream.

FFmpeg connects to the proxy without a password, and the proxy to the camera with one (`facegroup.cameras.sources.login`):

    FFmpeg ─rtsp://127.0.0.1/WORD/…→ RtspProxy ─rtsp://camera/…, Authorization→ camera
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
    """Class that holds a request, an answer, or a packet of media.

    Attributes:
        first: first line; "" for a packet.
        headers: lines after the first.
        body: bytes after the headers; a whole packet.
    """

    first: str
    headers: tuple[str, ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Return all values of a header."""
        pairs = (line.partition(":") for line in self.headers)
        return [value.strip() for key, _, value in pairs if key.strip().lower() == name]

    def with_headers(self, *lines: str) -> Self:
        """Return it with these header lines, which replace those of the same name."""
        found = self.without(*(line.partition(":")[0].lower() for line in lines))
        return found._replace(headers=(*found.headers, *lines))

    def without(self, *names: str) -> Self:
        """Return it without the headers of these names."""
        kept = (line for line in self.headers if line.partition(":")[0].strip().lower() not in names)
        return self._replace(headers=tuple(kept))

    def encode(self) -> bytes:
        """Return the bytes to send."""
        return "\r\n".join((self.first, *self.headers, "", "")).encode() + self.body if self.first else self.body


class RtspConnection:
    """Class that sends and receives messages over a connection."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._file = link.makefile("rb")
        self._lock = threading.Lock()

    def read(self) -> Message | None:
        """Return the next message; None at the end, or if it cannot be read."""
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
            self._link.sendall(message.encode())

    def close(self) -> None:
        """Close the connection; a thread that reads it is woken."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        with suppress(OSError, ValueError):
            self._file.close()
        self._link.close()


def challenges(parts: SplitResult, ip: str, timeout: float) -> list[str]:
    """Return the challenges of a camera (`WWW-Authenticate`). Raises SourceUnreachable."""
    connection = _dialled(parts, ip, timeout)
    try:
        connection.write(Message(f"DESCRIBE {_bare(parts)} RTSP/1.0", ("CSeq: 1", "Accept: application/sdp"), b""))
        answer = connection.read()
    except OSError:
        answer = None
    finally:
        connection.close()
    return answer.values("www-authenticate") if answer and " 401 " in answer.first else []


class RtspProxy:
    """Class that listens for one connection from this machine, at an address that cannot be guessed.

    Args:
        parts: the camera's address.
        ip: that was checked.
        login: to the camera.
        timeout: seconds to connect.

    Raises:
        SourceUnreachable: the camera does not answer.
    """

    def __init__(self, parts: SplitResult, ip: str, login: Login, timeout: float) -> None:
        self._camera = _dialled(parts, ip, timeout)
        self._login = login
        self._inside: RtspConnection | None = None
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
            self._inside = RtspConnection(link)
            threading.Thread(target=self._outwards, args=(self._inside,), name="rtsp login", daemon=True).start()
            known = False
            while (message := self._inside.read()) is not None:
                known = known or self._own in message.first
                if not known:
                    break  # another process of this machine
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

    def _outwards(self, inside: RtspConnection) -> None:
        with suppress(OSError, ValueError):
            while (message := self._camera.read()) is not None:
                status = message.first.split(" ")[1:2] if message.first.startswith("RTSP/") else []
                request = self._asked.pop("".join(message.values("cseq")[:1]), None) if status else None
                if status and status[0].startswith("3"):
                    break  # a redirect to another host, which was not checked
                if status == ["401"] and request is not None and message.values("www-authenticate") != self._challenges:
                    self._challenges = message.values("www-authenticate")
                    self._send(request)
                    self._asked.clear()
                    continue
                # FFmpeg would answer the challenge and try again.
                inside.write(message.without("www-authenticate") if status == ["401"] else message)
        self.close()


def _dialled(parts: SplitResult, ip: str, timeout: float) -> RtspConnection:
    port = parts.port or address.PORTS[parts.scheme]
    try:
        link = socket.create_connection((ip, port), timeout)
        if parts.scheme == "rtsps":
            link = secured(link, parts.hostname or ip, ip)
    except OSError:
        link = None
    if link is None:
        raise SourceUnreachable("The source does not answer.")
    link.settimeout(None)
    return RtspConnection(link)


def _bare(parts: SplitResult) -> str:
    """Return the address as it stands in requests: without user and password."""
    host = parts.netloc.rpartition("@")[2]
    return f"rtsp://{host}{parts.path}{'?' if parts.query else ''}{parts.query}"
