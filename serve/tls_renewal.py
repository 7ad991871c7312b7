"""Takes a new certificate into use while the server runs, without closing a connection.

HAProxy exchanges a certificate by its admin socket (`set ssl cert`, `commit ssl cert`): connections that are open go on,
and the next handshake sees the new one. The socket is of HAProxy's newest process. One that Ray starts in that moment may
have read the certificate before, so what HAProxy has is looked up each time.
"""

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facegroup.errors import InvalidSettings
from facegroup.settings import Tls
from serve import certificate, tls_files
from serve.certificate import Certificate
from serve.haproxy_config import TLS

log = logging.getLogger("facegroup.serve")

SECONDS = 5.0
"""How often the files are looked at."""
_AGAIN_SECONDS = 86_400.0
_SOCKET_SECONDS = 10.0
_FINGERPRINT = re.compile(r"^SHA1 FingerPrint: ([0-9A-F]+)$", re.MULTILINE)


@contextmanager
def renewing(tls: Tls, folder: Path) -> Iterator[None]:
    """Look at the files of the settings again and again, until the context ends.

    Args:
        tls: the settings; without a certificate nothing happens.
        folder: of the server.
    """
    if tls.certificate is None:
        yield
        return
    renewal = Renewal(tls, folder)
    renewal.look()
    over = threading.Event()
    thread = threading.Thread(target=_look, args=(renewal, over), daemon=True, name="certificate")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_SOCKET_SECONDS)


def _look(renewal: "Renewal", over: threading.Event) -> None:
    while not over.wait(SECONDS):
        try:
            renewal.look()
        except Exception:
            log.exception("the certificate could not be checked")


class Renewal:
    """What takes new certificates into use.

    Args:
        tls: the settings.
        folder: of the server, with the certificate that HAProxy began with.
    """

    def __init__(self, tls: Tls, folder: Path) -> None:
        self._tls = tls
        self._folder = folder
        self._path = os.environ[TLS]
        self._used = certificate.read(Tls(certificate=Path(self._path), key=Path(self._path)))
        self._seen: object = None
        self._fault = ""
        self._told: tuple[str, float] = ("", 0.0)

    def look(self) -> None:
        """Take the certificate of the files into use if it is another one; else say why not, and go on with the old one."""
        stamp = self._stamp()
        fault = ""
        if stamp != self._seen:
            fault = self._change()
        if not fault:
            self._seen = stamp
        self._give_again()
        # A fault counts the second time it is seen: one of the files may be written later than the other.
        self._tell(fault if fault == self._fault else "")
        self._fault = fault

    def _stamp(self) -> object:
        """Return what changes with the files, also where a link leads to another one (Kubernetes, certbot)."""
        stamp: list[object] = []
        for path in (self._tls.certificate, self._tls.key):
            try:
                about = os.stat(path)  # type: ignore[arg-type]
                stamp.append((about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size, about.st_mode))
            except (OSError, TypeError) as error:
                stamp.append(str(error))
        return stamp

    def _change(self) -> str:
        """Use the certificate of the files; return why that is not possible, or ""."""
        try:
            found = certificate.read(self._tls)
        except InvalidSettings as error:
            return error.detail
        if found != self._used:
            if refused := self._give(found):
                return f"HAProxy refuses the new certificate: {refused}"
            log.warning("the server uses a new certificate")
            tls_files.write(found, self._folder)
            self._used = found
        return ""

    def _give_again(self) -> None:
        """Give HAProxy the certificate in use if it has another."""
        for place in self._sockets():
            shown = _FINGERPRINT.search(_ask(place, f"show ssl cert {self._path}\n"))
            if shown is not None and shown[1] != self._used.fingerprint:
                self._give(self._used)

    def _give(self, found: Certificate) -> str:
        """Give HAProxy a certificate; return what it says against it, or ""."""
        pem = found.pem.decode()
        for place in self._sockets():
            answer = _ask(place, f"set ssl cert {self._path} <<\n{pem.strip()}\n\n")
            if "ransaction created" in answer or "ransaction updated" in answer:
                answer = _ask(place, f"commit ssl cert {self._path}\n")
                if "Success!" in answer:
                    continue
            _ask(place, f"abort ssl cert {self._path}\n")
            return " ".join(answer.split())[:300] or "its admin socket does not answer"
        return ""

    def _sockets(self) -> list[Path]:
        given = Path(os.environ["RAY_SERVE_HAPROXY_SOCKET_PATH"])
        return [place for place in given.parent.glob(f"*/{given.name}") if place.is_socket()]

    def _tell(self, fault: str) -> None:
        now = time.time()
        ending = self._used.warning(now)
        warning = "; ".join(
            filter(None, (fault and f"the files hold no new certificate that can be used: {fault}", ending))
        )
        tls_files.tell(tls_files.State(self._used.expires_at, warning), self._path)
        if warning and (warning != self._told[0] or now - self._told[1] >= _AGAIN_SECONDS):
            log.warning("TLS: %s%s", warning, "; the server goes on with the one that it has" if fault else "")
            self._told = (warning, now)
        elif not warning:
            self._told = ("", 0.0)


def _ask(place: Path, command: str) -> str:
    """Send a command to HAProxy's admin socket, and return its answer; "" if nobody answers."""
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SOCKET_SECONDS)
            connection.connect(str(place))
            connection.sendall(command.encode())
            while part := connection.recv(65_536):
                answer += part
    except OSError:
        return ""
    return answer.decode(errors="replace")
