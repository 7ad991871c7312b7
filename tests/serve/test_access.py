"""Keys in requests: where they are taken from, what is no key, and what is open without one."""

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from facegroup.access import secrets
from facegroup.access.types import Caller
from facegroup.errors import StoreUnavailable
from facegroup.settings import load
from serve.api import build_api
from tests.serve.driver import Api
from tests.serve.keyed import Keyed, Nothing, bearer

GALLERIES = "/v1/galleries"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    store = f"sqlite:///{tmp_path_factory.mktemp('access')}/g.db"
    made = Keyed(load(store=store, network="retail-0095", cors_origins=["https://app.example"]))
    yield made
    made.close()


@pytest.fixture
def key(keyed: Keyed) -> str:
    return keyed.key("identify", "events")


def status(keyed: Keyed, *headers: tuple[str, str], path: str = GALLERIES) -> int:
    """Return the answer to a request with exactly these headers: 503 says that it was admitted."""
    return keyed.api.raw("GET", path, headers).status


@pytest.mark.parametrize(
    ("headers", "admitted"),
    [
        ([("authorization", "Bearer KEY")], True),
        ([("authorization", "bearer KEY")], True),
        ([("authorization", "BEARER   KEY ")], True),
        ([("authorization", " \tBearer KEY\t")], True),
        ([("x-api-key", "KEY")], True),
        ([("x-api-key", "  KEY\t")], True),
        ([("authorization", "Bearer KEY"), ("x-api-key", "KEY")], True),
        ([("authorization", "Basic dXNlcjpwYXNz"), ("x-api-key", "KEY")], True),
        ([("authorization", "Bearer KEY"), ("x-api-key", "OTHER")], False),
        ([("authorization", "Bearer OTHER"), ("x-api-key", "KEY")], False),
        ([("authorization", "Bearer KEY"), ("authorization", "Bearer KEY")], False),
        ([("authorization", "Bearer KEY"), ("authorization", "Bearer OTHER")], False),
        ([("x-api-key", "KEY"), ("x-api-key", "KEY")], False),
        ([("x-api-key", "KEY,KEY")], False),
        ([("authorization", "KEY")], False),
        ([("authorization", "Bearer")], False),
        ([("authorization", "")], False),
        ([("x-api-key", "")], False),
        ([("authorization", "Bearer KEY"), ("x-api-key", "")], False),
        ([("authorization", "BearerKEY")], False),
        ([("authorization", "Token KEY")], False),
        ([("authorization", "Basic KEY")], False),
        ([("authorization", "Bearer\tKEY")], False),
        ([("authorization", "Bearer KEY KEY")], False),
        ([("authorization", "Bearer KEY\x00")], False),
        ([("authorization", "Bearer \x00KEY")], False),
        ([("authorization", "Bearer KEY\n")], False),
        ([("authorization", "Bearer KEYé")], False),
        ([("authorization", "Bearer \xa0KEY")], False),
        ([("authorization", "Bearer " + "é" * 55)], False),
        ([("authorization", "Bearer " + "KEY" * 20_000)], False),
        ([("authorization", "Bearer " + " " * 60_000 + "KEY")], True),
        ([("x-api-key", "PREFIX")], False),
        ([("x-api-key", "HASH")], False),
        ([("cookie", "key=KEY")], False),
        ([("proxy-authorization", "Bearer KEY")], False),
        ([("x-api_key", "KEY")], False),
    ],
)
def test_headers(keyed: Keyed, key: str, headers: list[tuple[str, str]], admitted: bool) -> None:
    secret = secrets.read(key)
    assert secret is not None
    put = {"PREFIX": secret.prefix, "HASH": secret.hash, "OTHER": secrets.make().text, "KEY": key}
    sent = []
    for name, value in headers:
        for word, meant in put.items():
            value = value.replace(word, meant)  # noqa: PLW2901
        sent.append((name, value))
    answer = keyed.api.raw("GET", GALLERIES, sent)
    assert answer.status == (503 if admitted else 401)
    assert key.encode() not in answer.body
    assert secret.text[12:].encode() not in answer.body


@pytest.mark.parametrize("name", ["key", "api_key", "apikey", "access_token", "token", "x-api-key", "authorization"])
def test_a_key_is_never_taken_from_the_query(keyed: Keyed, key: str, name: str) -> None:
    assert status(keyed, path=f"{GALLERIES}?{name}={key}") == 401


def test_a_key_is_not_taken_from_a_body(keyed: Keyed, key: str) -> None:
    assert keyed.api("POST", "/v1/galleries/choir/people", json={"name": "x", "key": key}).status_code == 401


def test_a_key_of_another_server(keyed: Keyed, tmp_path: Path) -> None:
    other = Keyed(load(store=f"sqlite:///{tmp_path}/other.db", network="retail-0095"))
    foreign = other.key("admin")
    assert status(other, ("x-api-key", foreign)) == 503
    assert status(keyed, ("x-api-key", foreign)) == 401
    other.close()


def test_a_revoked_key_is_refused_at_the_next_request_and_a_rotated_one_after_its_grace(keyed: Keyed) -> None:
    keyed.key("admin")
    old = keyed.key("identify")
    record = keyed.id_of(old)
    assert status(keyed, ("x-api-key", old)) == 503
    _, new = keyed.registry.rotate(record, 3600)
    assert status(keyed, ("x-api-key", old)) == status(keyed, ("x-api-key", new.text)) == 503
    _, newest = keyed.registry.rotate(record, 0)
    assert status(keyed, ("x-api-key", old)) == status(keyed, ("x-api-key", new.text)) == 401
    assert status(keyed, ("x-api-key", newest.text)) == 503
    keyed.registry.revoke(record)
    assert status(keyed, ("x-api-key", newest.text)) == 401


def test_the_body_of_a_stranger_is_not_read(keyed: Keyed, key: str) -> None:
    photo = [("content-type", "image/jpeg"), ("content-length", "50000000")]
    for headers in (photo, [*photo, ("x-api-key", key)]):
        answer = keyed.api.raw("POST", "/v1/embed", headers, [b"x" * 1000] * 10)
        assert answer.status in (401, 403)
        assert answer.taken == 0


@pytest.mark.parametrize(("path", "asks"), [("/healthz", 0), ("/docs", 0), ("/", 0), ("/readyz", 1), (GALLERIES, 1)])
def test_the_store_is_asked_only_where_it_matters_who_asks(
    keyed: Keyed, key: str, path: str, asks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    plain = keyed.checker.identify

    async def identify(text: str | None, token: str | None = None) -> Caller:
        asked.append(text)
        return await plain(text, token)

    monkeypatch.setattr(keyed.checker, "identify", identify)
    keyed.api("GET", path, headers=bearer(key))
    assert asked == [key] * asks


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/", "/openapi.json", "/style.css"])
def test_what_is_open_is_open_with_any_key(keyed: Keyed, key: str, path: str) -> None:
    sent: list[list[tuple[str, str]]] = [
        [],
        [("x-api-key", key)],
        [("x-api-key", "nonsense")],
        [("x-api-key", key), ("x-api-key", key)],
        [("authorization", "Basic x")],
    ]
    answers = {keyed.api.raw("GET", path, headers).status for headers in sent}
    assert answers <= {200, 404, 503}
    assert len(answers) == 1


def test_strangers_are_told_the_status_and_nothing_else(keyed: Keyed, key: str) -> None:
    stranger, caller = keyed.api("GET", "/readyz"), keyed.api("GET", "/readyz", headers=bearer(key))
    assert stranger.status_code == caller.status_code == 503
    assert stranger.json() == {"status": "starting"}
    assert set(caller.json()) == {"status", "detail", "network"}
    assert keyed.api("GET", "/readyz", headers=bearer(secrets.make().text)).json() == {"status": "starting"}


def test_a_limited_key_is_told_of_its_galleries(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def about() -> dict[str, Any]:
        return {"store": "ok", "compared": {"choir": "exact", "secret": "exact"}}

    pipeline = Nothing()
    monkeypatch.setattr(pipeline, "about", about, raising=False)
    api = Api(build_api(keyed.settings, pipeline, keyed.checker))
    key = keyed.key("identify", galleries=("choir",))
    assert api("GET", "/readyz", headers=bearer(key)).json()["compared"] == {"choir": "exact"}
    assert set(api("GET", "/readyz", headers=bearer(keyed.key())).json()["compared"]) == {"choir", "secret"}
    assert api("GET", "/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/nothing"), ("POST", "/v1/galleries/choir/nothing"), ("GET", "/v2/galleries"), ("GET", "/nothing")],
)
def test_a_path_that_is_not_there_is_404_with_and_without_a_key(keyed: Keyed, key: str, method: str, path: str) -> None:
    for headers in ({}, bearer(key), bearer("wrong")):
        assert keyed.api.refused(method, path, headers=headers) == (404, "unknown_path")


def test_a_method_that_is_not_there_is_405_with_and_without_a_key(keyed: Keyed, key: str) -> None:
    for headers in ({}, bearer(key), bearer("wrong")):
        assert keyed.api.refused("DELETE", GALLERIES, headers=headers) == (405, "method_not_allowed")
        assert keyed.api.refused("OPTIONS", GALLERIES, headers=headers) == (405, "method_not_allowed")


def test_head_and_a_slash_at_the_end_are_checked_alike(keyed: Keyed, key: str) -> None:
    for method in ("GET", "HEAD"):
        for path in (GALLERIES, GALLERIES + "/", "/v1/galleries/choir", "/v1/galleries/choir/"):
            assert keyed.api(method, path).status_code == 401
            assert keyed.api(method, path, headers=bearer(key)).status_code == 503
    other = keyed.key("identify", galleries=("other",))
    assert keyed.api("HEAD", "/v1/galleries/choir/", headers=bearer(other)).status_code == 403


def test_a_preflight_needs_no_key(keyed: Keyed) -> None:
    asked = [("origin", "https://app.example"), ("access-control-request-method", "POST")]
    more = [("access-control-request-headers", "authorization,x-api-key")]
    answer = keyed.api.raw("OPTIONS", "/v1/detect", [*asked, *more])
    assert answer.status == 200
    assert "authorization" in answer.headers["access-control-allow-headers"]
    refused = keyed.api.raw("POST", "/v1/detect", [asked[0]])
    assert refused.status == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize(
    ("limit", "path", "admitted"),
    [
        ("Köln", "Köln", True),
        ("Köln", "Ko\u0308ln", True),  # as decomposed letters
        ("Ko\u0308ln", "Köln", True),
        ("Köln", "Köln ", True),  # as it is stored
        ("Köln", "koln", False),
        ("Köln", "KÖLN", False),
        ("100%", "100%", True),
        ("100%", "100%25", False),
        ("a%2Fb", "a%2Fb", True),
        ("choir", "choi\u200dr", False),
        ("choir", "сhoir", False),  # a Cyrillic letter
        ("choir", "choir\x00", False),
        ("choir", "..", False),
        ("choir", " ", False),
    ],
)
def test_names_of_galleries_are_compared_as_they_are_stored(
    keyed: Keyed, limit: str, path: str, admitted: bool
) -> None:
    key = keyed.key("identify", galleries=(limit,))
    answer = keyed.api.raw("GET", f"{GALLERIES}/{path}", [("x-api-key", key)])
    assert answer.status == (503 if admitted else 403)
    sent = httpx.QueryParams({"gallery": path})
    audit = keyed.key("audit", galleries=(limit,))
    answer = keyed.api.raw("GET", f"/v1/audit?{sent}", [("x-api-key", audit)])
    assert answer.status == (503 if admitted else 403)


def test_a_path_cannot_name_two_galleries(keyed: Keyed) -> None:
    key = keyed.key("identify", galleries=("choir",))
    for path in ("choir/../other", "choir%2F..%2Fother", "choir//other", "other?gallery=choir"):
        assert keyed.api.raw("GET", f"{GALLERIES}/{path}", [("x-api-key", key)]).status in (403, 404)


def test_bodies_that_name_a_gallery_or_a_camera(keyed: Keyed) -> None:
    key = keyed.key("cameras", "events", galleries=("choir",), cameras=("door", "yard"))
    source = {"source": "rtsp://192.0.2.1/"}

    def code(method: str, path: str, body: dict[str, Any]) -> str:
        return str(keyed.api(method, path, json=body, headers=bearer(key)).json()["code"])

    camera = {"id": "door", "gallery": "choir", **source}
    assert code("POST", "/v1/cameras", camera) == "stage_unavailable"
    assert code("POST", "/v1/cameras", {**camera, "gallery": " choir "}) == "stage_unavailable"
    for change in ({"gallery": "other"}, {"gallery": None}, {"id": "gate"}):  # null is the server's own gallery
        assert code("POST", "/v1/cameras", {**camera, **change}) == "forbidden"
    hook = {"id": "hook", "url": "https://example.org/", "gallery": "choir", "cameras": ["door"]}
    assert code("POST", "/v1/webhooks", hook) == "stage_unavailable"
    changes: list[dict[str, Any]] = [{"gallery": "other"}, {"gallery": None}, {"cameras": []}]
    for change in (*changes, {"cameras": ["door", "gate"]}):
        assert code("POST", "/v1/webhooks", {**hook, **change}) == "forbidden"
    video = keyed.key("identify", galleries=("choir",))
    assert keyed.api.refused("POST", "/v1/videos", content=b"x", headers=bearer(video)) == (403, "forbidden")
    assert keyed.api("POST", "/v1/videos?gallery=choir", content=b"x", headers=bearer(video)).status_code == 503


def test_known_keys_hold_for_a_minute_without_the_store(
    keyed: Keyed, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(keyed, ("x-api-key", key)) == 503

    def away() -> int:
        raise StoreUnavailable("away")

    monkeypatch.setattr(keyed.checker._registry, "version", away)
    assert keyed.api.refused("GET", GALLERIES, headers=bearer(key)) == (503, "stage_unavailable")
    monkeypatch.setattr(keyed.checker, "_clock", lambda: time.monotonic() + 61)
    answer = keyed.api("GET", GALLERIES, headers=bearer(key))
    assert (answer.status_code, answer.json()["code"]) == (503, "access_unavailable")
    assert answer.headers["retry-after"]
    assert keyed.api("GET", "/readyz").json() == {"status": "starting"}
    monkeypatch.undo()
    assert keyed.api.refused("GET", GALLERIES, headers=bearer(key)) == (503, "stage_unavailable")


def test_without_any_key_a_server_on_loopback_is_open(tmp_path: Path) -> None:
    settings = load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095")
    api = Api(build_api(settings, Nothing()))
    assert api("GET", GALLERIES).status_code == 503
    assert api("GET", "/readyz").json()["network"] == "retail-0095"
    assert not list(tmp_path.iterdir())  # no file is made for it
    keyed = Keyed(settings)
    keyed.key("identify")
    assert api("GET", GALLERIES).status_code == 401
    assert api("GET", "/readyz").json() == {"status": "starting"}
    keyed.close()


def test_no_key_is_in_a_log(keyed: Keyed, key: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for path in (GALLERIES, "/v1/nothing", "/readyz", "/v1/audit?gallery=choir"):
            keyed.api("GET", path, headers=bearer(key))
            keyed.api("GET", path, headers={"x-api-key": secrets.make().text})
    assert key not in caplog.text
    assert key[12:] not in caplog.text


# Signed URLs


def sign(keyed: Keyed, key: str, path: str, **more: Any) -> httpx.Response:
    return keyed.api("POST", "/v1/signed-urls", json={"path": path, **more}, headers=bearer(key))


CROP = f"/v1/sightings/{'0' * 32}/crop"


def test_a_signed_url_is_opened_without_a_key(keyed: Keyed, key: str) -> None:
    for path in (CROP, "/v1/sightings/stream", "/v1/sightings/stream?gallery=K%C3%B6ln&camera=door"):
        url = sign(keyed, key, path).json()["url"]
        assert key not in url
        assert url.startswith(path)
        for method in ("GET", "HEAD"):
            assert keyed.api(method, url).status_code == 503
    manager = keyed.key("manage")
    photo = f"{GALLERIES}/{quote('Köln 100%')}/people/ada/photos/{'0' * 64}"
    assert keyed.api("GET", sign(keyed, manager, photo).json()["url"]).status_code == 503


def test_a_signed_url_holds_for_nothing_else(keyed: Keyed, key: str) -> None:
    url = sign(keyed, key, CROP).json()["url"]
    signature = url.rpartition("=")[2]
    other = "B" if signature[0] != "B" else "C"
    for changed in (
        url.replace("0" * 32, "1" * 32),
        url.replace("expires=", "expires=9"),
        url.replace("expires=", "expires=-"),
        url.replace("signer=", "signer=a"),
        url.replace(signature, other + signature[1:]),
        url.replace(signature, signature[:-1]),
        url.replace(f"&signature={signature}", ""),
        url + "&limit=1",
        url + "&signature=" + signature,
        url.replace("?", "?limit=1&"),
        url.replace(signature, "é" * 43),
    ):
        assert keyed.api.raw("GET", changed).status == 401, changed
    for method, path in (("POST", url), ("DELETE", url)):
        assert keyed.api(method, path).status_code == 405
    query = url.partition("?")[2]
    for path in (f"/v1/sightings/{'0' * 32}", "/v1/sightings", "/v1/sightings/stream", "/v1/cameras/door/snapshot"):
        assert keyed.api.raw("GET", f"{path}?{query}").status == 401


def test_a_signed_url_ends_with_its_time_and_with_its_key(
    keyed: Keyed, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = sign(keyed, key, CROP, seconds=300).json()
    assert 299 <= answer["expires_at"] - time.time() <= 301
    assert keyed.api("GET", answer["url"]).status_code == 503
    real = time.time()
    monkeypatch.setattr(keyed.checker, "_wall", lambda: real + 301)
    assert keyed.api("GET", answer["url"]).status_code == 401
    url = sign(keyed, key, CROP).json()["url"]
    assert keyed.api("GET", url).status_code == 503
    keyed.registry.revoke(keyed.id_of(key))
    assert keyed.api("GET", url).status_code == 401


@pytest.mark.parametrize("seconds", [0, -1, 301, 1e9, "60", None])
def test_nobody_gets_a_url_that_holds_for_longer(keyed: Keyed, key: str, seconds: Any) -> None:
    assert sign(keyed, key, CROP, seconds=seconds).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1/galleries",
        "/v1/sightings",
        "/v1/audit?gallery=choir",
        "/v1/keys",
        "https://evil.example" + CROP,
        "//evil.example" + CROP,
        CROP + "/",
        CROP + "#x",
        CROP + "\n",
        "/v1/sightings/é/crop",
        "/v1/sightings/stream\x00",
    ],
)
def test_only_pictures_and_streams_are_signed(keyed: Keyed, key: str, path: str) -> None:
    assert sign(keyed, key, path).status_code == 400


def test_nobody_signs_what_they_may_not_open(keyed: Keyed, key: str) -> None:
    photo = f"{GALLERIES}/choir/people/ada/photos/{'0' * 64}"
    assert sign(keyed, key, photo).status_code == 403
    limited = keyed.key("manage", galleries=("other",))
    url = sign(keyed, limited, photo).json()["url"]
    assert keyed.api("GET", url).status_code == 403
    assert keyed.api("POST", "/v1/signed-urls", json={"path": CROP}).status_code == 401


def test_an_open_server_signs_nothing(tmp_path: Path) -> None:
    api = Api(build_api(load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095"), Nothing()))
    assert api("POST", "/v1/signed-urls", json={"path": CROP}).json()["url"] == CROP
    assert not list(tmp_path.iterdir())


def test_a_signature_of_another_server(keyed: Keyed, key: str, tmp_path: Path) -> None:
    other = Keyed(load(store=f"sqlite:///{tmp_path}/other.db", network="retail-0095"))
    url = sign(other, other.key("events"), CROP).json()["url"]
    assert keyed.api("GET", url).status_code == 401
    assert sign(keyed, key, CROP).status_code == 200
    assert keyed.api("GET", url).status_code == 401
    other.close()


def test_a_checker_is_asked_once_for_each_request(keyed: Keyed, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(keyed.checker.identify(key))
    asked: list[int] = []
    look = keyed.checker._look

    def counted() -> None:
        asked.append(1)
        look()

    monkeypatch.setattr(keyed.checker, "_look", counted)
    keyed.api("GET", GALLERIES, headers=bearer(key))
    assert len(asked) == 1
