"""Photos of people: enrolled, refused, listed, shown, erased; and what identification makes of them."""

import hashlib
from typing import Any

import pytest
from PIL import Image as pillow

from facegroup.networks.registry import spec
from facegroup.types import NOT_IN_DATASET, Gallery
from tests.local_pipeline import LocalPipeline
from tests.photos import astronaut, beside, both, encode, hopper, nobody, resized
from tests.serve.conftest import files
from tests.serve.driver import Api


@pytest.fixture
def person(api: Api, gallery: str) -> str:
    """The path of a person without photos."""
    assert api("PUT", f"{gallery}/people/p", json={"name": "P"}).status_code == 201
    return f"{gallery}/people/p"


def named(api: Api, gallery: str, photo: bytes) -> list[str]:
    images = api("POST", f"{gallery}/identify", content=photo).json()["images"]
    return [face["name"] for face in images[0]["faces"]]


def test_an_enrolled_person_is_known_to_the_next_question(
    api: Api, gallery: str, person: str, photos: dict[str, bytes]
) -> None:
    assert named(api, gallery, photos["grace"]) == [NOT_IN_DATASET]
    before = api("GET", gallery).json()["gallery_version"]
    answer = api("POST", f"{person}/photos", content=photos["grace"]).json()
    sha = hashlib.sha256(photos["grace"]).hexdigest()
    assert answer["person"]["photos"] == 1
    assert answer["enrolled"] == [{"name": "photo", "photo_id": sha, "duplicate": False}]
    assert answer["refused"] == []
    assert answer["gallery_version"] == api("GET", gallery).json()["gallery_version"] == before + 1
    assert named(api, gallery, photos["grace"]) == ["P"]


def test_the_same_photo_twice_is_one_sample(api: Api, person: str, photos: dict[str, bytes]) -> None:
    first = api("POST", f"{person}/photos", content=photos["grace"]).json()
    again = api("POST", f"{person}/photos", content=photos["grace"])
    assert again.status_code == 200
    assert again.json()["enrolled"] == [{**first["enrolled"][0], "duplicate": True}]
    assert (again.json()["person"]["photos"], again.json()["gallery_version"]) == (1, first["gallery_version"])


def test_the_same_photo_twice_in_one_request(api: Api, person: str, photos: dict[str, bytes]) -> None:
    sent = files(("a.jpg", photos["grace"]), ("b.jpg", photos["grace"]))
    answer = api("POST", f"{person}/photos", files=sent).json()
    assert [(row["name"], row["duplicate"]) for row in answer["enrolled"]] == [("a.jpg", False), ("b.jpg", True)]
    assert answer["person"]["photos"] == 1


def test_two_photos_of_one_file_name_are_two(api: Api, person: str, photos: dict[str, bytes]) -> None:
    sent = files(("blob", photos["grace"]), ("blob", encode(hopper(), quality=80)))
    answer = api("POST", f"{person}/photos", files=sent).json()
    assert [row["name"] for row in answer["enrolled"]] == ["blob", "blob"]
    assert len({row["photo_id"] for row in answer["enrolled"]}) == answer["person"]["photos"] == 2


def test_each_refused_photo_has_its_reason(api: Api, person: str, photos: dict[str, bytes]) -> None:
    sent = [
        ("good", photos["grace"]),
        ("none", encode(nobody())),
        ("two", encode(both())),
        ("text", b"no image"),
        ("cut", photos["grace"][:5000]),
        ("empty", b""),
    ]
    answer = api("POST", f"{person}/photos", files=files(*sent))
    assert answer.status_code == 200
    assert [row["name"] for row in answer.json()["enrolled"]] == ["good"]
    assert [(row["name"], row["error"]["code"]) for row in answer.json()["refused"]] == [
        ("none", "no_face"),
        ("two", "multiple_faces"),
        ("text", "not_an_image"),
        ("cut", "truncated_image"),
        ("empty", "empty_body"),
    ]


def test_all_photos_refused_is_an_answer(api: Api, person: str) -> None:
    answer = api("POST", f"{person}/photos", files=files(("a", b"text"), ("b", encode(nobody())))).json()
    assert (answer["enrolled"], len(answer["refused"]), answer["person"]["photos"]) == ([], 2, 0)


@pytest.mark.parametrize(
    ("query", "photo", "expected"),
    [
        ("", encode(nobody()), (422, "no_face")),
        ("?face=0", encode(nobody()), (422, "no_face")),
        ("", encode(both()), (422, "multiple_faces")),
        ("?face=2", encode(both()), (400, "malformed_request")),
        ("?face=-1", encode(both()), (400, "malformed_request")),
        ("?face=99999999999999999999999", encode(both()), (400, "malformed_request")),
        ("?face=" + "9" * 5000, encode(both()), (400, "malformed_request")),
        ("?face=first", encode(both()), (400, "malformed_request")),
        ("?face=0.5", encode(both()), (400, "malformed_request")),
    ],
    ids=["none", "none of them", "several", "beyond", "negative", "huge", "endless", "word", "half"],
)
def test_a_single_photo_answers_its_refusal(
    api: Api, person: str, query: str, photo: bytes, expected: tuple[int, str]
) -> None:
    assert api.refused("POST", f"{person}/photos{query}", content=photo) == expected
    assert api("GET", person).json()["photos"] == 0


def test_the_message_on_several_faces_says_what_to_do(api: Api, person: str) -> None:
    assert "face=0…1" in api("POST", f"{person}/photos", content=encode(both())).json()["detail"]


@pytest.mark.parametrize(("face", "known", "stranger"), [(0, "grace", "eileen"), (1, "eileen", "grace")])
def test_the_face_that_is_meant(
    api: Api, gallery: str, person: str, photos: dict[str, bytes], face: int, known: str, stranger: str
) -> None:
    assert api("POST", f"{person}/photos?face={face}", content=encode(both())).status_code == 200
    assert named(api, gallery, photos[known]) == ["P"]
    assert named(api, gallery, photos[stranger]) == [NOT_IN_DATASET]


def test_min_face_size_leaves_out_who_stands_behind(api: Api, person: str) -> None:
    crowd = both()
    crowd[:, 512:] = 127
    crowd[:80, 512:592] = resized(astronaut(), 80)
    assert api.refused("POST", f"{person}/photos", content=encode(crowd, "PNG")) == (422, "multiple_faces")
    assert api("POST", f"{person}/photos?min_face_size=60", content=encode(crowd, "PNG")).status_code == 200


def test_photos_are_listed_shown_and_erased(
    api: Api, gallery: str, person: str, photos: dict[str, bytes], tmp_path: Any
) -> None:
    other = encode(hopper(), quality=70)
    api("POST", f"{person}/photos", files=files(("a", photos["grace"]), ("b", other)))
    rows = api("GET", f"{person}/photos").json()["photos"]
    assert {row["id"] for row in rows} == {hashlib.sha256(each).hexdigest() for each in (photos["grace"], other)}
    shown = api("GET", f"{person}/photos/{rows[0]['id']}")
    assert shown.headers["content-type"] == "image/jpeg"
    (tmp_path / "crop.jpg").write_bytes(shown.content)
    with pillow.open(tmp_path / "crop.jpg") as crop:
        assert crop.size == (150, 150)
    for left, row in zip((1, 0), rows, strict=True):
        assert api("DELETE", f"{person}/photos/{row['id']}").json()["removed"] == {
            "people": 0,
            "photos": 1,
            "counter_examples": 0,
            "descriptors": 1,
            "crops": 1,
            "cohort": 0,
            "sightings": 0,
        }
        assert api("GET", person).json()["photos"] == left
        assert api.refused("DELETE", f"{person}/photos/{row['id']}") == (404, "unknown_photo")
        assert api.refused("GET", f"{person}/photos/{row['id']}") == (404, "unknown_photo")
    assert named(api, gallery, photos["grace"]) == [NOT_IN_DATASET]


def test_a_gallery_may_keep_no_crops(api: Api, gallery: str, person: str, photos: dict[str, bytes]) -> None:
    assert api("PATCH", gallery, json={"keep_crops": False}).json()["keep_crops"] is False
    api("POST", f"{person}/photos", content=photos["grace"])
    (row,) = api("GET", f"{person}/photos").json()["photos"]
    assert api.refused("GET", f"{person}/photos/{row['id']}") == (404, "unknown_photo")


@pytest.mark.parametrize("photo", ["x", "é" * 30, "%00", "a%2Fb", "..%2F..", "f" * 64, "f" * 5000, "%FF"])
def test_photos_that_are_not_there(api: Api, person: str, photo: str) -> None:
    for method in ("GET", "DELETE"):
        assert api.refused(method, f"{person}/photos/{photo}") in ((404, "unknown_photo"), (404, "unknown_path"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "{g}/people/nobody"),
        ("PATCH", "{g}/people/nobody"),
        ("DELETE", "{g}/people/nobody"),
        ("POST", "{g}/people/nobody/photos"),
        ("GET", "{g}/people/nobody/photos"),
        ("GET", "{g}/people/nobody/photos/1"),
        ("DELETE", "{g}/people/nobody/photos/1"),
        ("POST", "{g}/verify?person=nobody"),
    ],
)
def test_unknown_people(api: Api, gallery: str, photos: dict[str, bytes], method: str, path: str) -> None:
    bodies: dict[str, Any] = {"PATCH": {"json": {}}, "POST": {"content": photos["grace"]}}
    body = bodies.get(method, {})
    assert api.refused(method, path.format(g=gallery), **body) == (404, "unknown_person")
    missing = path.format(g="/v1/galleries/nowhere")
    assert api.refused(method, missing, **body) == (404, "unknown_gallery")


def test_a_gallery_of_another_network(api: Api, pipeline: LocalPipeline, photos: dict[str, bytes]) -> None:
    other = spec("retail-0095")
    store = pipeline.recognizer.store
    store.create_gallery(Gallery("of-another", other.name, other.dimension, 0.4))
    store.create_person("of-another", "P", person_id="p")
    path = "/v1/galleries/of-another"
    photo = {"content": photos["grace"]}
    two = {"files": files(("a", photos["grace"]), ("b", photos["eileen"]))}
    assert api.refused("POST", f"{path}/identify", **photo) == (409, "network_mismatch")
    assert api.refused("POST", f"{path}/identify", **two) == (409, "network_mismatch")
    assert api.refused("POST", f"{path}/identify", json={"descriptors": [[1.0] * 128]}) == (409, "network_mismatch")
    assert api.refused("POST", f"{path}/verify?person=p", **photo) == (409, "network_mismatch")
    assert api.refused("POST", f"{path}/people/p/photos", **photo) == (409, "network_mismatch")
    for each in ("identify", "people/p/photos", "people/p/counter-examples"):
        detail = api("POST", f"{path}/{each}", **photo).json()["detail"]
        assert "facegroup migrate of-another --network dlib-resnet29" in detail
    there = api("PUT", path)
    assert (there.status_code, there.json()["code"]) == (409, "gallery_exists")
    assert "facegroup migrate of-another --network dlib-resnet29" in there.json()["detail"]
    assert api.refused("PUT", path) == (409, "gallery_exists")
    assert api("GET", path).json()["network"] == "retail-0095"
    assert api("DELETE", path).status_code == 200


@pytest.mark.parametrize("count", [1, 2])
def test_an_unknown_gallery_is_the_requests_error(api: Api, photos: dict[str, bytes], count: int) -> None:
    sent = files(*[("photo", photos["grace"])] * count)
    assert api.refused("POST", "/v1/galleries/nowhere/identify", files=sent) == (404, "unknown_gallery")


def test_the_largest_face_is_taken_where_that_is_asked(api: Api, gallery: str, person: str) -> None:
    crowd = encode(beside([resized(hopper(), 100), astronaut()]), quality=95)
    assert api.refused("POST", f"{person}/photos", content=crowd) == (422, "multiple_faces")
    for face, sent in (("largest", encode(both())), ("dominant", crowd)):
        answer = api("POST", f"{person}/photos?face={face}", content=sent)
        assert [(row["name"], row["faces"]) for row in answer.json()["chosen"]] == [("photo", 2)]
    assert api.refused("POST", f"{person}/photos?face=dominant", content=encode(both())) == (422, "multiple_faces")
    assert api.refused("POST", f"{person}/photos?face=smallest", content=crowd) == (400, "malformed_request")
    assert api.refused("POST", f"{person}/photos?face=-1", content=crowd) == (400, "malformed_request")
    assert api("POST", f"{gallery}/verify?person=p&face=largest", content=crowd).json()["same"]
    assert api("POST", f"{person}/photos?face=1", content=crowd).json()["chosen"] == []
