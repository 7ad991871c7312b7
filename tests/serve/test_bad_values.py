"""JSON that is none, numbers that cannot be, query parameters out of range: 400 or 422, never 500."""

import json

import pytest

from tests.serve.driver import Api

JSON = {"content-type": "application/json"}

JSONS: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"descriptors": [[1',
    "text": b"not json",
    "not UTF-8": b'{"a": "\xff"}',
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "deep": b'{"descriptors": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 100_000,
    "an endless number": b'{"descriptors": [[' + b"9" * 5000 + b"]]}",
    "unknown field": b'{"descriptors": [[1]], "name": "p", "more": 1}',
    "many unknown fields": b"{" + b",".join(b'"%d":1' % number for number in range(5000)) + b"}",
    "a null byte": b"{}\0",
    "byte order mark twice": b"\xef\xbb\xbf\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("case", JSONS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "{group}/identify"),
        ("POST", "{group}/people"),
        ("PUT", "{group}/people/grace"),
        ("PATCH", "{group}/people/grace"),
        ("PATCH", "{group}"),
    ],
)
def test_malformed_json(api: Api, session_group: str, method: str, path: str, case: str) -> None:
    answer = api.refused(method, path.format(group=session_group), content=JSONS[case], headers=JSON)
    assert answer == (400, "malformed_request")


@pytest.mark.parametrize(("method", "path"), [("PATCH", "{group}"), ("POST", "{group}/people")])
def test_json_announced_as_something_else(api: Api, session_group: str, method: str, path: str) -> None:
    for headers in ({}, {"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}):
        body = json.dumps({"name": "P"})
        answer = api.refused(method, path.format(group=session_group), content=body, headers=headers)
        assert answer == (400, "malformed_request")


NUMBERS: dict[str, tuple[str, int, str]] = {
    "none": ("[]", 422, "invalid_descriptor"),
    "an empty one": ("[[]]", 422, "invalid_descriptor"),
    "short": (f"[{[1.0] * 127}]", 422, "invalid_descriptor"),
    "long": (f"[{[1.0] * 129}]", 422, "invalid_descriptor"),
    "one of another length": (f"[{[1.0] * 128}, {[1.0] * 2}]", 422, "invalid_descriptor"),
    "NaN": (f"[[{'NaN,' * 127}1]]", 422, "invalid_descriptor"),
    "Infinity": (f"[[{'1,' * 127}Infinity]]", 422, "invalid_descriptor"),
    "-Infinity": (f"[[{'1,' * 127}-Infinity]]", 422, "invalid_descriptor"),
    "beyond double": (f"[[{'1,' * 127}1e999]]", 422, "invalid_descriptor"),
    "beyond single": (f"[[{'1,' * 127}1e300]]", 422, "invalid_descriptor"),
    "a huge integer": (f"[[{'1,' * 127}1{'0' * 400}]]", 400, "malformed_request"),
    "zeros": (f"[{[0.0] * 128}]", 422, "invalid_descriptor"),
    "next to zero": (f"[[{'0,' * 127}1e-300]]", 422, "invalid_descriptor"),
    "more than the limit of faces": (f"[{', '.join(['[1]'] * 257)}]", 422, "invalid_descriptor"),
    "null": ("null", 400, "malformed_request"),
    "null inside": ("[[null]]", 400, "malformed_request"),
    "flat": (f"{[1.0] * 128}", 400, "malformed_request"),
    "text": (f"[[{'1,' * 127}true, {{}}]]", 400, "malformed_request"),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_descriptors_that_are_none(api: Api, session_group: str, case: str) -> None:
    text, status, code = NUMBERS[case]
    body = f'{{"descriptors": {text}}}'
    assert api.refused("POST", f"{session_group}/identify", content=body, headers=JSON) == (status, code)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e30])
def test_descriptors_of_any_length_are_brought_to_unit_length(api: Api, session_group: str, scale: float) -> None:
    answer = api("POST", f"{session_group}/identify", json={"descriptors": [[scale] * 128]})
    assert -1 <= answer.json()["faces"][0]["similarity"] <= 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threshold", "NaN"),
        ("threshold", "Infinity"),
        ("threshold", "1.5"),
        ("threshold", '"high"'),
        ("candidates", "0"),
        ("candidates", "101"),
        ("candidates", "1.5"),
        ("candidates", "1e99"),
    ],
)
def test_fields_out_of_range(api: Api, session_group: str, field: str, value: str) -> None:
    body = f'{{"descriptors": [{[1.0] * 128}], "{field}": {value}}}'
    answer = api.refused("POST", f"{session_group}/identify", content=body, headers=JSON)
    assert answer == (400, "malformed_request")
    if field == "threshold":
        body = f'{{"threshold": {value}}}'
        assert api.refused("PATCH", session_group, content=body, headers=JSON) == (400, "malformed_request")


@pytest.mark.parametrize(
    "query",
    [
        *(f"threshold={value}" for value in ("nan", "inf", "-inf", "1.01", "-1.01", "high", "", "1e999", "0x1")),
        *(f"candidates={value}" for value in ("0", "101", "-1", "many", "", "1.5", "9" * 5000)),
        *(f"min_face_size={value}" for value in ("0", "11", "10001", "-20", "small", "", "20.5", "9" * 30)),
    ],
)
def test_query_parameters_out_of_range(api: Api, session_group: str, photos: dict[str, bytes], query: str) -> None:
    path = f"{session_group}/identify?{query}"
    assert api.refused("POST", path, content=photos["grace"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=-1", "limit=all", "limit=1e3", "limit=" + "9" * 5000]
)
def test_pages_out_of_range(api: Api, session_group: str, query: str) -> None:
    for path in ("/v1/galleries", f"{session_group}/people"):
        assert api.refused("GET", f"{path}?{query}") == (400, "malformed_request")


def test_person_is_asked_for(api: Api, session_group: str, photos: dict[str, bytes]) -> None:
    assert api.refused("POST", f"{session_group}/verify", content=photos["grace"]) == (400, "malformed_request")
