"""Files that no face can be found in: each refused with its status and code, on every route that takes photos."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image as pillow

from tests.heics import HEIC
from tests.photos import astronaut, bomb, encode
from tests.serve.conftest import files
from tests.serve.driver import Api

PHOTO_ROUTES = [
    "/v1/detect",
    "/v1/embed",
    "{group}/identify",
    "{group}/verify?person=grace",
    "{group}/people/grace/photos",
]


BAD: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 400, "empty_body"),
    "text": (b"This is no image.", 422, "not_an_image"),
    "one byte": (b"\xff", 422, "not_an_image"),
    "zeros": (bytes(1000), 422, "not_an_image"),
    "half a JPEG": (encode(astronaut())[:20_000], 422, "truncated_image"),
    "half a JPEG and an end marker": (encode(astronaut())[:20_000] + b"\xff\xd9", 422, "truncated_image"),
    "head of a JPEG": (encode(astronaut())[:100], 422, "truncated_image"),
    "half a PNG": (encode(astronaut(), "PNG")[:200_000], 422, "truncated_image"),
    "900 megapixels": (bomb(), 413, "too_many_pixels"),
    "more pixels than a file can have": (bomb(2**31 - 1, 2**31 - 1), 413, "too_many_pixels"),
    "Photoshop": (b"8BPS\0\1" + bytes(200), 415, "unsupported_format"),
    "PDF": (b"%PDF-1.7\n" + bytes(200), 415, "unsupported_format"),
    "a video": (b"\0\0\0\x20ftypisom" + bytes(200), 415, "unsupported_format"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_format"),
    "over the bytes of one image": (b"\xff\xd8\xff" + bytes(60_000_000), 413, "image_too_large"),
}


@pytest.mark.parametrize("route", PHOTO_ROUTES)
@pytest.mark.parametrize("bad", BAD)
def test_bad_images(api: Api, session_group: str, still_right: Callable[[], None], route: str, bad: str) -> None:
    data, status, code = BAD[bad]
    path = route.format(group=session_group)
    assert api.refused("POST", path, content=data) == (status, code)
    assert api.refused("POST", path, files=files(("photo.jpg", data))) == (status, code)
    still_right()


def test_all_bad_images_at_once(api: Api, photos: dict[str, bytes]) -> None:
    sent = [(name, data) for name, (data, _, _) in BAD.items()]
    images = api("POST", "/v1/detect", files=files(*sent, ("good", photos["grace"]))).json()["images"]
    assert [image["name"] for image in images] == [*BAD, "good"]
    assert [image["error"]["code"] for image in images[:-1]] == [code for _, _, code in BAD.values()]
    assert [image["error"]["status"] for image in images[:-1]] == [status for _, status, _ in BAD.values()]
    assert len(images[-1]["faces"]) == 1


@pytest.mark.parametrize("route", PHOTO_ROUTES)
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("text/plain", 415, "unsupported_format"),
        ("application/x-www-form-urlencoded", 415, "unsupported_format"),
        ("video/mp4", 415, "unsupported_format"),
        ("multipart/mixed; boundary=b", 415, "unsupported_format"),
        ("nonsense", 415, "unsupported_format"),
        (";;;", None, ""),
    ],
)
def test_bodies_announced_as_something_else(
    api: Api, session_group: str, photos: dict[str, bytes], route: str, kind: str, status: int | None, code: str
) -> None:
    answer = api("POST", route.format(group=session_group), content=photos["grace"], headers={"content-type": kind})
    assert answer.status_code == (status or 200)
    assert answer.json().get("code", "") == code


def test_odd_but_whole(api: Api, session_group: str, photos: dict[str, bytes]) -> None:
    """What lacks only its end marker, has a video behind it, or is as large as phones make it, is a photo like any."""
    large = pillow.new("RGB", (8160, 6144), "gray")
    large.paste(pillow.fromarray(astronaut()).resize((4096, 4096)), (2000, 1000))
    sent = {
        "cut": photos["eileen"][:-2],
        "motion": photos["eileen"] + b"\0\0\0\x18ftypmp42" + bytes(5000),
        "phone": encode(np.asarray(large), quality=80),
        "heic": HEIC["turned"],
    }
    images = api("POST", f"{session_group}/identify", files=files(*sent.items())).json()["images"]
    seen = {image["name"]: [face["name"] for face in image["faces"]] for image in images}
    assert "Eileen" in seen.pop("phone")
    assert seen == {"cut": ["Eileen"], "motion": ["Eileen"], "heic": []}


def test_after_all_of_it_people_are_known(api: Api, session_group: str) -> None:
    file = io.BytesIO()
    pillow.fromarray(astronaut()).save(file, "WEBP", quality=90)
    answer = api("POST", f"{session_group}/identify", content=file.getvalue()).json()
    assert [face["name"] for face in answer["images"][0]["faces"]] == ["Eileen"]
