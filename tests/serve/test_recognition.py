"""Detect, embed, identify, verify: right questions, and answers that agree with each other."""

from typing import Any

import numpy as np
import pytest

from facegroup.networks.registry import spec
from facegroup.types import NOT_IN_DATASET
from tests.local_pipeline import LocalPipeline
from tests.photos import both, encode, nobody
from tests.serve.conftest import files
from tests.serve.driver import Api


def test_detect_tells_where_faces_are(api: Api, photos: dict[str, bytes]) -> None:
    answer = api("POST", "/v1/detect", files=files(("a.jpg", photos["eileen"]), ("b.jpg", encode(both())))).json()
    assert answer["network"] == "dlib-resnet29"
    one, two = answer["images"]
    assert (one["name"], one["width"], one["height"], len(one["faces"])) == ("a.jpg", 512, 512, 1)
    face = one["faces"][0]
    assert 160 < face["box"]["x1"] < face["landmarks"]["nose"][0] < face["box"]["x2"] < 290
    assert face["landmarks"]["left_eye"][0] < face["landmarks"]["right_eye"][0]
    assert 0.99 < face["confidence"] <= 1
    assert face["quality"]["size"] == pytest.approx(face["box"]["x2"] - face["box"]["x1"], abs=0.1)
    assert "descriptor" not in face
    assert [each["box"]["x1"] > 512 for each in two["faces"]] == [False, True]


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({"headers": {"content-type": "image/jpeg"}}, "photo"),
        ({"headers": {"content-type": "Image/PNG; whatever"}}, "photo"),
        ({"headers": {"content-type": "application/octet-stream"}}, "photo"),
        ({}, "photo"),
    ],
)
def test_one_raw_image_is_a_body(api: Api, photos: dict[str, bytes], how: dict[str, Any], name: str) -> None:
    (image,) = api("POST", "/v1/detect", content=photos["grace"], **how).json()["images"]
    assert (image["name"], len(image["faces"])) == (name, 1)


def test_no_face_is_an_answer(api: Api) -> None:
    (image,) = api("POST", "/v1/detect", content=encode(nobody())).json()["images"]
    assert (image["width"], image["height"], image["faces"]) == (300, 200, [])


def test_min_face_size_leaves_smaller_faces_out(api: Api, photos: dict[str, bytes]) -> None:
    assert api("POST", "/v1/detect?min_face_size=400", content=photos["eileen"]).json()["images"][0]["faces"] == []
    assert api("POST", "/v1/detect?min_face_size=60", content=photos["eileen"]).json()["images"][0]["faces"]


def test_embed_gives_descriptors_of_unit_length(api: Api, pipeline: LocalPipeline, photos: dict[str, bytes]) -> None:
    images = api("POST", "/v1/embed", files=files(("a", photos["eileen"]), ("b", encode(both())))).json()["images"]
    rows = np.array([face["descriptor"] for image in images for face in image["faces"]])
    assert rows.shape == (3, 128)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows[0] @ rows[2] > 0.98 > rows[0] @ rows[1]


def test_everybody_is_named(api: Api, group: str, photos: dict[str, bytes]) -> None:
    sent = files(("one.jpg", photos["grace"]), ("two.jpg", encode(both())), ("none.jpg", encode(nobody())))
    answer = api("POST", f"{group}/identify?candidates=2", files=sent).json()
    assert (answer["network"], answer["degraded"]) == ("dlib-resnet29", False)
    assert answer["gallery_version"] == api("GET", group).json()["gallery_version"]
    assert [[face["name"] for face in image["faces"]] for image in answer["images"]] == [
        ["Grace"],
        ["Grace", "Eileen"],
        [],
    ]
    face = answer["images"][0]["faces"][0]
    assert face["person"] == {"id": "grace", "name": "Grace"}
    assert face["similarity"] > 0.99
    assert face["distance"] == pytest.approx(1 - face["similarity"], abs=1e-5)
    assert face["threshold"] == spec("dlib-resnet29").threshold
    assert [each["person_id"] for each in face["candidates"]] == ["grace", "eileen"]
    assert face["margin"] == pytest.approx(face["similarity"] - face["candidates"][1]["similarity"], abs=2e-5)


def test_strangers_are_not_in_the_dataset(api: Api, gallery: str, photos: dict[str, bytes]) -> None:
    empty = api("POST", f"{gallery}/identify", content=photos["grace"]).json()["images"][0]["faces"][0]
    assert (empty["name"], empty["person"], empty["similarity"], empty["margin"]) == (NOT_IN_DATASET, None, -1, None)
    api("PUT", f"{gallery}/people/eileen", json={"name": "Eileen"})
    api("POST", f"{gallery}/people/eileen/photos", content=photos["eileen"])
    face = api("POST", f"{gallery}/identify", content=photos["grace"]).json()["images"][0]["faces"][0]
    assert (face["name"], face["person"]) == (NOT_IN_DATASET, None)
    assert face["candidates"][0]["name"] == "Eileen"
    named = api("POST", f"{gallery}/identify?threshold=0", content=photos["grace"]).json()["images"][0]["faces"][0]
    assert (named["name"], named["threshold"]) == ("Eileen", 0)


def test_descriptors_are_identified_as_photos_are(api: Api, group: str) -> None:
    photo = encode(both())
    faces = api("POST", "/v1/embed", content=photo).json()["images"][0]["faces"]
    rows = [[7 * number for number in face["descriptor"]] for face in faces]
    answer = api("POST", f"{group}/identify", json={"descriptors": rows}).json()
    assert answer["gallery_version"] == api("GET", group).json()["gallery_version"]
    assert [face["name"] for face in answer["faces"]] == ["Grace", "Eileen"]
    seen = api("POST", f"{group}/identify", content=photo).json()["images"][0]["faces"]
    for one, other in zip(answer["faces"], seen, strict=True):
        assert one["similarity"] == pytest.approx(other["similarity"], abs=1e-4)


@pytest.mark.parametrize(
    ("query", "body", "named"),
    [
        ("", {}, True),
        ("?threshold=1", {}, False),
        ("", {"threshold": 1}, False),
        ("?threshold=1", {"threshold": 0.5}, True),
    ],
)
def test_the_threshold_of_descriptors(api: Api, group: str, query: str, body: dict[str, Any], named: bool) -> None:
    face = api("POST", "/v1/embed", content=encode(both())).json()["images"][0]["faces"][0]
    answer = api("POST", f"{group}/identify{query}", json={"descriptors": [face["descriptor"]], **body}).json()
    assert (answer["faces"][0]["person"] is not None) is named


@pytest.mark.parametrize(("person", "same"), [("grace", True), ("eileen", False)])
def test_verify_a_person(api: Api, group: str, photos: dict[str, bytes], person: str, same: bool) -> None:
    answer = api("POST", f"{group}/verify?person={person}", content=photos["grace"]).json()
    assert (answer["same"], answer["person"]) == (same, {"id": person, "name": person.title()})
    assert answer["gallery_version"] == api("GET", group).json()["gallery_version"]
    assert answer["same"] is (answer["similarity"] > answer["threshold"])
    assert len(answer["faces"]) == 1


def test_verify_the_face_that_is_meant(api: Api, group: str) -> None:
    assert api.refused("POST", f"{group}/verify?person=grace", content=encode(both())) == (422, "multiple_faces")
    answers = [api("POST", f"{group}/verify?person=grace&face={n}", content=encode(both())).json() for n in (0, 1)]
    assert [answer["same"] for answer in answers] == [True, False]


def test_verify_two_photos(api: Api, photos: dict[str, bytes]) -> None:
    again = encode(both()[:, 512:])
    same = api("POST", "/v1/verify", files=files(("a", photos["eileen"]), ("b", again))).json()
    other = api("POST", "/v1/verify", files=files(("a", photos["eileen"]), ("b", photos["grace"]))).json()
    assert (same["same"], other["same"], len(same["faces"])) == (True, False, 2)
    assert api("POST", "/v1/verify?threshold=0.1", files=files(("a", photos["eileen"]), ("b", photos["grace"]))).json()[
        "same"
    ]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [(encode(nobody()), "no_face"), (encode(both()), "multiple_faces"), (b"text", "not_an_image"), (b"", "empty_body")],
)
def test_verification_says_which_photo_is_wrong(api: Api, photos: dict[str, bytes], bad: bytes, expected: str) -> None:
    answer = api("POST", "/v1/verify", files=files(("first.jpg", photos["eileen"]), ("second.jpg", bad)))
    assert answer.json()["code"] == expected
    assert answer.json()["detail"].startswith("second.jpg: ")


@pytest.mark.parametrize(("path", "count"), [("/v1/verify", 1), ("/v1/verify", 3), ("{group}/verify?person=grace", 2)])
def test_verification_of_another_count_of_photos(
    api: Api, group: str, photos: dict[str, bytes], path: str, count: int
) -> None:
    sent = files(*[("p", photos["grace"])] * count)
    assert api.refused("POST", path.format(group=group), files=sent) == (400, "malformed_request")


def test_one_bad_image_costs_the_others_nothing(api: Api, group: str, photos: dict[str, bytes]) -> None:
    sent = files(("good", photos["grace"]), ("text", b"no image"), ("none", b""), ("also", photos["eileen"]))
    answer = api("POST", f"{group}/identify", files=sent)
    assert answer.status_code == 200
    images = answer.json()["images"]
    assert [image.get("error", {}).get("code") for image in images] == [None, "not_an_image", "empty_body", None]
    assert [images[at]["faces"][0]["name"] for at in (0, 3)] == ["Grace", "Eileen"]


def test_operations(api: Api) -> None:
    assert api("GET", "/healthz").json() == {"status": "ok"}
    ready = api("GET", "/readyz").json()
    assert (ready["status"], ready["network"], ready["store"]) == ("ready", "dlib-resnet29", "ok")
    assert set(ready["compared"].values()) <= {"exact"}
    assert api("GET", "/metrics").headers["content-type"].startswith("text/plain")
    assert "<html" in api("GET", "/").text.lower() or "<title" in api("GET", "/").text
    page = api("GET", "/docs").text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/docs/assets/{asset}" in page
        assert api("GET", f"/docs/assets/{asset}").status_code == 200
