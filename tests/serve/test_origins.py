"""What a page in somebody's browser may do: nothing that its own server did not open, whatever name leads here."""

import asyncio
from typing import Any, cast

import pytest
from fastapi import FastAPI

from facegroup.errors import InvalidSettings
from facegroup.settings import Settings, load
from serve import early_refusal
from serve.api import build_api
from serve.api.limits import refusal
from serve.early_refusal import EarlyRefusal
from tests.local_pipeline import LocalPipeline
from tests.serve.driver import Api, Raw

APP = "https://app.example.org"


@pytest.fixture(scope="module")
def open_api(settings: Settings, pipeline: LocalPipeline) -> Api:
    """The same server, with names and origins that it was told of."""
    told = {"host": "faces.lan", "hosts": ("*.example.net", "müller.example"), "cors_origins": (APP,)}
    return Api(build_api(load(**{**settings.model_dump(include={"network", "store"}), **told}), pipeline))


def asked(api: Api, method: str, path: str, **headers: str) -> Raw:
    return api.raw(method, path, [(name.replace("_", "-"), value) for name, value in headers.items()])


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:8000", "192.168.1.20:8000", "[::1]", "[::1]:8000", "[fe80::1%25eth0]:80", "0.0.0.0"),
        *("localhost", "LOCALHOST:8000", "localhost.", "cam.localhost:1", "localhost:"),
    ],
)
def test_addresses_and_loopback_are_always_known(api: Api, host: str) -> None:
    assert asked(api, "GET", "/v1/galleries", host=host).status == 200
    assert asked(api, "GET", "/", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "notlocalhost", "127.0.0.1.evil.example"),
        *(
            "faces.lan",
            "evil@127.0.0.1",
            "127.0.0.1/x",
            "127.0.0.1 evil",
            "[::1",
            "::1",
            "[evil]",
            "",
            ":80",
            "é",
            "a,b",
        ),
    ],
)
def test_other_names_are_refused_everywhere(api: Api, host: str) -> None:
    for method, path in (("GET", "/v1/galleries"), ("GET", "/"), ("GET", "/docs"), ("DELETE", "/v1/galleries/g")):
        answer = asked(api, method, path, host=host)
        assert answer.status == 403
        assert answer.json()["code"] == "host_not_allowed"
        assert "FACEGROUP_HOSTS" in answer.json()["detail"]
    for path in ("/healthz", "/metrics", "/openapi.json", "/nowhere", "/v1/galleries/"):
        assert asked(api, "HEAD", path, host=host).status == 403


def test_two_names_are_none(api: Api) -> None:
    two = [("host", "127.0.0.1"), ("host", "localhost")]
    assert api.raw("GET", "/v1/galleries", two).status == 403


@pytest.mark.parametrize("host", ["faces.lan:8000", "a.example.net", "A.B.example.net:443", "xn--mller-kva.example"])
def test_names_of_the_settings_are_known(api: Api, open_api: Api, host: str) -> None:
    assert asked(open_api, "GET", "/v1/galleries", host=host).status == 200
    assert asked(open_api, "GET", "/v1/galleries", host=f"x{host}.org").status == 403
    assert asked(api, "GET", "/v1/galleries", host=host).status == 403


FOREIGN: list[dict[str, str]] = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://127.0.0.1:8001"},
    {"origin": "http://localhost:8000"},
    {"origin": "https://127.0.0.1"},
    {"origin": "http://127.0.0.1:8000@evil.example"},
    {"origin": "http://127.0.0.1:8000.evil.example"},
    {"origin": "file://127.0.0.1:8000"},
    {"origin": "chrome-extension://abc"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site", "origin": "http://127.0.0.1:3000"},
    {"sec_fetch_site": "none", "origin": "http://evil.example"},
    {"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:8000"},
]
CHANGES = [
    ("POST", "/v1/galleries/g/people/p/photos", "multipart/form-data; boundary=b"),
    ("POST", "/v1/galleries/g/people/p/photos", ""),
    ("POST", "/v1/galleries/g/people/p/counter-examples", "text/plain"),
    ("POST", "/v1/galleries/g/accept", ""),
    ("POST", "/v1/videos", ""),
    ("PUT", "/v1/galleries/g", ""),
    ("DELETE", "/v1/galleries/g", ""),
    ("PATCH", "/v1/galleries/g", "application/json"),
    ("POST", "/nowhere", ""),
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_changes_for_pages_of_others_are_refused(api: Api, open_api: Api, headers: dict[str, str]) -> None:
    for method, path, kind in CHANGES:
        for each in (api, open_api):
            answer = asked(each, method, path, host="127.0.0.1:8000", content_type=kind, **headers)
            assert (answer.status, answer.json()["code"]) == (403, "origin_not_allowed")
            assert "FACEGROUP_CORS_ORIGINS" in answer.json()["detail"]
            assert (answer.taken, "access-control-allow-origin" in answer.headers) == (0, False)
    # A link from another page may lead here; what is answered that page cannot read.
    answer = asked(api, "GET", "/v1/galleries", host="127.0.0.1:8000", **headers)
    assert (answer.status, "access-control-allow-origin" in answer.headers) == (200, False)


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        ("127.0.0.1:8000", {}),
        ("127.0.0.1:8000", {"origin": "http://127.0.0.1:8000", "sec_fetch_site": "same-origin"}),
        ("127.0.0.1:8000", {"origin": "http://127.0.0.1:8000"}),
        ("[::1]:8000", {"origin": "http://[::1]:8000"}),
        ("localhost:8000", {"sec_fetch_site": "none"}),
        ("localhost", {"origin": "http://localhost"}),
        ("localhost:80", {"origin": "http://localhost"}),
        ("localhost", {"origin": "https://localhost"}),  # behind a proxy that speaks TLS
        ("127.0.0.1:8000", {"origin": "https://faces.example", "sec_fetch_site": "same-origin"}),  # and changes Host
    ],
)
def test_the_servers_own_page_and_programs_may_change_everything(
    api: Api, gallery: str, host: str, headers: dict[str, str]
) -> None:
    assert asked(api, "PUT", gallery, host=host, **headers).status == 200
    assert asked(api, "DELETE", gallery, host=host, **headers).status == 200


def test_origins_of_the_settings_may_do_all_and_read_all(open_api: Api, gallery: str) -> None:
    headers = {"origin": APP, "sec_fetch_site": "cross-site", "host": "faces.lan"}
    for method, path, status in (("PUT", gallery, 200), ("GET", gallery, 200), ("GET", "/nowhere", 404)):
        answer = asked(open_api, method, path, **headers)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, APP)
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
        assert "Origin" in answer.headers["vary"]
    large = asked(open_api, "POST", "/v1/detect", content_length=str(1 << 40), **headers)
    assert (large.status, large.headers["access-control-allow-origin"]) == (413, APP)
    wrong = asked(open_api, "PUT", gallery, **{**headers, "host": "evil.example"})
    assert wrong.json()["code"] == "host_not_allowed"


def test_a_preflight_is_answered_to_those_only(api: Api, open_api: Api) -> None:
    headers = {"host": "127.0.0.1", "access_control_request_headers": "content-type,idempotency-key"}
    headers |= {"access_control_request_method": "PATCH", "access_control_request_private_network": "true"}
    answer = preflight(open_api, **headers, origin=APP)
    assert answer["status"] == 200
    assert answer["access-control-allow-origin"] == APP
    assert "PATCH" in answer["access-control-allow-methods"]
    assert "idempotency-key" in answer["access-control-allow-headers"]
    assert answer["access-control-allow-private-network"] == "true"
    assert answer["x-request-id"]
    assert "access-control-allow-credentials" not in answer
    for each, origin in ((open_api, "https://evil.example"), (api, APP), (open_api, f"{APP}.evil.example")):
        refused = asked(each, "OPTIONS", "/v1/galleries", **headers, origin=origin)
        assert (refused.status, "access-control-allow-origin" in refused.headers) == (405, False)
    wrong = {**headers, "access_control_request_method": "BREW"}
    assert asked(open_api, "OPTIONS", "/v1/galleries", **wrong, origin=APP).json()["code"] == "method_not_allowed"


def preflight(api: Api, **headers: str) -> dict[str, Any]:
    """An answer that no operation of the document gives."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "OPTIONS", "path": "/v1/galleries", "query_string": b"", "headers": pairs}
    asyncio.run(api.app(scope, receive, send))
    told = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return {"status": sent[0]["status"], **told}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('["Faces.LAN."]', ("faces.lan",)),
        ("faces.lan", ("faces.lan",)),
        ("a.lan, *.b.lan", ("a.lan", "*.b.lan")),
        ("", ()),
        ("http://faces.lan", None),
        ("faces.lan:8000", None),
        ("*", None),
        ("a.*.lan", None),
        ("[1", None),
        ("[[]]", None),
        ("ü" * 300, None),
    ],
)
def test_hosts_in_variables(monkeypatch: pytest.MonkeyPatch, given: str, kept: tuple[str, ...] | None) -> None:
    monkeypatch.setenv("FACEGROUP_HOSTS", given)
    if kept is None:
        with pytest.raises(InvalidSettings):
            load()
    else:
        assert load().hosts == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://App.example.org/", ("https://app.example.org",)),
        ('["http://localhost:3000", "https://a.example:443"]', ("http://localhost:3000", "https://a.example")),
        ("http://[::1]:3000", ("http://[::1]:3000",)),
        *((wrong, None) for wrong in ("*", "null", "app.example.org", "https://a.example/x", "https://*.example")),
        *((wrong, None) for wrong in ("https://u:p@a.example", "https://", "ftp://a.example", "https://a.example:x")),
        *((wrong, None) for wrong in ("https://[::1", "https://a.example?x", "https://a b")),
    ],
)
def test_origins_in_variables(monkeypatch: pytest.MonkeyPatch, given: str, kept: tuple[str, ...] | None) -> None:
    monkeypatch.setenv("FACEGROUP_CORS_ORIGINS", given)
    if kept is None:
        with pytest.raises(InvalidSettings, match="cors_origins"):
            load()
    else:
        assert load().cors_origins == kept


def test_a_page_that_is_admitted_may_read_that_there_is_no_room(
    settings: Settings, pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what stands in front of the application, as in a server."""
    monkeypatch.setattr(pipeline, "has_room", lambda count, size=0: False)
    monkeypatch.setattr(early_refusal, "_refuse", [lambda scope: refusal(scope, pipeline.has_room)])
    app = build_api(load(**{**settings.model_dump(include={"network", "store"}), "cors_origins": (APP,)}), pipeline)
    front = Api(app)
    front.app = cast("FastAPI", EarlyRefusal(app))
    answer = asked(front, "POST", "/v1/detect", host="127.0.0.1", content_type="image/jpeg", origin=APP)
    assert (answer.status, answer.json()["code"]) == (429, "overloaded")
    assert answer.headers["access-control-allow-origin"] == APP
    assert "retry-after" in answer.headers["access-control-expose-headers"]
    assert asked(front, "POST", "/v1/detect", host="127.0.0.1", content_type="image/jpeg").status == 429
    foreign = asked(
        front, "POST", "/v1/detect", host="127.0.0.1", content_type="image/jpeg", origin="http://evil.example"
    )
    assert (foreign.status, foreign.json()["code"]) == (403, "origin_not_allowed")


def test_a_page_that_came_by_http_changes_nothing_by_https(settings: Settings, pipeline: LocalPipeline) -> None:
    given = {**settings.model_dump(include={"network", "store"}), "trusted_proxies": "127.0.0.1"}
    api = Api(build_api(load(**given), pipeline))
    for origin, scheme, status in (
        ("http://faces.localhost", "https", 403),
        ("https://faces.localhost", "https", 200),
        ("https://faces.localhost", "http", 200),  # a proxy that is not named speaks TLS
        ("http://faces.localhost", "http", 200),
    ):
        sent = {
            "origin": origin,
            "host": "faces.localhost",
            "x_forwarded_proto": scheme,
            "x_forwarded_for": "192.0.2.1",
        }
        assert asked(api, "PUT", "/v1/galleries/by-scheme", **sent).status == status


@pytest.mark.parametrize("shared", ["same-origin", "cross-origin"])
def test_pages_that_are_named_may_show_pictures(shared: str, api: Api, open_api: Api) -> None:
    asks = api if shared == "same-origin" else open_api
    assert asked(asks, "GET", "/healthz", host="localhost").headers["cross-origin-resource-policy"] == shared
