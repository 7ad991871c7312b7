"""Forms that are broken, cut, or odd but right."""

import pytest

from tests.photos import encode, nobody
from tests.serve.driver import Api


def form(*parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


FILE = b'content-disposition: form-data; name="p"; filename="f.jpg"\r\n\r\n'
FIELD = b'content-disposition: form-data; name="p"\r\n\r\n'
KIND = "multipart/form-data; boundary=b"
MULTIPART: dict[str, tuple[str, bytes]] = {
    "no boundary": ("multipart/form-data", form(FILE + b"x")),
    "empty boundary": ("multipart/form-data; boundary=", form(FILE + b"x")),
    "other boundary": ("multipart/form-data; boundary=other", form(FILE + b"x")),
    "not a form": (KIND, b"no form at all"),
    "nothing": (KIND, b""),
    "no part": (KIND, b"--b--\r\n"),
    "no end": (KIND, form(FILE + b"x", FILE + b"y", end=b"")),
    "cut inside a file": (KIND, form(FILE + b"x", end=b"--b\r\n" + FILE + b"y")),
    "no name": (KIND, form(b"content-disposition: form-data\r\n\r\nx")),
    "no headers": (KIND, form(b"\r\nx")),
    "bad header": (KIND, form(b"\xff\xfe\x00: x\r\n\r\nx")),
    "many fields": (KIND, form(*[FIELD + b"x"] * 40)),
    "a large field": (KIND, form(FIELD + bytes(70_000))),
    "a bad charset": ("multipart/form-data; boundary=b; charset=undefined", form(FILE + b"x")),
    "a null charset": ("multipart/form-data; boundary=b; charset=\0", form(FILE + b"x")),
}


@pytest.mark.parametrize("route", ["/v1/detect", "/v1/verify", "{group}/people/grace/photos"])
@pytest.mark.parametrize("case", MULTIPART)
def test_malformed_multipart(api: Api, session_group: str, case: str, route: str) -> None:
    kind, body = MULTIPART[case]
    answer = api.raw("POST", route.format(group=session_group), [("content-type", kind)], [body])
    assert (answer.status, answer.json()["code"]) == (400, "malformed_request")


def test_a_form_that_comes_byte_by_byte(api: Api, photos: dict[str, bytes]) -> None:
    small = encode(nobody()[:40, :40])
    body = form(FILE + small, FILE + small)
    parts = [body[at : at + 1] for at in range(len(body))]
    answer = api.raw("POST", "/v1/detect", [("content-type", KIND)], parts)
    assert [image["faces"] for image in answer.json()["images"]] == [[], []]


@pytest.mark.parametrize(
    ("filename", "charset", "told"),
    [
        (b"../../etc/passwd", "utf-8", "../../etc/passwd"),
        ("曾.jpg".encode(), "utf-8", "曾.jpg"),
        (b"\xff.jpg", "utf-8", "ÿ.jpg"),
        (b"", "utf-8", "p"),
        (b"\\ud800", "unicode_escape", "?"),
    ],
)
def test_file_names_are_only_told(api: Api, filename: bytes, charset: str, told: str) -> None:
    body = form(FILE.replace(b"f.jpg", filename) + encode(nobody()))
    kind = f"{KIND}; charset={charset}"
    answer = api.raw("POST", "/v1/detect", [("content-type", kind)], [body])
    assert [image["name"] for image in answer.json()["images"]] == [told]
