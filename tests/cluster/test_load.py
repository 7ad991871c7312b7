"""Much at once on a real server: large photos and many of them are answered, and one large request stops nobody else.

No test says how long anything takes; benchmarks/turns.py does.
"""

import io
import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from facegroup.settings import Limits
from tests.cluster.server import Server
from tests.photos import encode, hopper

LARGE = 100
"""PNG files in the large request."""

IMAGE_BYTES = Limits().image_bytes


pytestmark = pytest.mark.parametrize(
    "store", ["sqlite-haproxy", pytest.param("redis-defaults", marks=pytest.mark.slow)], indirect=True, scope="session"
)


@pytest.fixture(scope="module")
def small() -> bytes:
    return encode(hopper(), quality=90)


@pytest.fixture(scope="module")
def pngs() -> list[tuple[str, Any]]:
    """14 MB of files of 49 megapixels each: hours of work on a slow machine."""
    stream = io.BytesIO()
    Image.new("RGB", (7000, 7000), "gray").save(stream, "PNG")
    return [("photos", (f"{number}.png", stream.getvalue(), "image/png")) for number in range(LARGE)]


def post(server: Server, photo: bytes) -> httpx.Response:
    headers = {"content-type": "image/jpeg"}
    return httpx.post(f"{server.url}/v1/detect", content=photo, headers=headers, timeout=300, trust_env=False)


def counted(server: Server, name: str, queue: str) -> float:
    text = httpx.get(f"{server.url}/metrics", trust_env=False, timeout=30).text
    found = re.findall(rf'^facegroup_{name}{{.*queue="{queue}".*}} (\S+)$', text, re.MULTILINE)
    assert found, f"no {name} of {queue}"
    return sum(float(value) for value in found)


def until(true: Callable[[], bool], what: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


class Large:
    """A request with all PNG files, on a connection of its own; when this is made one of them was looked at."""

    def __init__(self, server: Server, pngs: list[tuple[str, Any]]) -> None:
        request = httpx.Request("POST", f"{server.url}/v1/detect", files=pngs)
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        self.before = counted(server, "batch_items_sum", "detector_large")
        self._socket = socket.create_connection((request.url.host, request.url.port or 80))
        self._socket.sendall(f"POST {request.url.path} HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        until(
            lambda: counted(server, "batch_items_sum", "detector_large") > self.before,
            "no photo of the large request was looked at",
        )

    def is_answered(self) -> bool:
        return bool(select.select([self._socket], [], [], 0)[0])

    def leave(self) -> None:
        self._socket.close()


@pytest.fixture
def large(server: Server, pngs: list[tuple[str, Any]]) -> Iterator[Large]:
    asked = Large(server, pngs)
    yield asked
    asked.leave()


def test_small_requests_are_answered_while_a_large_one_goes_on(server: Server, small: bytes, large: Large) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(server, small), range(24)))
    assert counted(server, "batch_items_sum", "detector_large") < large.before + LARGE, (
        "the large request was served first"
    )
    assert not large.is_answered()
    assert [answer.status_code for answer in answers] == [200] * 24
    assert {len(answer.json()["images"][0]["faces"]) for answer in answers} == {1}


def test_nothing_more_is_done_for_a_large_request_whose_caller_has_gone(server: Server, large: Large) -> None:
    large.leave()
    until(lambda: counted(server, "waiting", "ingress_large") == 0, "its photos go on waiting")
    looked_at = counted(server, "batch_items_sum", "detector_large")
    time.sleep(10)  # the detector may be in the middle of one, and a second one may have been decoded
    assert counted(server, "batch_items_sum", "detector_large") <= looked_at + 2
    assert counted(server, "batch_items_sum", "detector_large") < large.before + LARGE / 2


def test_a_large_request_is_answered_whole(server: Server, small: bytes) -> None:
    """Forty photos of which few cost much, one that is none and one in the middle that costs much."""
    stream = io.BytesIO()
    Image.fromarray(np.full((4000, 5000), 200, np.uint8)).save(stream, "PNG")
    sent = [small] * 20 + [b"no image", stream.getvalue()] + [small] * 18
    files = [("photos", (f"{number}.jpg", photo, "image/jpeg")) for number, photo in enumerate(sent)]
    answer = httpx.post(f"{server.url}/v1/embed", files=files, timeout=300, trust_env=False)
    assert answer.status_code == 200, answer.text[:500]
    images = answer.json()["images"]
    assert [image["name"] for image in images] == [f"{number}.jpg" for number in range(40)]
    assert [len(image.get("faces") or ()) for image in images] == [1] * 20 + [0, 0] + [1] * 18
    assert images[20]["error"]["code"] == "not_an_image"


def test_forty_phone_photos_at_once_are_all_answered(server: Server, small: bytes) -> None:
    """Each has 5.2 MB: twelve of them are more than one call between processes may have."""
    photo = small + bytes(5_200_000 - len(small))
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: post(server, photo), range(40)))
    assert [answer.status_code for answer in answers] == [200] * 40, {answer.text[:300] for answer in answers}
    assert {len(answer.json()["images"][0]["faces"]) for answer in answers} == {1}


def test_the_largest_image_passes(server: Server, small: bytes) -> None:
    assert post(server, small + bytes(IMAGE_BYTES - len(small))).status_code == 200


def test_images_over_the_limit_are_refused_before_they_are_read(server: Server) -> None:
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: _announced(server, 63_000_000), range(24)))
    assert {(answer.split(" ")[1], "image_too_large" in answer) for answer in answers} == {("413", True)}
    assert "Traceback" not in server.log()


def _announced(server: Server, size: int) -> str:
    """Send the head of a request and a little of its body; return the answer."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        head = f"POST /v1/detect HTTP/1.1\r\nhost: {host}\r\ncontent-type: image/jpeg\r\ncontent-length: {size}\r\n\r\n"
        connection.sendall(head.encode() + bytes(1000))
        answer = b""
        while b'"request_id"' not in answer and (part := connection.recv(65536)):
            answer += part
        return answer.decode()
