"""What every answer has, whatever was asked: an id, a problem's shape, the right methods; and the document of it all."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from facegroup.errors import Overloaded, StageUnavailable, StoreUnavailable, WeightsInvalid
from facegroup.settings import Limits, Settings
from serve.api import build_api
from tests.local_pipeline import LocalPipeline
from tests.serve.driver import Api


@pytest.mark.parametrize("name", ["abc", "A-1_b.9", "0", "x" * 64])
def test_the_callers_request_id_comes_back(api: Api, name: str) -> None:
    for path in ("/healthz", "/v1/galleries/nowhere", "/nowhere", "/"):
        answer = api("GET", path, headers={"x-request-id": name})
        assert answer.headers["x-request-id"] == name
        assert name == answer.json()["request_id"] if answer.is_error else True


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a\tb", "é", "<script>", "a/b", None])
def test_an_id_is_made_where_none_can_be_taken(api: Api, name: str | None) -> None:
    headers = [] if name is None else [("x-request-id", name)]
    ids = {api.raw("GET", "/healthz", headers).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert name not in ids


NOWHERE = [
    *("/nowhere", "/v1", "/v1/", "/v2/detect", "/v1/detect//", "/v1/galleries//people", "/nowhere/"),
    *("/%00", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/\0", "/é", "/%FF"),
    *("/docs/assets/../../x", "/docs/assets/%2e%2e/x", "/" + "x" * 9000),
]


@pytest.mark.parametrize("path", NOWHERE)
def test_unknown_paths(api: Api, path: str) -> None:
    assert api.raw("HEAD", path).status == 404
    answer = api.raw("GET", path)
    assert answer.status == 404
    assert answer.json()["code"] == "unknown_path"
    assert answer.json()["detail"].startswith(f"there is no GET {path.rstrip('/')[:9]}")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = api.raw(method, path)
        assert answer.json()["code"] in ("unknown_path", "method_not_allowed")


METHODS = {
    "/healthz": {"GET"},
    "/readyz": {"GET"},
    "/metrics": {"GET"},
    "/v1/detect": {"POST"},
    "/v1/embed": {"POST"},
    "/v1/verify": {"POST"},
    "/v1/audit": {"GET"},
    "/v1/keys": {"GET", "POST"},
    "/v1/keys/k": {"GET", "DELETE"},
    "/v1/keys/k/rotate": {"POST"},
    "/v1/session": {"GET", "POST", "DELETE"},
    "/v1/session/provider": {"GET"},
    "/v1/session/callback": {"GET"},
    "/v1/users": {"GET", "POST"},
    "/v1/users/u": {"GET", "PATCH", "DELETE"},
    "/v1/signed-urls": {"POST"},
    "/v1/cameras": {"GET", "POST"},
    "/v1/cameras/try": {"POST"},
    "/v1/cameras/c": {"GET", "PATCH", "DELETE"},
    "/v1/cameras/c/snapshot": {"GET"},
    "/v1/galleries/g/cohort": {"GET", "POST", "DELETE"},
    "/v1/galleries/g/cohort/unknowns": {"POST"},
    "/v1/sightings": {"GET"},
    "/v1/sightings/stream": {"GET"},
    "/v1/sightings/s": {"GET"},
    "/v1/sightings/s/crop": {"GET"},
    "/v1/videos": {"GET", "POST"},
    "/v1/videos/v": {"GET", "DELETE"},
    "/v1/webhooks": {"GET", "POST"},
    "/v1/webhooks/w": {"GET", "DELETE"},
    "/v1/webhooks/w/dead-letters": {"GET"},
    "/v1/webhooks/w/dead-letters/retry": {"POST"},
    "/v1/galleries": {"GET"},
    "/v1/galleries/g": {"GET", "PUT", "PATCH", "DELETE"},
    "/v1/galleries/g/accept": {"POST"},
    "/v1/galleries/g/calibrate": {"POST"},
    "/v1/galleries/g/identify": {"POST"},
    "/v1/galleries/g/verify": {"POST"},
    "/v1/galleries/g/unknowns": {"GET"},
    "/v1/galleries/g/unknowns/u": {"GET", "DELETE"},
    "/v1/galleries/g/unknowns/u/crop": {"GET"},
    "/v1/galleries/g/people": {"GET", "POST"},
    "/v1/galleries/g/people/from-unknown": {"POST"},
    "/v1/galleries/g/people/p": {"GET", "PUT", "PATCH", "DELETE"},
    "/v1/galleries/g/people/p/counter-examples": {"GET", "POST"},
    "/v1/galleries/g/people/p/counter-examples/1": {"GET", "DELETE"},
    "/v1/galleries/g/people/p/export": {"GET"},
    "/v1/galleries/g/people/p/merge": {"POST"},
    "/v1/galleries/g/people/p/photos": {"GET", "POST"},
    "/v1/galleries/g/people/p/photos/1": {"GET", "DELETE"},
}


ALSO = {
    "/v1/cameras/try": METHODS["/v1/cameras/c"],
    "/v1/galleries/g/people/from-unknown": METHODS["/v1/galleries/g/people/p"],
}
"""Words that have a route of their own where ids have one: what may be done to what has that id."""


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_wrong_methods_are_told_the_right_ones(api: Api, path: str, method: str) -> None:
    right = METHODS[path] | ALSO.get(path, set())
    if method in right:
        return
    answer = api(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    told = right | ({"HEAD"} if "GET" in right else set())
    assert [set(each.split(", ")) for each in answer.headers.get_list("allow")] == [told]
    assert answer.json()["detail"].startswith(f"there is no {method} {path}")


READ = [path for path, methods in METHODS.items() if "GET" in methods and not path.endswith("/stream")]


@pytest.mark.parametrize(
    "path",
    [*READ, "/", "/docs", "/openapi.json", "{group}", "{group}/people", "{group}/people/grace/photos", "/nowhere"],
)
def test_head_is_answered_as_get_is_without_a_body(api: Api, session_group: str, path: str) -> None:
    got, head = (api(method, path.format(group=session_group)) for method in ("GET", "HEAD"))
    assert head.status_code == got.status_code
    for name in ("content-type", "content-length"):
        assert head.headers[name] == got.headers[name]


def test_head_of_what_never_ends_ends(api: Api) -> None:
    head = api("HEAD", "/v1/sightings/stream")
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


@pytest.mark.parametrize("path", METHODS)
def test_a_slash_at_the_end_changes_nothing(api: Api, path: str) -> None:
    plain, with_slash = api("TRACE", path), api("TRACE", f"{path}/")
    assert (with_slash.status_code, with_slash.headers["allow"]) == (405, plain.headers["allow"])


def test_the_table_of_methods_is_complete(api: Api) -> None:
    documented = {
        path.format(
            gallery="g",
            person="p",
            photo="1",
            example="1",
            camera="c",
            sighting="s",
            webhook="w",
            unknown="u",
            video="v",
            key="k",
            user="u",
        ): {method.upper() for method in operations}
        for path, operations in api.document["paths"].items()
    }
    assert documented == METHODS


class Failing(LocalPipeline):
    """The pipeline on a bad day."""

    def __init__(self, error: BaseException | None) -> None:
        self._error = error

    async def about(self) -> dict[str, Any]:
        return dict(await self._run(dict))

    async def _run(self, call: Callable[[], Any]) -> Any:
        if self._error is None:
            await asyncio.Event().wait()
        else:
            raise self._error


SECRET = "password=hunter2"
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/detect", {"content": b"x"}),
    ("POST", "/v1/galleries/g/identify", {"content": b"x"}),
    ("POST", "/v1/galleries/g/identify", {"json": {"descriptors": [[1.0] * 128]}}),
    ("GET", "/v1/galleries", {}),
    ("PUT", "/v1/galleries/g", {}),
    ("PUT", "/v1/galleries/g/people/p", {"json": {"name": "P"}}),
    ("POST", "/v1/galleries/g/people/p/photos", {"content": b"x"}),
    ("GET", "/v1/galleries/g/people/p/photos/1", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_an_unforeseen_error_is_logged_and_not_told(
    settings: Settings, caplog: pytest.LogCaptureFixture, method: str, path: str, body: dict[str, Any]
) -> None:
    api = Api(build_api(settings, Failing(RuntimeError(SECRET))))
    with caplog.at_level(logging.ERROR):
        answer = api(method, path, headers={"x-request-id": "find-me"}, **body)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert SECRET not in answer.text
    assert "find-me" in caplog.text
    assert SECRET in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "code", "retry"),
    [
        (Overloaded("busy", 7), 429, "overloaded", "7"),
        (StageUnavailable("starting"), 503, "stage_unavailable", "1"),
        (StoreUnavailable("away", 3), 503, "store_unavailable", "3"),
    ],
)
@pytest.mark.parametrize(("method", "path", "body"), [REQUESTS[1], REQUESTS[6]])
def test_try_again_later(
    settings: Settings,
    error: Exception,
    status: int,
    code: str,
    retry: str,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    answer = Api(build_api(settings, Failing(error)))(method, path, **body)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (status, code, retry)


def test_a_request_that_takes_too_long(settings: Settings) -> None:
    hasty = settings.model_copy(update={"limits": Limits(request_seconds=0.01)})
    answer = Api(build_api(hasty, Failing(None)))("POST", "/v1/detect", content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (503, "timed_out")
    assert answer.headers["retry-after"] == "1"


def test_not_ready_says_what_is_away(settings: Settings) -> None:
    answer = Api(build_api(settings, Failing(StageUnavailable("the detector is starting"))))
    ready = answer("GET", "/readyz")
    assert (ready.status_code, ready.json()["status"], ready.json()["network"]) == (503, "starting", "dlib-resnet29")
    assert answer("GET", "/healthz").status_code == 200


def test_an_operators_error_is_told_by_its_code(settings: Settings) -> None:
    answer = Api(build_api(settings, Failing(WeightsInvalid("the file is damaged"))))("GET", "/readyz")
    assert (answer.status_code, answer.json()["code"]) == (500, "weights_invalid")


def test_the_document_is_valid(api: Api) -> None:
    document = api.document
    assert document["openapi"].startswith("3.1")
    served = api("GET", "/openapi.json").json()
    assert served == document
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] and operation["responses"] for operation in operations)
    references: list[str] = []
    schemas: list[Any] = []

    def walk(node: Any, within: str = "") -> None:
        if isinstance(node, list):
            for each in node:
                walk(each, within)
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                references.append(node["$ref"])
            for key, each in node.items():
                if key == "schema" and isinstance(each, dict):
                    schemas.append(each)
                walk(each, key)

    walk(document)
    components = document["components"]["schemas"]
    assert {reference.removeprefix("#/components/schemas/") for reference in references} <= set(components)
    for schema in [*schemas, *components.values()]:
        Draft202012Validator.check_schema(schema)


def test_every_operation_tells_its_errors(api: Api) -> None:
    for path, operations in api.document["paths"].items():
        if path.startswith("/v1/"):
            for operation in operations.values():
                assert {"400", "413", "429", "500", "503"} <= set(operation["responses"])
