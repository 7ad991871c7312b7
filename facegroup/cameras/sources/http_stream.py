"""Downloads over HTTP for FFmpeg, which gets no connection of its own.

FFmpeg would follow redirects and playlists to any host, resolve names again, and quote passwords in its errors. Here each
connection, also of a redirect or a segment, goes to an IP address that was checked just before
(`facegroup.cameras.sources.address`), and errors quote nothing.
"""

import http.client
import socket
import ssl
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit, urlunsplit

from facegroup.cameras.sources import address
from facegroup.cameras.sources.login import Login, refusal
from facegroup.errors import FacegroupError, NoVideo, SourceError, SourceRefused, SourceStalled, SourceUnreachable
from facegroup.settings import Cameras

SCHEMES = ("http", "https")


class Downloads:
    """Class that opens addresses for one source. It sends user and password (Basic or Digest) only to the source's host.

    Args:
        source: the camera's.
        settings: what may be opened.
        timeout: seconds to connect, and until the next byte.
    """

    def __init__(self, source: str, settings: Cameras, timeout: float) -> None:
        parts = address.split(source, SCHEMES)
        self.refusal: FacegroupError | None = None  # of the last address; FFmpeg goes on to a playlist's next
        self._timeout = timeout
        self._logs_in = address.credentials(parts) is not None
        pair = address.credentials(parts)
        login = None if pair is None else _Login(Login(*pair), (parts.scheme, parts.hostname, parts.port))
        self._opener = urllib.request.OpenerDirector()  # and not build_opener: no proxy, no file:, no ftp:
        for handler in (
            _Http(settings),
            _Https(settings),
            urllib.request.HTTPRedirectHandler(),
            login or urllib.request.BaseHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    def open(self, url: str, start: int = 0) -> "Download":
        """Begin to read an address at a byte.

        Raises:
            SourceError: the address is not allowed, or the server does not answer, or it refuses.
        """
        try:
            parts = address.split(url, SCHEMES)
        except FacegroupError as error:
            self.refusal = error
            raise
        bare = urlunsplit((parts.scheme, _host(parts), parts.path or "/", parts.query, ""))
        headers = {"User-Agent": "facegroup", "Accept": "*/*"} | ({"Range": f"bytes={start}-"} if start else {})
        failure: FacegroupError
        try:
            request = urllib.request.Request(bare, headers=headers)
            return Download(self, bare, self._opener.open(request, timeout=self._timeout), start)
        except HTTPError as error:
            error.close()
            failure = _answered(error.code, error.headers.get_all("WWW-Authenticate") or [], logs_in=self._logs_in)
        except FacegroupError as error:
            failure = error
        except (URLError, OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            failure = reason if isinstance(reason, FacegroupError) else _lost(reason)
        self.refusal = failure
        raise failure  # outside of the handlers: Python's own errors quote the address


class Download:
    """Class that reads an answer as a file. `seek` works if the server sends parts of it.

    Attributes:
        name: the address, after redirects, without user and password: what a playlist's entries are relative to.
        kind: the content type, without parameters; "" if the server does not say.
        size: bytes in total; 0 if the server does not say.
    """

    def __init__(self, downloads: Downloads, url: str, answer: Any, start: int) -> None:
        self._downloads = downloads
        self._answer = answer
        self._ahead = b""
        self._at = start
        self.name = str(answer.url or url)
        self.kind = str(answer.headers.get_content_type()) if answer.headers.get("Content-Type") else ""
        length = answer.headers.get("Content-Length") or "0"
        self.size = start + int(length) if length.isascii() and length.isdigit() else 0
        self._seekable = bool(self.size) and (start > 0 or answer.headers.get("Accept-Ranges") == "bytes")
        if start and answer.status != 206:
            answer.close()
            raise NoVideo("The server does not send parts of a file.")

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, as soon as there are any; none at the end.

        Raises:
            SourceStalled: none came in time.
            SourceUnreachable: the connection broke.
        """
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            self._at += len(data)
            return data
        failure: FacegroupError
        try:
            data = bytes(self._answer.read1(size))
            self._at += len(data)
            return data
        except TimeoutError:
            failure = SourceStalled("The source sent nothing for too long.")
        except (OSError, http.client.HTTPException, ValueError) as error:
            failure = _lost(error)
        raise failure

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, or all that are left, without consuming them. Raises as `read`."""
        head = b""
        while len(head) < size and (part := self.read(size - len(head))):
            head += part
        self._ahead, self._at = head + self._ahead, self._at - len(head)
        return head

    def seekable(self) -> bool:
        """Return whether `seek` works."""
        return self._seekable

    def tell(self) -> int:
        """Return the position, in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Continue at another position, over a new connection."""
        target = offset + (0, self._at, self.size)[whence]
        if target != self._at:
            self._ahead = b""
            self.close()
            if target >= self.size:
                self._answer, self._at = _Nothing(), target
            else:
                other = self._downloads.open(self.name, target)
                self._answer, self._at = other._answer, target
        return self._at

    def close(self) -> None:
        """Close the connection."""
        self._answer.close()


class _Nothing:
    def read1(self, size: int) -> bytes:
        return b""

    def close(self) -> None:
        pass


def secured(plain: socket.socket, host: str, ip: str, ca: Path | None = None) -> ssl.SSLSocket:
    """Return a connection over TLS. The certificate of a private address is not verified. Raises OSError."""
    context = ssl.create_default_context()
    if ca is not None:
        context.load_verify_locations(ca)
    if address.is_private(ip):
        # A camera at home signs its certificate itself: no authority signs for a private address.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=host)


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str, settings: Cameras, **options: Any) -> None:
        super().__init__(host, **options)
        self._settings = settings

    def connect(self) -> None:
        self.sock = _dial(self, "http", self._settings)[0]


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(self, host: str, settings: Cameras, **options: Any) -> None:
        super().__init__(host, **options)
        self._settings = settings

    def connect(self) -> None:
        plain, ip = _dial(self, "https", self._settings)
        self.sock = secured(plain, self.host, ip, self._settings.ca)


class _Login(urllib.request.BaseHandler):
    """Class that logs in at the source's own host, once a request."""

    def __init__(self, login: Login, host: tuple[str, str | None, int | None]) -> None:
        self._login = login
        self._host = host

    def http_error_401(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
        parts = urlsplit(req.full_url)
        if (parts.scheme, parts.hostname, parts.port) != self._host or req.has_header("Authorization"):
            return None
        value = self._login.answer(headers.get_all("WWW-Authenticate") or [], req.get_method(), req.selector)
        if value is None:
            return None
        fp.close()
        req.add_unredirected_header("Authorization", value)
        return self.parent.open(req, timeout=req.timeout)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, settings: Cameras) -> None:
        super().__init__()
        self._settings = settings

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Connection, req, settings=self._settings)  # type: ignore[arg-type]


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, settings: Cameras) -> None:
        super().__init__()
        self._settings = settings

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_SecureConnection, req, settings=self._settings)  # type: ignore[arg-type]


def _dial(connection: http.client.HTTPConnection, scheme: str, settings: Cameras) -> tuple[socket.socket, str]:
    """Connect to the first IP address of a host that answers. All of them are checked before."""
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    parts = urlsplit(f"{scheme}://{host}:{connection.port}/")
    last = OSError("no address")
    for ip in address.resolve(parts, settings):
        try:
            return socket.create_connection((ip, connection.port), connection.timeout), ip
        except OSError as error:
            last = error
    raise last


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _answered(code: int, challenges: Sequence[str], *, logs_in: bool) -> SourceError:
    if code in {401, 403}:
        return refusal(challenges, logs_in=logs_in)
    if code >= 500:
        return SourceUnreachable(f"The camera returned a server error ({code}).")
    return SourceRefused(f"The source has nothing at this address ({code}).")


def _lost(error: object) -> SourceError:
    if isinstance(error, TimeoutError):
        return SourceUnreachable("The source does not answer in time.")
    if isinstance(error, ssl.SSLError):
        return SourceUnreachable(
            f"The source's TLS certificate is not trusted, or TLS failed ({error.reason or 'handshake failed'})."
        )
    text = error.strerror if isinstance(error, OSError) and error.strerror else "it was closed"
    return SourceUnreachable(f"The connection to the source failed: {text}.")
