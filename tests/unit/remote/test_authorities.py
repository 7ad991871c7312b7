"""Servers whose certificate an authority of one's own signed: trusted where it is named, and nowhere else."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from facegroup.cameras.delivery.webhook import Outcome, Poster
from facegroup.cameras.sightings.types import Event, Webhook
from facegroup.cli.output import client_of
from facegroup.client import Client
from facegroup.errors import InvalidSettings, StageUnavailable
from facegroup.remote.authorities import trusting
from facegroup.settings import Cameras, load
from tests.certificates import Authority
from tests.unit.cameras.delivery.delivering import NETWORKS
from tests.unit.cameras.journal.made import sighting


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "18")
        self.end_headers()
        self.wfile.write(b'{"status":"ready"}')

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Path]:
    authority, path = Authority(), tmp_path_factory.mktemp("ca") / "ca.pem"
    path.write_bytes(authority.certificate)
    return authority, path


@pytest.fixture(scope="module")
def port(ca: tuple[Authority, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that is localhost, and not 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca[0].write(tmp_path_factory.mktemp("server"), "localhost"))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_client_trusts_it(ca: tuple[Authority, Path], port: int) -> None:
    with Client(f"https://localhost:{port}", ca=ca[1]) as client:
        assert client.about() == {"status": "ready"}
    with client_of(f"https://localhost:{port}", load(client_ca=str(ca[1]))) as client:
        assert client.about() == {"status": "ready"}


def test_nothing_else_is_trusted(ca: tuple[Authority, Path], port: int, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_bytes(Authority().certificate)
    for host, trusted in (("localhost", None), ("localhost", tmp_path / "other.pem"), ("127.0.0.1", ca[1])):
        with (
            Client(f"https://{host}:{port}", patience=0, ca=trusted) as client,
            pytest.raises(StageUnavailable) as error,
        ):
            client.about()
        assert "certificate verify failed" in error.value.detail


def test_a_webhook_trusts_it(ca: tuple[Authority, Path], port: int) -> None:
    event = Event(7, "abc-7", "began", 100.0, sighting())

    async def post(trusted: Path | None) -> Outcome:
        poster = Poster(Cameras(networks=NETWORKS, ca=trusted))
        try:
            return await poster.post(Webhook("hook", f"https://localhost:{port}/", "whsec_c2VjcmV0"), event)
        finally:
            await poster.close()

    assert asyncio.run(post(ca[1])).taken
    assert not asyncio.run(post(None)).taken


def test_the_usual_authorities_stay(ca: tuple[Authority, Path]) -> None:
    usual, more = trusting(None).cert_store_stats(), trusting(ca[1]).cert_store_stats()
    assert more["x509_ca"] == usual["x509_ca"] + 1


@pytest.mark.parametrize(
    "content", [None, b"", b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_authorities_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidSettings, match=r"ca\.pem"):
        Client("https://localhost:1", ca=path)
    with pytest.raises(InvalidSettings, match=r"ca\.pem"):
        load(cameras={"ca": str(path)})
