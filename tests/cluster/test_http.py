"""What HTTP clients of all kinds send to a real server, through HAProxy and through Ray's own proxy."""

import base64
import gzip
import socket
from typing import Any

import httpx
import pytest

from tests.cluster.server import Server
from tests.photos import astronaut, encode

PHOTO = encode(astronaut())
STATE = ("/v1/galleries?limit=1000", "/v1/galleries/default/people", "/v1/videos")


def ask(server: Server, method: str, path: str, **request: Any) -> httpx.Response:
    return httpx.request(method, f"{server.url}{path}", timeout=120, trust_env=False, **request)


def kept(server: Server) -> list[Any]:
    return [ask(server, "GET", path).json() for path in STATE]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:8000", "origin": "http://evil.example:8000"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_a_page_of_another_origin_changes_nothing(server: Server, headers: dict[str, str]) -> None:
    assert ask(server, "PUT", "/v1/galleries/default/people/ada", json={"name": "Ada"}).is_success
    before = kept(server)
    code = "host_not_allowed" if "host" in headers else "origin_not_allowed"
    person = "/v1/galleries/default/people/ada"
    for method, path, body in (
        ("POST", f"{person}/photos", {"files": {"photo": PHOTO}}),
        ("POST", f"{person}/photos", {"content": PHOTO}),
        ("POST", f"{person}/counter-examples", {"files": {"photo": PHOTO}}),
        ("POST", "/v1/videos", {"content": PHOTO}),
        ("POST", "/v1/galleries/default/accept", {}),
        ("DELETE", "/v1/galleries/default", {}),
    ):
        answer = ask(server, method, path, headers=headers, **body)
        assert (answer.status_code, answer.json()["code"]) == (403, code)
        assert answer.headers["content-type"] == "application/problem+json"
    if "host" in headers:
        assert ask(server, "GET", "/v1/galleries", headers=headers).json()["code"] == code
    assert kept(server) == before


@pytest.mark.parametrize("forged", [{}, {"x-forwarded-for": "192.0.2.7"}, {"forwarded": "for=192.0.2.7"}])
def test_no_client_says_from_where_it_comes(server: Server, forged: dict[str, str]) -> None:
    gallery = f"{server.url}/v1/galleries/addresses"
    several = [("x-forwarded-for", "192.0.2.8"), *forged.items(), *forged.items()]
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=120) as client:
        assert client.put(gallery, headers=several if forged else None).is_success
        entries = client.get(f"{server.url}/v1/audit?gallery=addresses").json()["entries"]
        assert {each["actor"] for each in entries} == {"http 127.0.0.2"}
        assert client.delete(gallery).is_success


def test_head_slashes_and_what_does_not_exist(server: Server) -> None:
    for path in ("/healthz", "/readyz", "/", "/v1/galleries", "/v1/galleries/default", "/v1/sightings/stream"):
        answer = ask(server, "HEAD", path)
        assert (answer.status_code, answer.content, len(answer.headers.get_list("x-request-id"))) == (200, b"", 1)
    assert ask(server, "GET", "/v1/galleries/default/").json()["name"] == "default"
    nowhere, wrong = ask(server, "GET", "/v1/nowhere"), ask(server, "GET", "/v1/detect")
    assert (nowhere.status_code, nowhere.json()["detail"].startswith("there is no GET /v1/nowhere")) == (404, True)
    assert (wrong.status_code, wrong.headers.get_list("allow")) == (405, ["POST"])
    assert wrong.json()["detail"].startswith("there is no GET /v1/detect")


def test_what_a_route_does_not_know_is_refused(server: Server) -> None:
    for path, request in (
        ("?treshold=0.99", {"content": PHOTO}),
        ("", {"data": {"threshold": "1"}, "files": {"p": PHOTO}}),
    ):
        answer = ask(server, "POST", f"/v1/galleries/default/identify{path}", **request)
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")
        assert "threshold" in answer.json()["detail"]


def test_photos_come_as_json_and_not_compressed(server: Server) -> None:
    body = {"image": base64.b64encode(PHOTO).decode()}
    answer = ask(server, "POST", "/v1/detect", json=body)
    assert len(answer.json()["images"][0]["faces"]) == 1
    packed = ask(server, "POST", "/v1/detect", content=gzip.compress(PHOTO), headers={"content-encoding": "gzip"})
    assert (packed.status_code, packed.json()["code"]) == (415, "unsupported_encoding")
    form = ask(server, "POST", "/v1/videos", files={"video": PHOTO})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_format")


def test_a_request_without_a_name_is_no_browsers(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 200 " in connection.makefile("rb").readline()
