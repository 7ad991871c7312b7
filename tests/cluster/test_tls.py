"""A real server that speaks TLS: what it says, how it takes a new certificate, and whom it believes."""

import hashlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest

from facegroup.remote.authorities import trusting
from serve.haproxy_config import SECURITY
from serve.processes import below
from tests.certificates import Authority, new_key
from tests.cluster.server import RAY_DEFAULTS, Server

NAMES = ("localhost", "127.0.0.1")
PROXIES = ("127.0.0.2", "127.0.0.3")


class Files:
    """The files of a certificate that are changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority()
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self.authority.certificate)
        self.certificate, self.key = self.authority.write(folder, *NAMES)

    def renew(self, days: float = 90) -> str:
        """Replace both; return the fingerprint of the new one."""
        self.authority.write(self.folder, *NAMES, days=(-1, days))
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate.read_text())).hexdigest()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def tls(files: Files, network: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tls-server")
    server = Server(
        folder,
        files.ca,
        FACEGROUP_STORE=f"sqlite:///{folder}/gallery.db",
        FACEGROUP_TLS__CERTIFICATE=str(files.certificate),
        FACEGROUP_TLS__KEY=str(files.key),
        FACEGROUP_TRUSTED_PROXIES=",".join(PROXIES),
        **network,
    )
    server.start()
    yield server
    server.close()


def get(server: Server, path: str, method: str = "GET", **request: Any) -> httpx.Response:
    return httpx.request(
        method, f"{server.url}{path}", trust_env=False, timeout=60, verify=trusting(server.ca), **request
    )


@contextmanager
def connected(server: Server) -> Iterator[ssl.SSLSocket]:
    port = int(server.url.rpartition(":")[2])
    plain = socket.create_connection(("127.0.0.1", port), timeout=60)
    with trusting(server.ca).wrap_socket(plain, server_hostname="localhost") as connection:
        yield connection


def shown(server: Server) -> str:
    """Return the fingerprint of the certificate that a new handshake sees."""
    with connected(server) as connection:
        return hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()


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
        time.sleep(0.5)


def warning(server: Server) -> str:
    return str(get(server, "/readyz").json()["tls"]["warning"])


def test_only_tls_is_spoken(tls: Server) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(tls.url.replace("https", "http") + "/healthz", trust_env=False, timeout=30)
    for version, works in (
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ):
        context = trusting(tls.ca)
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", int(tls.url.rpartition(":")[2])), timeout=60) as plain:
            if works:
                assert context.wrap_socket(plain, server_hostname="localhost").version() == version.name.replace(
                    "_", "."
                )
            else:
                with pytest.raises(ssl.SSLError):
                    context.wrap_socket(plain, server_hostname="localhost")


def test_a_client_and_the_command_line_ask_it(tls: Server, files: Files) -> None:
    with tls.client() as client:
        assert client.about()["status"] == "ready"
    command = [str(Path(sys.executable).with_name("facegroup")), "galleries", "list", "--server", tls.url, "--json"]
    for ca, status in ((str(files.ca), 0), (None, 2)):
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(files.folder)} | (
            {} if ca is None else {"FACEGROUP_CLIENT_CA": ca}
        )
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == status, done.stderr
        assert ca is not None or "certificate verify failed" in done.stderr


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/healthz", {}, 200),
        ("GET", "/", {}, 200),
        ("GET", "/docs", {}, 200),
        ("GET", "/v1/galleries", {}, 200),
        ("HEAD", "/v1/galleries", {}, 200),
        ("GET", "/v1/sightings/stream", {}, 200),
        ("GET", "/nowhere", {}, 404),
        ("GET", "/docs/assets", {}, 404),
        ("GET", "/v1/galleries/none", {}, 404),
        ("PUT", "/healthz", {}, 405),
        ("OPTIONS", "/v1/galleries", {}, 405),
        ("GET", "/healthz", {"host": "evil.example"}, 403),
        ("PUT", "/v1/galleries/x", {"origin": "https://evil.example"}, 403),
        ("GET", "/v1/galleries", {"x-api-key": "wrong", "authorization": "Bearer other"}, 401),
        ("POST", "/v1/detect", {"content-encoding": "gzip"}, 415),
        ("GET", "/-/routes", {}, 200),
        ("GET", "/-/healthz", {}, 200),
    ],
)
def test_every_answer_tells_browsers_to_do_less(
    tls: Server, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    with httpx.stream(
        method, f"{tls.url}{path}", headers=headers, trust_env=False, timeout=60, verify=trusting(tls.ca)
    ) as answer:
        assert answer.status_code == status
        names = [name for name, _ in answer.headers.multi_items()]
    assert sorted(names) == sorted(set(names))
    assert {*SECURITY, "strict-transport-security"} <= set(names)
    assert "server" not in names
    assert answer.headers["strict-transport-security"] == "max-age=86400"
    if path.startswith("/v1"):
        assert answer.headers["cache-control"] == "no-store"


def test_a_request_runs_on_while_the_certificate_changes(tls: Server, files: Files) -> None:
    before = shown(tls)
    body = b'{"decision": "threshold"}'
    head = f"PUT /v1/galleries/renewed HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
    with connected(tls) as connection:
        connection.sendall(head.encode() + b"content-type: application/json\r\n\r\n" + body[:5])
        new = files.renew()
        until(lambda: shown(tls) == new)
        assert new != before
        connection.sendall(body[5:])
        assert answered(connection) == 200
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert answered(connection) == 200


@pytest.mark.parametrize("fault", ["broken", "expired", "of another key", "readable", "gone"])
def test_the_old_certificate_stays_where_the_new_one_is_of_no_use(tls: Server, files: Files, fault: str) -> None:
    old = files.renew()
    until(lambda: shown(tls) == old and not warning(tls))
    said = len(tls.log())
    if fault == "broken":
        files.certificate.write_text("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    elif fault == "expired":
        files.authority.write(files.folder, *NAMES, days=(-2, -1))
    elif fault == "of another key":
        files.certificate.write_bytes(files.authority.signed(new_key(), *NAMES))
    elif fault == "readable":
        files.renew()
        files.key.chmod(0o644)
    else:
        files.key.unlink()
    until(lambda: warning(tls) != "")
    assert "the files hold no new certificate that can be used" in warning(tls)
    assert get(tls, "/readyz").status_code == 200
    assert shown(tls) == old
    assert "goes on with the one that it has" in tls.log()[said:]
    new = files.renew()
    until(lambda: shown(tls) == new and not warning(tls))


def test_an_end_that_is_near_is_told(tls: Server, files: Files) -> None:
    new = files.renew(days=0.1)
    until(lambda: shown(tls) == new)
    until(lambda: "expires on" in warning(tls))
    files.renew()
    until(lambda: not warning(tls))


def test_a_haproxy_that_is_replaced_has_the_newest(tls: Server, files: Files) -> None:
    new = files.renew()
    until(lambda: shown(tls) == new)
    (haproxy,) = (pid for pid, line in below(tls.pid).items() if "haproxy -db" in line)
    subprocess.run(["kill", "-9", str(haproxy)], check=True)

    def again() -> bool:
        try:
            return shown(tls) == new
        except OSError:
            return False

    until(again)


def told(server: Server, source: str, **headers: str) -> tuple[str, int]:
    """Return by whom a change from an address was made, as the audit log has it, and the status of it."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    carrier = httpx.HTTPTransport(local_address=source, verify=trusting(server.ca))
    with httpx.Client(base_url=server.url, transport=carrier, timeout=60) as client:
        status = client.put("/v1/galleries/by", headers=sent).status_code
        client.patch("/v1/galleries/by", headers=sent, json={"threshold": 0.5})
    entries = get(server, "/v1/galleries/by/audit?limit=1000").json()["entries"]
    return entries[-1]["actor"].removeprefix("http "), status


def test_only_named_proxies_say_where_a_request_comes_from(tls: Server) -> None:
    forged = {"x_forwarded_for": "192.0.2.1", "forwarded": "for=192.0.2.2;proto=http", "x_forwarded_proto": "http"}
    assert told(tls, "127.0.0.1")[0] == "127.0.0.1"
    assert told(tls, "127.0.0.4", **forged)[0] == "127.0.0.4"
    assert told(tls, "127.0.0.2", **forged)[0] == "192.0.2.1"
    assert told(tls, "127.0.0.2", forwarded="for=192.0.2.2")[0] == "127.0.0.2"
    chain = "192.0.2.1, 198.51.100.7, 127.0.0.3"
    assert told(tls, "127.0.0.2", x_forwarded_for=chain)[0] == "198.51.100.7"
    assert told(tls, "127.0.0.4", x_forwarded_for=chain)[0] == "127.0.0.4"


def test_a_named_proxy_says_by_which_scheme(tls: Server) -> None:
    page = {"origin": "http://127.0.0.1" + tls.url[tls.url.rindex(":") :]}
    assert told(tls, "127.0.0.4", **page, x_forwarded_proto="http")[1] == 403
    assert told(tls, "127.0.0.2", **page, x_forwarded_for="192.0.2.1", x_forwarded_proto="https")[1] == 403
    assert told(tls, "127.0.0.2", **page, x_forwarded_for="192.0.2.1", x_forwarded_proto="http")[1] == 200


def test_the_key_is_gone_at_the_end(tls: Server) -> None:
    (haproxy,) = (line for line in below(tls.pid).values() if "haproxy -db" in line)
    copy = Path(haproxy.split()[0]).with_name("tls.pem")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert tls.stop() == 0
    assert not copy.exists()


@pytest.mark.parametrize("fault", ["expired", "readable", "of another key", "no HAProxy"])
def test_a_server_does_not_start_with_it(fault: str, network: dict[str, str], tmp_path: Path) -> None:
    files = Files(tmp_path)
    if fault == "expired":
        files.authority.write(tmp_path, *NAMES, days=(-2, -1))
    elif fault == "readable":
        files.key.chmod(0o640)
    elif fault == "of another key":
        files.certificate.write_bytes(files.authority.signed(new_key(), *NAMES))
    server = Server(
        tmp_path,
        files.ca,
        FACEGROUP_STORE=f"sqlite:///{tmp_path}/gallery.db",
        FACEGROUP_TLS__CERTIFICATE=str(files.certificate),
        FACEGROUP_TLS__KEY=str(files.key),
        **network,
        **(RAY_DEFAULTS if fault == "no HAProxy" else {}),
    )
    assert server.refused() == 2
    (line,) = server.log().splitlines()[-1:]
    assert "tls." in line
    assert line.endswith("(invalid_settings)")
