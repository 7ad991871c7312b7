"""How much of a body is read: what is over a limit is refused by name, before it is read whole."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from serve.api.bodies import read_photos
from tests.local_pipeline import LocalPipeline
from tests.photos import encode, nobody
from tests.serve.conftest import files
from tests.serve.driver import Api


def chunks(total: int, size: int = 1 << 16) -> Iterable[bytes]:
    return (bytes(size) for _ in range(total // size))


LIMIT = 1 << 20
ROUTES = [
    ("POST", "/v1/detect", "image/jpeg"),
    ("POST", "/v1/detect", "multipart/form-data; boundary=b"),
    ("POST", "/v1/galleries/g/identify", "application/json"),
    ("PUT", "/v1/galleries/g", "application/json"),
    ("POST", "/v1/galleries/g/people", "application/json"),
    ("PATCH", "/v1/galleries/g/people/p", "application/json"),
    ("POST", "/v1/galleries/g/people/p/photos", "image/jpeg"),
]


@pytest.mark.parametrize(("method", "path", "kind"), ROUTES)
@pytest.mark.parametrize(
    ("length", "sent", "taken"),
    [
        (str(64 << 20), 64 << 20, 0),
        (str(LIMIT + 1), 0, 0),
        ("0000" + str(64 << 20), 64 << 20, 0),
        ("9" * 5000, 0, 0),
        ("100", 64 << 20, LIMIT + (1 << 16)),
        ("-1", 64 << 20, LIMIT + (1 << 16)),
        ("many", 64 << 20, LIMIT + (1 << 16)),
        (None, 64 << 20, LIMIT + (1 << 16)),
    ],
    ids=["announced", "announced only", "zeros first", "5,000 digits", "lying", "negative", "no number", "chunked"],
)
def test_a_body_over_the_limit_is_not_read_whole(
    limited: Callable[..., Api], method: str, path: str, kind: str, length: str | None, sent: int, taken: int
) -> None:
    headers = [("content-type", kind), *([("content-length", length)] if length is not None else [])]
    body = (
        chunks(sent)
        if "boundary" not in kind
        else [b'--b\r\ncontent-disposition: form-data; name="p"; filename="f"\r\n\r\n', *chunks(sent)]
    )
    answer = limited(body_bytes=LIMIT).raw(method, path, headers, body or [b""])
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"
    assert "1,048,576" in answer.json()["detail"]
    assert answer.taken <= taken


def test_a_body_at_the_limit_is_read(limited: Callable[..., Api], photos: dict[str, bytes]) -> None:
    photo = photos["grace"]
    assert limited(body_bytes=len(photo))("POST", "/v1/detect", content=photo).status_code == 200
    assert limited(body_bytes=len(photo) - 1).refused("POST", "/v1/detect", content=photo) == (413, "body_too_large")


@pytest.mark.parametrize("kind", ["image/jpeg", "image/x-whatever", "application/octet-stream", None])
@pytest.mark.parametrize(
    ("length", "sent", "taken"),
    [
        (str(63 << 20), 63 << 20, 0),
        (str(LIMIT + 1), LIMIT + 1, 0),
        ("100", 63 << 20, LIMIT + (1 << 16)),
        (None, 63 << 20, LIMIT + (1 << 16)),
    ],
    ids=["announced", "one byte more", "lying", "chunked"],
)
def test_one_image_over_its_limit_is_not_read_whole(
    limited: Callable[..., Api], kind: str | None, length: str | None, sent: int, taken: int
) -> None:
    headers = [(name, value) for name, value in (("content-type", kind), ("content-length", length)) if value]
    answer = limited(image_bytes=LIMIT).raw("POST", "/v1/detect", headers, chunks(sent))
    assert (answer.status, answer.json()["code"]) == (413, "image_too_large")
    assert "1,048,576 bytes (image_bytes)" in answer.json()["detail"]
    assert answer.taken <= taken


def test_of_several_images_only_the_one_over_the_limit_is_refused(
    limited: Callable[..., Api], photos: dict[str, bytes]
) -> None:
    photo = photos["grace"]
    api = limited(image_bytes=len(photo))
    sent = [("a.jpg", photo), ("b.jpg", photo + b"x"), ("c.jpg", photo), ("d.jpg", bytes(40 << 20))]
    answer = api("POST", "/v1/detect", files=files(*sent))
    assert answer.status_code == 200
    images = answer.json()["images"]
    assert [len(image.get("faces") or ()) for image in images] == [1, 0, 1, 0]
    assert [image["error"]["code"] if "error" in image else None for image in images] == [
        *(None, "image_too_large", None, "image_too_large")
    ]
    assert api.refused("POST", "/v1/detect", files=files(sent[1])) == (413, "image_too_large")
    fields = {"x": "y" * (60 << 10)}  # unknown, but no image
    assert api.refused("POST", "/v1/detect", files=files(sent[0]), data=fields) == (422, "unknown_parameter")


def test_the_memory_that_a_large_part_takes_is_that_of_the_largest_image(
    limited: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    most: list[int] = []

    async def read(request: Any, limits: Any) -> Any:
        upload = await read_photos(request, limits)
        most.extend(len(data) for _, data in upload.named)
        return upload

    monkeypatch.setattr("serve.api.recognition.read_photos", read)
    limited(image_bytes=1000)("POST", "/v1/detect", files=files(("a.jpg", bytes(40 << 20)), ("b.jpg", bytes(999))))
    assert most == [1001, 999]


@pytest.mark.parametrize("length", [None, "5", "100000000"])
def test_a_chunked_body_is_read_whatever_its_length_says(
    api: Api, photos: dict[str, bytes], length: str | None
) -> None:
    photo = photos["grace"]
    parts = [photo[start : start + 1000] for start in range(0, len(photo), 1000)]
    answer = api.raw("POST", "/v1/detect", [("content-length", length)] if length else [], parts)
    if length == "100000000":
        assert (answer.status, answer.taken) == (413, 0)
    else:
        assert len(answer.json()["images"][0]["faces"]) == 1


def test_a_client_who_leaves_is_not_an_error(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """With no last part the server sees a disconnect; there is nobody to answer."""
    left = {"type": "http.disconnect"}
    parts = [{"type": "http.request", "body": b"\xff\xd8", "more_body": True}]
    sent: list[Any] = []

    async def receive() -> Any:
        return parts.pop() if parts else left

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/detect",
        "query_string": b"",
        "headers": [],
        "root_path": "",
    }
    asyncio.run(api.app(scope, receive, send))
    assert (sent, caplog.records) == ([], [])


def test_a_thousand_images_are_too_many(api: Api, photos: dict[str, bytes]) -> None:
    small = encode(nobody()[:20, :20])
    answer = api("POST", "/v1/detect", files=files(*[("photo.jpg", small)] * 1000))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_images")
    assert "100" in answer.json()["detail"]
    assert len(api("POST", "/v1/detect", files=files(*[("photo.jpg", small)] * 100)).json()["images"]) == 100


def test_a_thousand_images_are_not_read_whole(api: Api) -> None:
    part = b'--b\r\ncontent-disposition: form-data; name="p"; filename="f"\r\n\r\n' + bytes(10_000) + b"\r\n"
    answer = api.raw("POST", "/v1/detect", [("content-type", "multipart/form-data; boundary=b")], [part] * 1000)
    assert (answer.status, answer.json()["code"]) == (413, "too_many_images")
    assert answer.taken <= 101 * len(part)


def test_json_has_a_limit_of_its_own(limited: Callable[..., Api]) -> None:
    small = limited(json_bytes=1000)
    body = b'{"descriptors": [[' + b"1," * 1000 + b"1]]}"
    answer = small("POST", "/v1/galleries/g/identify", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert "json_bytes" in answer.json()["detail"]
    assert small.refused("POST", "/v1/detect", content=body) == (422, "not_an_image")


@pytest.mark.parametrize("kind", ["image/jpeg", "Multipart/form-data; boundary=b", "application/octet-stream", None])
def test_photos_for_which_there_is_no_room_are_refused_unread(
    api: Api, pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    monkeypatch.setattr(pipeline, "full", True)
    headers = [] if kind is None else [("content-type", kind)]
    answer = api.raw("POST", "/v1/galleries/g/identify", headers, chunks(1 << 20))
    assert (answer.status, answer.json()["code"], answer.taken) == (429, "overloaded", 0)
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_what_is_no_photo_has_room_all_the_same(
    api: Api, gallery: str, pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unasked:
        def __bool__(self) -> bool:
            raise AssertionError("who is told that there is no room counts as refused")

    monkeypatch.setattr(pipeline, "full", Unasked())
    assert api("GET", gallery).status_code == 200
    assert api("POST", f"{gallery}/people", json={"name": "Ada"}).status_code == 201
