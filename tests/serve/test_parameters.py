"""What a route does not know is refused by name: a misspelt threshold must not decide at the default."""

import json
import re

import pytest

from tests.photos import encode, nobody
from tests.serve.conftest import files
from tests.serve.driver import Api

SMALL = encode(nobody()[:40, :40])


def refused(api: Api, method: str, path: str, **request: object) -> str:
    answer = api(method, path, **request)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter"), answer.text
    return str(answer.json()["detail"])


def test_every_route_refuses_what_it_does_not_know(api: Api) -> None:
    count = 0
    for path, operations in api.document["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/v1/") and path != "/v1/session/callback":  # a provider may send along what it likes
                where = re.sub("{[a-z]+}", "x", path)
                body = (
                    {"json": example(api, operation)} if "application/json" in str(operation.get("requestBody")) else {}
                )
                assert "nonsense" in refused(api, method.upper(), f"{where}?nonsense=1", **body)
                count += 1
    assert count > 40


def example(api: Api, operation: object) -> dict[str, object]:
    """A body that the framework can read, since it looks at that first."""
    names = json.dumps(operation)
    return {"image": ""} if '"image"' in names else {"name": "P", "id": "p", "source": "x", "url": "x", "unknown": "u"}


@pytest.mark.parametrize(
    ("path", "query", "nearest"),
    [
        ("{group}/identify", "treshold=0.99", "did you mean threshold?"),
        ("{group}/identify", "Threshold=0.99", "did you mean threshold?"),
        ("{group}/identify", "candidate=3", "did you mean candidates?"),
        ("{group}/identify", "min-face-size=30", "did you mean min_face_size?"),
        ("{group}/identify", "thresh%C3%B6ld=1", "did you mean threshold?"),
        ("{group}/people/grace/photos", "stict=true", "did you mean strict?"),
        ("{group}/verify", "person=grace&treshold=0.9", "did you mean threshold?"),
        ("{group}/calibrate", "dryrun=1", "did you mean dry_run?"),
        ("/v1/verify", "other-face=1", "did you mean other_face?"),
        ("/v1/detect", "x=1", "min_face_size"),
        ("/v1/detect", "=1", "min_face_size"),
        ("/v1/videos", "gallry=x", "did you mean gallery?"),
    ],
)
def test_the_nearest_parameter_is_named(api: Api, session_group: str, path: str, query: str, nearest: str) -> None:
    assert nearest in refused(api, "POST", f"{path.format(group=session_group)}?{query}", content=SMALL)


def test_lists_and_pages_too(api: Api, session_group: str) -> None:
    assert "did you mean limit?" in refused(api, "GET", f"{session_group}/people?limt=3")
    assert "did you mean after?" in refused(api, "GET", "/v1/galleries?afer=x")
    assert "did you mean open?" in refused(api, "GET", "/v1/sightings?opn=true")
    assert "takes no query parameters" in refused(api, "GET", f"{session_group}?threshold=1")
    assert "takes no query parameters" in refused(api, "PATCH", f"{session_group}?threshold=1", json={})
    assert "takes no query parameters" in refused(api, "DELETE", f"{session_group}?force=1")


def test_a_parameter_that_is_given_twice_is_not_half_dropped(api: Api, session_group: str) -> None:
    answer = api("POST", f"{session_group}/identify?threshold=0.99&threshold=0.1", content=SMALL)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert "threshold is given 2 times" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "field", "told"),
    [
        ("{group}/identify", "threshold", "?threshold="),
        ("{group}/identify", "treshold", "?threshold="),
        ("{group}/people/grace/photos", "face", "?face="),
        ("{group}/people/grace/counter-examples", "strict", "?strict="),
        ("{group}/calibrate", "fpir", "?fpir="),
        ("/v1/verify", "face", "?face="),
        ("/v1/embed", "model_name", "min_face_size"),
        ("/v1/detect", "image", "file part"),
        ("/v1/detect", "\ud800", "file part"),
    ],
)
def test_form_fields_belong_into_the_query(api: Api, session_group: str, path: str, field: str, told: str) -> None:
    where = path.format(group=session_group)
    named = field.encode("utf-8", "replace").decode()
    assert told in refused(api, "POST", where, data={named: "0.99"}, files=files(("a", SMALL), ("b", SMALL)))
    if field != "face":
        assert told in refused(api, "POST", where, files={named: (None, "0.99")})
