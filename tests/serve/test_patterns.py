"""The document says what ids and names look like, and says it as the library judges."""

import re
from typing import Any

import pytest

from facegroup.errors import InvalidName
from facegroup.store.names import check_id, clean_name
from facegroup.wire import patterns
from tests.serve.driver import Api
from tests.unit.store.test_names import NAMES


def test_every_id_and_name_that_is_asked_for_has_a_pattern_and_a_length(api: Api) -> None:
    schemas = api.document["components"]["schemas"]
    asked: dict[str, Any] = {}
    for path, operations in api.document["paths"].items():
        for method, operation in operations.items():
            for each in operation.get("parameters", ()):
                filters = path.startswith("/v1/sightings")  # of what there is none, nothing is found
                if each["in"] == "path" or (each["name"] in ("Idempotency-Key", "gallery", "person") and not filters):
                    asked[f"{method} {path} {each['name']}"] = each["schema"]
            named = re.findall("#/components/schemas/([A-Za-z]+)", str(operation.get("requestBody", "")))
            for name, schema in [pair for model in named for pair in schemas[model]["properties"].items()]:
                if name in ("id", "name", "gallery", "from", "unknown", "person_id"):
                    asked[f"{method} {path} body {name}"] = schema
    assert len(asked) > 50
    for where, schema in asked.items():
        found: dict[str, Any] = next((each for each in (schema, *schema.get("anyOf", ())) if "pattern" in each), {})
        assert {"pattern", "minLength", "maxLength"} <= set(found), where
        re.compile(found["pattern"])


@pytest.mark.parametrize("name", [*NAMES, "a" * 200, " a", "a b"])
def test_names_fit(name: str) -> None:
    clean_name(name)
    assert re.search(str(patterns.NAME["pattern"]), name)


@pytest.mark.parametrize(
    "name", ["", " ", "\t", "a/b", "a\\b", "a\nb", "a\x00", "\x7f", "a\u2028b", "\u202ea", "a\u2069"]
)
def test_what_does_not_fit_is_refused(name: str) -> None:
    assert not re.search(str(patterns.NAME["pattern"]), name)
    with pytest.raises(InvalidName):
        clean_name(name)


@pytest.mark.parametrize("person_id", ["a", "0-", "f" * 64, "", "A", "a_b", "f" * 65, "é"])
def test_ids_fit_or_are_refused(person_id: str) -> None:
    if re.search(str(patterns.IDENT["pattern"]), person_id):
        assert check_id(person_id) == person_id
    else:
        with pytest.raises(InvalidName):
            check_id(person_id)


CAMERA: dict[str, Any] = {"id": "c", "source": "rtsp://192.0.2.1/"}
NO_BOOLEANS: list[Any] = [0, 1, "false", "true", "", [], {}, 0.0]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *(("PUT", "{new}", {"keep_crops": wrong}) for wrong in NO_BOOLEANS),
        *(("PATCH", "{gallery}", {"keep_crops": wrong}) for wrong in (0, 1, "no", "off")),
        *(("PATCH", "{gallery}", {"threshold": wrong}) for wrong in (True, "0.5", [0.5])),
        *(("POST", "{gallery}/identify", {"descriptors": [[wrong] * 128]}) for wrong in (True, "1")),
        *(("POST", "{gallery}/calibrate", {"dry_run": wrong}) for wrong in (0, "true")),
        ("POST", "{gallery}/people", {"name": 7}),
        ("POST", "{gallery}/people", {"name": True}),
        ("POST", "{gallery}/people", {"name": "A", "expires_at": True}),
        ("POST", "/v1/cameras", CAMERA | {"motion": 1}),
        ("POST", "/v1/cameras", CAMERA | {"enabled": "yes"}),
        ("POST", "/v1/cameras", CAMERA | {"fps": "2"}),
        ("POST", "/v1/cameras", CAMERA | {"confirm": True}),
        ("POST", "/v1/cameras", CAMERA | {"regions": [[["0", 0], [1, 0], [1, 1]]]}),
    ],
)
def test_other_types_are_not_taken_for_the_right_one(
    api: Api, gallery: str, method: str, path: str, body: dict[str, Any]
) -> None:
    where = path.format(gallery=gallery, new=f"{gallery}x")
    assert api.refused(method, where, json=body) == (400, "malformed_request")
    assert api("GET", gallery).json()["keep_crops"] is True


def test_a_number_without_a_fraction_is_an_integer(api: Api, session_group: str) -> None:
    probe: dict[str, Any] = {"descriptors": [[1.0] * 128]}
    assert api("POST", f"{session_group}/identify", json=probe | {"candidates": 1.0}).status_code == 200
    for wrong in (1.5, True, "1"):
        answer = api.refused("POST", f"{session_group}/identify", json=probe | {"candidates": wrong})
        assert answer == (400, "malformed_request")
