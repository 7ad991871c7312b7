"""One post to a real receiver: what its answer means, and to which address it goes."""

import asyncio
import datetime
import socket
import ssl
import threading
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from facegroup.cameras.delivery import webhook
from facegroup.cameras.delivery.webhook import Outcome, Poster
from facegroup.cameras.sightings.types import Event, Webhook
from facegroup.errors import SourceUnreachable
from facegroup.settings import Cameras
from tests.unit.cameras.delivery.delivering import NETWORKS
from tests.unit.cameras.delivery.receiver import Receiver
from tests.unit.cameras.journal.made import sighting

EVENT = Event(7, "abc-7", "began", 100.0, sighting())


def post(url: str, networks: tuple[str, ...] = NETWORKS, secret: str = "whsec_c2VjcmV0") -> Outcome:
    async def once() -> Outcome:
        poster = Poster(Cameras(networks=networks))
        try:
            return await poster.post(Webhook("hook", url, secret), EVENT)
        finally:
            await poster.close()

    return asyncio.run(once())


def test_names_that_are_looked_up_for_long_hold_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def resolve(*_: object) -> list[str]:
        answered.wait(60)
        raise SourceUnreachable("no answer of any name server")

    monkeypatch.setattr("facegroup.cameras.sources.address.resolve", resolve)

    async def many() -> list[Outcome]:
        poster = Poster(Cameras(networks=NETWORKS))
        try:
            tries = [poster.post(Webhook(f"hook{n}", "http://hook.test/", "whsec_c2VjcmV0"), EVENT) for n in range(40)]
            posts = asyncio.gather(*tries)
            await asyncio.sleep(0)
            # What the journal is read in.
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "read"), 30) == "read"
            answered.set()
            return await posts
        finally:
            await poster.close()

    assert {outcome.taken for outcome in asyncio.run(many())} == {False}


@pytest.mark.parametrize(
    ("status", "taken", "final"),
    [
        *((status, True, False) for status in (200, 201, 202, 204)),
        *((status, False, True) for status in (301, 302, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422)),
        *((status, False, False) for status in (408, 409, 425, 429, 500, 502, 503, 504, 599)),
    ],
)
def test_what_an_answer_means(receiver: Receiver, status: int, taken: bool, final: bool) -> None:
    receiver.answers = [(status, {"location": receiver.url})]
    outcome = post(receiver.url)
    assert (outcome.taken, outcome.final) == (taken, final)
    assert taken or str(status) in outcome.detail
    assert len(receiver.got) == 1  # redirects are not followed


@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [
        ("7", 7, 7),
        ("in half an hour", 1700, 1800),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("99999999", 3600, 3600),
        ("9" * 500, 3600, 3600),
        ("-5", 0, 0),
        ("soon", 0, 0),
        ("", 0, 0),
    ],
)
def test_how_long_it_asks_to_be_left_alone(receiver: Receiver, asked: str, low: float, high: float) -> None:
    if asked == "in half an hour":
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=30)
        asked = format_datetime(soon, usegmt=True)
    receiver.answers = [(429, {"retry-after": asked})]
    assert low <= post(receiver.url).wait <= high


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1/", "not public"),
        ("http://169.254.169.254/latest/meta-data", "not public"),
        ("http://[::ffff:10.0.0.1]/", "not public"),
        ("http://no-such-host.invalid/", "cannot be resolved"),
        ("ftp://127.0.0.1/", "http"),
        ("", "FACEGROUP_CAMERAS__KEY"),
    ],
)
def test_where_it_may_not_go(url: str, says: str) -> None:
    outcome = post(url, ())
    assert not outcome.taken
    assert says in outcome.detail


def test_the_address_that_was_checked_is_the_one(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere at each look-up: the first answer is allowed, the second is not."""
    known, asked = socket.getaddrinfo, []

    def rebinding(host: Any, port: Any, *given: Any, **named: Any) -> Any:
        if host == "hook.test":
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return known(host, port, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = f"http://user:p%40ss@hook.test:{receiver.port}/in?a=b#c"
    assert post(url, ("127.0.0.1/32",)).taken
    assert asked == ["hook.test"]
    headers, _ = receiver.got[0]
    assert headers["host"] == f"hook.test:{receiver.port}"
    assert headers["authorization"] == "Basic dXNlcjpwQHNz"
    refusal = post(url, ("127.0.0.1/32",)).detail
    assert "not public" in refusal
    assert "127.0.0.2" not in refusal


def test_a_byte_now_and_then_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.2)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.05):
                    try:
                        connection.sendall(b"x: y\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        outcome = post(f"http://127.0.0.1:{server.getsockname()[1]}/")
        over.set()
        thread.join()
    assert not outcome.taken
    assert "TimeoutError" in outcome.detail


def test_a_certificate_must_be_of_the_name(tmp_path: Path) -> None:
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path))
    context.sni_callback = lambda _, name, __: names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def shake() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except (ssl.SSLError, OSError):
                    return

        thread = threading.Thread(target=shake)
        thread.start()
        outcome = post(f"https://localhost:{server.getsockname()[1]}/")
        thread.join()
    assert names == ["localhost"]
    assert "no answer" in outcome.detail


def _certificate(folder: Path) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(today).not_valid_after(today + datetime.timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    parts = [made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)]
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "certificate.pem"
    file.write_bytes(b"".join([*parts, key.private_bytes(*plain)]))
    return file
