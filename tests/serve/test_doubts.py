"""Photos that may show somebody else: warned of, or refused where the request is strict."""

import hashlib
from collections.abc import Iterator

import pytest

from facegroup.client import Client
from facegroup.errors import LooksLike, StoreUnavailable
from facegroup.networks.registry import spec
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import encode, hopper, resized
from tests.serve.conftest import files
from tests.serve.driver import Api


@pytest.fixture(scope="module")
def smaller() -> bytes:
    """Another photo of Grace, as a file of its own."""
    return encode(resized(hopper(), 450))


def new(api: Api, gallery: str, person: str) -> str:
    assert api("PUT", f"{gallery}/people/{person}", json={"name": person.title()}).status_code == 201
    return f"{gallery}/people/{person}/photos"


def test_a_right_photo_is_enrolled_without_a_word(api: Api, group: str, smaller: bytes) -> None:
    for query in ("", "?strict=true"):
        answer = api("POST", f"{group}/people/grace/photos{query}", content=smaller).json()
        assert (len(answer["enrolled"]), answer["refused"], answer["warnings"]) == (1, [], [])


def test_the_first_photo_in_an_empty_gallery_has_nothing_to_be_like(
    api: Api, gallery: str, photos: dict[str, bytes]
) -> None:
    answer = api("POST", new(api, gallery, "grace") + "?strict=true", content=photos["grace"]).json()
    assert (len(answer["enrolled"]), answer["warnings"]) == (1, [])


def test_a_photo_of_another_person_is_enrolled_with_a_warning(api: Api, group: str, smaller: bytes) -> None:
    answer = api("POST", f"{group}/people/eileen/photos", content=smaller).json()
    (warning,) = answer["warnings"]
    assert (warning["name"], warning["code"]) == ("photo", "looks_like")
    assert warning["looks_like"]["person_id"] == "grace"
    assert warning["looks_like"]["name"] == "Grace"
    threshold = api("GET", group).json()["threshold"]
    assert warning["own_similarity"] < threshold < warning["looks_like"]["similarity"] <= 1
    assert "Grace (grace)" in warning["detail"]
    assert answer["person"]["photos"] == 2
    assert [row["name"] for row in answer["enrolled"]] == ["photo"]


def test_a_photo_unlike_its_persons_others(api: Api, gallery: str, photos: dict[str, bytes], smaller: bytes) -> None:
    path = new(api, gallery, "eileen")
    assert api("POST", path, content=photos["eileen"]).json()["warnings"] == []
    (warning,) = api("POST", path, content=smaller).json()["warnings"]
    assert (warning["code"], warning["looks_like"]) == ("unlike_own", None)
    assert warning["own_similarity"] < 1 - 1.5 * (1 - spec("dlib-resnet29").threshold)


def test_strict_refuses_a_photo_as_the_answer_of_the_request(
    api: Api, group: str, photos: dict[str, bytes], smaller: bytes
) -> None:
    path = f"{group}/people/eileen/photos?strict=true"
    before = api("GET", group).json()["gallery_version"]
    assert api.refused("POST", path, content=smaller) == (422, "looks_like")
    assert api("GET", f"{group}/people/eileen").json()["photos"] == 1
    assert api("GET", group).json()["gallery_version"] == before
    assert api("DELETE", f"{group}/people/grace").status_code == 200
    assert api.refused("POST", path, content=smaller) == (422, "unlike_own")


def test_strict_enrols_the_others(api: Api, group: str, photos: dict[str, bytes], smaller: bytes) -> None:
    sent = files(("grace", smaller), ("eileen", photos["eileen"]), ("text", b"no image"))
    answer = api("POST", f"{group}/people/eileen/photos?strict=true", files=sent).json()
    assert [row["name"] for row in answer["enrolled"]] == ["eileen"]
    assert [(row["name"], row["error"]["code"]) for row in answer["refused"]] == [
        ("text", "not_an_image"),
        ("grace", "looks_like"),
    ]
    assert answer["warnings"] == []
    assert answer["person"]["photos"] == 1


def test_photos_of_somebody_new_that_disagree(api: Api, gallery: str, photos: dict[str, bytes], smaller: bytes) -> None:
    sent = files(("grace", photos["grace"]), ("eileen", photos["eileen"]))
    path = new(api, gallery, "who")
    assert [row["error"]["code"] for row in api("POST", path + "?strict=true", files=sent).json()["refused"]] == [
        "unlike_own",
        "unlike_own",
    ]
    three = files(("grace", photos["grace"]), ("small", smaller), ("eileen", photos["eileen"]))
    answer = api("POST", path, files=three).json()
    assert [(row["name"], row["code"]) for row in answer["warnings"]] == [("eileen", "unlike_own")]
    assert answer["person"]["photos"] == 3


def test_two_people_who_share_a_photo(api: Api, gallery: str, photos: dict[str, bytes]) -> None:
    """Twins, or one picture that was filed twice: both keep it, and the second is warned of."""
    assert api("POST", new(api, gallery, "grace"), content=photos["grace"]).json()["warnings"] == []
    path = new(api, gallery, "twin")
    assert api.refused("POST", path + "?strict=true", content=photos["grace"]) == (422, "looks_like")
    answer = api("POST", path, content=photos["grace"]).json()
    sha = hashlib.sha256(photos["grace"]).hexdigest()
    assert answer["enrolled"] == [{"name": "photo", "photo_id": sha, "duplicate": False}]
    (warning,) = answer["warnings"]
    assert (warning["code"], warning["own_similarity"]) == ("looks_like", None)
    assert warning["looks_like"] == {"person_id": "grace", "name": "Grace", "similarity": pytest.approx(1, abs=1e-4)}
    again = api("POST", path + "?strict=true", content=photos["grace"]).json()
    assert again["enrolled"] == [{"name": "photo", "photo_id": sha, "duplicate": True}]
    assert (again["refused"], again["warnings"]) == ([], [])


@pytest.mark.parametrize("value", ["maybe", "", "2"])
def test_strict_is_yes_or_no(api: Api, group: str, photos: dict[str, bytes], value: str) -> None:
    path = f"{group}/people/grace/photos?strict={value}"
    assert api.refused("POST", path, content=photos["grace"]) == (400, "malformed_request")


def test_with_the_store_away_nothing_is_enrolled(
    api: Api, pipeline: LocalPipeline, group: str, smaller: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> object:
        raise StoreUnavailable("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.recognizer.store, "samples", away)
        assert api.refused("POST", f"{group}/people/grace/photos", content=smaller) == (503, "store_unavailable")
    assert api("GET", f"{group}/people/grace").json()["photos"] == 1


@pytest.fixture(scope="module")
def client(pipeline: LocalPipeline) -> Iterator[Client]:
    server = LocalServer(pipeline)
    with Client(server.url) as client:
        yield client
    server.stop()


def test_the_client_tells_what_the_server_answers(client: Client, group: str, smaller: bytes) -> None:
    name = group.rsplit("/", 1)[1]
    photo = [("small.jpg", smaller)]
    told = client.enrol(name, photo, "eileen", strict=True)
    (refused,) = told.refused
    assert (refused.name, refused.error.code, told.doubts) == ("small.jpg", "looks_like", ())
    assert told.enrolled.person.samples == 1
    (doubt,) = client.enrol(name, photo, "eileen").doubts
    assert (doubt.name, type(doubt.error)) == ("small.jpg", LooksLike)
    assert "Grace (grace)" in doubt.error.detail
    assert doubt.looks_like is not None
    assert (doubt.looks_like.person_id, doubt.looks_like.name) == ("grace", "Grace")
    assert doubt.own_similarity is not None
    assert doubt.own_similarity < doubt.looks_like.similarity
