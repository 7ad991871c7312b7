"""Photos as base64 in JSON, wherever photos are taken; and what people send instead, who are told how it is done."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.photos import both, encode
from tests.serve.driver import Api

JSON = {"content-type": "application/json"}


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


ROUTES = [
    *("/v1/detect", "/v1/embed", "{group}/identify", "{group}/verify?person=grace"),
    *("{group}/people/grace/photos", "{group}/people/grace/counter-examples"),
]


@pytest.mark.parametrize("path", ROUTES)
def test_one_photo_is_answered_as_its_bytes_are(
    api: Api, group: str, session_group: str, photos: dict[str, bytes], path: str
) -> None:
    photo = photos["eileen"] if path.endswith("counter-examples") else photos["grace"]
    where = path.format(group=group)
    answer, plain = api("POST", where, json={"image": text(photo)}), api("POST", where, content=photo)
    assert answer.status_code == plain.status_code == 200, answer.text

    def known(body: Any) -> str:
        ignored = ("gallery_version", "duplicate", "updated_at")
        pairs = json.loads(json.dumps(body).replace('"image"', '"photo"'))
        return json.dumps(pairs, sort_keys=True) if not any(each in str(pairs) for each in ignored) else ""

    assert known(answer.json()) == known(plain.json())


def test_several_photos(api: Api, group: str, photos: dict[str, bytes]) -> None:
    several = {"images": [text(photos["grace"]), text(photos["eileen"]), text(b"no photo")]}
    images = api("POST", f"{group}/identify", json=several).json()["images"]
    assert [each["name"] for each in images] == ["images.0", "images.1", "images.2"]
    assert [[face["name"] for face in each.get("faces", [])] for each in images] == [["Grace"], ["Eileen"], []]
    assert images[2]["error"]["code"] == "not_an_image"
    pair = {"images": [text(photos["grace"])] * 2}
    assert api("POST", "/v1/verify", json=pair).json()["same"] is True
    assert api.refused("POST", "/v1/verify", json={"image": text(photos["grace"])}) == (400, "malformed_request")
    enrolled = api("POST", f"{group}/people/grace/photos?face=0", json={"images": [text(encode(both()))]})
    assert enrolled.status_code == 200


@pytest.mark.parametrize("wrapped", ["\n", "\r\n", " ", "\t"])
def test_base64_in_lines(api: Api, photos: dict[str, bytes], wrapped: str) -> None:
    whole = text(photos["grace"])
    lines = wrapped.join(whole[at : at + 76] for at in range(0, len(whole), 76)) + wrapped
    assert len(api("POST", "/v1/detect", json={"image": lines}).json()["images"][0]["faces"]) == 1


WRONG: dict[str, tuple[Any, str]] = {
    "a data: URL": ({"image": "data:image/jpeg;base64,/9j/4AAQ"}, "data: URL"),
    "another data: URL": ({"images": ["DATA:,x"]}, "data: URL"),
    "an address": ({"image": "https://example.org/face.jpg"}, "address"),
    "a file's address": ({"image": "file:///etc/passwd"}, "address"),
    "a path": ({"image": "/home/me/face.jpg"}, "base64"),
    "no padding": ({"image": "/9j"}, "base64"),
    "the URL alphabet": ({"image": "_9j_"}, "base64"),
    "other scripts": ({"image": "é" * 10}, "base64"),
    "half a pair": ({"image": "\ud800"}, "base64"),
    "a list": ({"image": ["/9j/"]}, "base64"),
    "null": ({"image": None}, "base64"),
    "bytes as numbers": ({"image": [255, 216]}, "base64"),
    "no list": ({"images": "/9j/"}, "list"),
    "no photo": ({"images": []}, "list"),
    "an object inside": ({"images": [{"data": "/9j/"}]}, "images.0"),
    "both": ({"image": "", "images": [""]}, "both"),
    "url": ({"url": "https://example.org/face.jpg"}, "image"),
    "img": ({"img": "/9j/"}, "image"),
    "nothing": ({}, "image"),
    "a text": ("/9j/", ""),
    "a list of texts": (["/9j/"], ""),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("path", ROUTES)
def test_what_is_no_photo_is_told_how_it_is_sent(api: Api, session_group: str, path: str, case: str) -> None:
    body, told = WRONG[case]
    answer = api("POST", path.format(group=session_group), content=json.dumps(body), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert told in answer.json()["detail"]


@pytest.mark.parametrize("path", ROUTES)
def test_an_empty_photo_is_empty(api: Api, session_group: str, path: str) -> None:
    assert api.refused("POST", path.format(group=session_group), json={"image": ""}) == (400, "empty_body")


@pytest.mark.parametrize("field", ["threshold", "min_face_size", "model_name", "Image", "descriptors", ""])
def test_other_fields_are_not_dropped(api: Api, session_group: str, field: str) -> None:
    answer = api("POST", f"{session_group}/identify", json={"image": "", field: 0.9})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")
    if field in ("threshold", "min_face_size"):
        assert f"?{field}=" in answer.json()["detail"]


def test_limits_are_named(limited: Callable[..., Api], photos: dict[str, bytes]) -> None:
    body = json.dumps({"image": text(photos["grace"])}).encode()
    for limit, status in ((len(body), 200), (len(body) - 1, 413)):
        answer = limited(json_bytes=limit)("POST", "/v1/detect", content=body, headers=JSON)
        assert answer.status_code == status
    assert answer.json()["code"] == "body_too_large"
    assert "json_bytes" in answer.json()["detail"]
    answer = limited(images=2)("POST", "/v1/detect", json={"images": [""] * 3})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_images")


@pytest.mark.parametrize(
    "body",
    [
        *(b"data:image/jpeg;base64,/9j/4AAQSkZJRg==", b"https://example.org/face.jpg", b" http://example.org/"),
        *(
            b'{"image": "/9j/4AAQSkZJRg=="}',
            b"/9j/4AAQSkZJRgABAQAAAQABAAD",
            b"iVBORw0KGgoAAAANSUhEUgAA",
            b"file:///x.jpg",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", ""])
def test_a_text_that_is_sent_as_a_photo(api: Api, body: bytes, kind: str) -> None:
    answer = api.raw("POST", "/v1/detect", [("content-type", kind)] if kind else [], [body])
    assert (answer.status, answer.json()["code"]) == (422, "not_an_image")
    assert "multipart/form-data" in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/uri-list", "video/mp4"])
def test_a_kind_that_holds_no_photo(api: Api, kind: str) -> None:
    answer = api("POST", "/v1/detect", content=b"data:image/jpeg;base64,/9j/", headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_format")
    assert '{"image"' in answer.json()["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate", "gzip, gzip", "x", "identity, gzip"])
@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/detect", "image/jpeg"), ("/v1/galleries/g/people", "application/json")]
)
def test_compressed_bodies_are_refused_by_name(api: Api, path: str, kind: str, encoding: str) -> None:
    answer = api.raw("POST", path, [("content-type", kind), ("content-encoding", encoding)], [b"\x1f\x8b" * 100])
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_encoding")
    assert (answer.headers["accept-encoding"], answer.taken) == ("identity", 0)


def test_identity_is_no_compression(api: Api, photos: dict[str, bytes]) -> None:
    assert api("POST", "/v1/detect", content=photos["grace"], headers={"content-encoding": "identity"}).is_success
