"""What stands before the application, HAProxy and Ray Serve: how long it waits, what it says, and to whom."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.cluster.server import Server, listening

NAME = "Wilhelmina"

pytestmark = pytest.mark.parametrize("store", ["sqlite-haproxy"], indirect=True, scope="session")


@pytest.fixture(scope="module")
def syslog() -> Iterator[socket.socket | None]:
    """Whoever listens where syslog is told of things; None: this user may not."""
    with socket.socket(type=socket.SOCK_DGRAM) as listener:
        try:
            listener.bind(("127.0.0.1", 514))
        except OSError:
            yield None
        else:
            yield listener


def connected(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def rest(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    answer = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65536):
            answer += part
    return answer


def problem(answer: bytes) -> tuple[int, str]:
    """Return status and code of a problem that is a whole answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert "content-type: application/problem+json" in lines, answer
    told = json.loads(body)
    assert f"content-length: {len(body)}" in [" ".join(line.split()) for line in lines]
    assert int(lines[0].split()[1]) == told["status"]
    assert told["title"]
    assert told["detail"]
    return told["status"], told["code"]


HALVES = [
    b"",
    b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n",
    b"POST /v1/detect HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-ty",
    b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\nGET /healthz HT",
    b"G",
]


def half(server: Server, sent: bytes) -> bytes:
    with connected(server) as connection:
        connection.sendall(sent)
        return rest(connection)


def trickle(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n")
        for number in range(60):
            connection.sendall(b"x-%d: y\r\n" % number)
            time.sleep(0.5)


def late_body(server: Server) -> bytes:
    with connected(server) as connection:
        connection.sendall(
            b"PUT /v1/galleries/slow HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 2\r\n"
        )
        connection.sendall(b"content-type: application/json\r\n\r\n{")
        time.sleep(15)
        connection.sendall(b"}")
        return rest(connection)


@pytest.fixture(scope="module")
def settled(server: Server) -> Server:
    """A server whose HAProxy is reloaded no more: one that is about to end closes each connection after its answer."""
    deadline = time.monotonic() + 60
    calm = 0.0
    while calm < 5:
        assert time.monotonic() < deadline, "HAProxy never stopped closing connections"
        with connected(server) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            closes = b"connection: close" in connection.recv(65536).lower()
        calm = 0.0 if closes else calm + 0.5
        time.sleep(0.5)
    return server


@pytest.fixture(scope="module")
def slow(settled: Server) -> Iterator[dict[bytes | str, Future[Any]]]:
    """Requests that are waited for, all at once: halves of heads, a head that trickles, and a body that comes late."""
    with ThreadPoolExecutor(len(HALVES) + 2) as pool:
        halves: dict[bytes | str, Future[Any]] = {sent: pool.submit(half, settled, sent) for sent in HALVES}
        yield {**halves, "head": pool.submit(trickle, settled), "body": pool.submit(late_body, settled)}


@pytest.mark.parametrize("sent", HALVES)
def test_a_head_that_does_not_come_is_not_waited_for(slow: dict[bytes | str, Future[bytes]], sent: bytes) -> None:
    answer = slow[sent].result()
    assert problem(answer[answer.rfind(b"HTTP/1.1 ") :]) == (408, "timed_out")


def test_a_head_that_trickles_is_not_waited_for(slow: dict[bytes | str, Future[None]]) -> None:
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        slow["head"].result()


def test_a_body_may_take_longer(slow: dict[bytes | str, Future[bytes]]) -> None:
    assert slow["body"].result().startswith(b"HTTP/1.1 20")


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 40_000 + b"\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST /v1/detect HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        b"GET / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip, x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\nGARBAGE\r\n\r\n",
    ],
)
def test_what_is_no_request_is_a_problem(server: Server, sent: bytes) -> None:
    with connected(server) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        answer = rest(connection)
    status, code = problem(answer[answer.rfind(b"HTTP/1.1 ") :])
    assert status in (400, 422)
    assert code == "malformed_request"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-request-timeout-seconds": "0.000001"},
        {"x-request-timeout-seconds": "x"},
        {"x-request-disconnect-disabled": "?1"},
        {"serve_multiplexed_model_id": "a"},
        {"x-facegroup-instance": "another"},
        {"x-request-id": "\xff\xfe"},
    ],
)
def test_no_header_commands_serve(server: Server, headers: dict[str, str]) -> None:
    given = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = httpx.get(f"{server.url}/healthz", headers=given, trust_env=False, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert len(answer.headers.get_list("x-request-id")) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/healthz", 405),
        ("PATCH", "/v1/galleries", 405),
        ("POST", "/metrics", 405),
        ("GET", "/v1/galleries/none", 404),
    ],
)
def test_each_header_is_there_once(server: Server, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, f"{server.url}{path}", trust_env=False, timeout=30)
    assert answer.status_code == status
    names = [name for name, _ in answer.headers.multi_items()]
    assert sorted(names) == sorted(set(names))
    assert "x-request-id" in names
    assert ("allow" in names) == (status == 405)


def test_syslog_is_not_told_who_is_asked_for(server: Server, syslog: socket.socket | None) -> None:
    if syslog is None:
        pytest.skip("port 514 is not this user's to listen on")
    for path in (f"/v1/galleries/default/people?name={NAME}", f"/v1/galleries/{NAME}", f"/{NAME}", "/-/routes"):
        httpx.get(f"{server.url}{path}", trust_env=False, timeout=30)
    syslog.setblocking(False)
    with pytest.raises(BlockingIOError):
        print(syslog.recv(65536))


def test_nothing_listens_off_loopback(server: Server) -> None:
    own = listening(server)
    assert len(own) > 10, "ss does not tell the server's ports"
    assert not [each for each in own if not each.startswith(("127.0.0.1:", "[::ffff:127.0.0.1]:", "[::1]:"))]
