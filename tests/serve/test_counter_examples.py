""" "Not this person" from outside: over HTTP, by the client, on the command line."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facegroup.cameras.journal import open_journal
from facegroup.cameras.sightings.journal import NewEvent
from facegroup.client import Client
from facegroup.errors import Contradiction, LooksLikeOwn
from facegroup.pipeline.messages import Photo, PhotoResult
from facegroup.recognizer import Recognizer
from facegroup.settings import load
from facegroup.store import contradictions
from facegroup.types import NOT_IN_DATASET
from serve.commands import program
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import astronaut, both, encode, hopper, resized
from tests.serve.conftest import files
from tests.serve.driver import Api
from tests.unit.cameras.journal.made import sighting

app = program()


@pytest.fixture(scope="module")
def mirrored() -> bytes:
    """Another photo of Grace, as a file of its own."""
    return encode(np.ascontiguousarray(hopper()[:, ::-1]))


@pytest.fixture
def only_grace(api: Api, gallery: str, photos: dict[str, bytes]) -> str:
    """A gallery that takes Eileen for Grace, though not for one who is near her: their cosine is 0.88."""
    assert api("PATCH", gallery, json={"threshold": 0.85}).status_code == 200
    assert api("PUT", f"{gallery}/people/grace", json={"name": "Grace"}).status_code == 201
    assert api("POST", f"{gallery}/people/grace/photos", content=photos["grace"]).status_code == 200
    return gallery


def names(api: Api, gallery: str, photo: bytes) -> list[str]:
    (image,) = api("POST", f"{gallery}/identify", content=photo).json()["images"]
    return [face["name"] for face in image["faces"]]


def test_a_face_that_was_wrongly_named_is_not_named_so_again(
    api: Api, only_grace: str, photos: dict[str, bytes], mirrored: bytes
) -> None:
    path = f"{only_grace}/people/grace/counter-examples"
    assert names(api, only_grace, photos["eileen"]) == ["Grace"]
    answer = api("POST", path, content=photos["eileen"]).json()
    (kept,) = answer["kept"]
    assert (kept["duplicate"], answer["refused"], answer["warnings"]) == (False, [], [])
    assert (answer["person"]["photos"], answer["person"]["counter_examples"]) == (1, 1)
    asked = api("POST", f"{only_grace}/identify", content=photos["eileen"]).json()
    (face,) = asked["images"][0]["faces"]
    assert (face["name"], face["person"], face["candidates"]) == (NOT_IN_DATASET, None, [])
    assert [each["person_id"] for each in face["excluded"]] == ["grace"]
    assert asked["gallery_version"] == answer["gallery_version"]
    assert names(api, only_grace, encode(resized(astronaut(), 400))) == [NOT_IN_DATASET]
    assert names(api, only_grace, mirrored) == ["Grace"]
    for photo, same in ((photos["eileen"], False), (mirrored, True)):
        verified = api("POST", f"{only_grace}/verify?person=grace", content=photo).json()
        assert (verified["same"], verified["excluded"]) == (same, not same)
        assert verified["similarity"] > verified["threshold"]
    assert api("GET", path).json()["counter_examples"][0]["id"] == kept["id"]
    assert api("GET", f"{path}/{kept['id']}").headers["content-type"] == "image/jpeg"
    assert api.refused("GET", f"{only_grace}/people/grace/photos/{kept['id']}") == (404, "unknown_photo")
    assert api.refused("DELETE", f"{only_grace}/people/grace/photos/{kept['id']}") == (404, "unknown_photo")
    removed = api("DELETE", f"{path}/{kept['id']}").json()["removed"]
    assert removed == {
        "people": 0,
        "photos": 0,
        "counter_examples": 1,
        "descriptors": 1,
        "crops": 1,
        "cohort": 0,
        "sightings": 0,
    }
    assert api.refused("DELETE", f"{path}/{kept['id']}") == (404, "unknown_photo")
    assert names(api, only_grace, photos["eileen"]) == ["Grace"]


def test_one_face_of_a_group_photo_is_meant(api: Api, only_grace: str) -> None:
    party = encode(both())
    path = f"{only_grace}/people/grace/counter-examples"
    before = names(api, only_grace, party)
    assert sorted(before) == ["Grace", NOT_IN_DATASET]  # one name once
    stranger = before.index(NOT_IN_DATASET)
    assert api.refused("POST", path, content=party) == (422, "multiple_faces")
    assert api.refused("POST", f"{path}?face=2", content=party) == (400, "malformed_request")
    first = api("POST", f"{path}?face={stranger}", content=party).json()["kept"][0]
    assert first["id"] == hashlib.sha256(party + b"\0face %d" % stranger).hexdigest()
    again = api("POST", f"{path}?face={stranger}", content=party).json()
    assert (again["kept"][0]["duplicate"], again["person"]["counter_examples"]) == (True, 1)
    assert names(api, only_grace, party) == before
    # The other face is the enrolled one, though in another file.
    assert api.refused("POST", f"{path}?face={1 - stranger}", content=party) == (409, "contradiction")
    other = encode(resized(both(), 500))
    second = api("POST", f"{path}?face={1 - stranger}", content=other).json()
    assert second["kept"][0]["id"] != first["id"]
    assert [each["code"] for each in second["warnings"]] == ["looks_like_own"]
    assert names(api, only_grace, other) == [NOT_IN_DATASET] * 2


def test_a_photo_of_the_person_is_doubted_or_contradicts(
    api: Api, only_grace: str, photos: dict[str, bytes], mirrored: bytes
) -> None:
    path = f"{only_grace}/people/grace/counter-examples"
    assert api.refused("POST", path, content=photos["grace"]) == (409, "contradiction")
    assert api.refused("POST", f"{path}?strict=true", content=mirrored) == (422, "looks_like_own")
    assert api("GET", f"{only_grace}/people/grace").json()["counter_examples"] == 0
    sent = files(("own", photos["grace"]), ("mirrored", mirrored), ("text", b"no image"), ("eileen", photos["eileen"]))
    answer = api("POST", path, files=sent).json()
    assert [row["name"] for row in answer["kept"]] == ["mirrored", "eileen"]
    assert [(row["name"], row["error"]["code"]) for row in answer["refused"]] == [
        ("text", "not_an_image"),
        ("own", "contradiction"),
    ]
    (warning,) = answer["warnings"]
    assert (warning["name"], warning["code"]) == ("mirrored", "looks_like_own")
    assert warning["own_similarity"] > 0.9
    photos_path = f"{only_grace}/people/grace/photos"
    assert api.refused("POST", photos_path, content=mirrored) == (409, "contradiction")
    enrolled = api(
        "POST", photos_path, files=files(("mirrored", mirrored), ("eileen", encode(resized(astronaut(), 300))))
    )
    assert [row["error"]["code"] for row in enrolled.json()["refused"]] == ["contradiction"]


def test_a_repeated_request_is_done_once(api: Api, only_grace: str, photos: dict[str, bytes]) -> None:
    path, key = f"{only_grace}/people/grace/counter-examples", {"Idempotency-Key": "k-1"}
    first = api("POST", path, content=photos["eileen"], headers=key).json()
    assert api("POST", path, content=photos["eileen"], headers=key).json() == first
    assert api.refused("POST", f"{path}?face=0", content=photos["eileen"], headers=key) == (409, "idempotency_conflict")


def test_what_cannot_be_is_refused(
    api: Api, only_grace: str, photos: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    eileen = photos["eileen"]
    for path, expected in {
        f"{only_grace}/people/nobody/counter-examples": (404, "unknown_person"),
        "/v1/galleries/nowhere/people/grace/counter-examples": (404, "unknown_gallery"),
    }.items():
        assert api.refused("POST", path, content=eileen) == expected
        assert api.refused("GET", path) == expected
        assert api.refused("DELETE", f"{path}/{'0' * 64}") == expected
    path = f"{only_grace}/people/grace/counter-examples"
    assert api.refused("GET", f"{path}/%00") == (404, "unknown_photo")
    assert api.refused("POST", f"{path}?strict=maybe", content=eileen) == (400, "malformed_request")
    monkeypatch.setattr(contradictions, "MOST_COUNTERS", 0)
    assert api.refused("POST", path, content=eileen) == (409, "too_many_counter_examples")


@pytest.fixture(scope="module")
def client(pipeline: LocalPipeline) -> Iterator[Client]:
    server = LocalServer(pipeline)
    with Client(server.url) as client:
        yield client
    server.stop()


def test_the_client_tells_what_the_server_answers(
    client: Client, only_grace: str, photos: dict[str, bytes], mirrored: bytes
) -> None:
    name = only_grace.rsplit("/", 1)[1]
    (refused,) = client.correct(name, [("g.jpg", photos["grace"])], "grace").refused
    assert (refused.name, type(refused.error)) == ("g.jpg", Contradiction)
    done = client.correct(name, [("e.jpg", photos["eileen"]), ("s.jpg", mirrored)], "grace", key="k")
    assert len(done.enrolled.added) == done.enrolled.person.counters == 2
    assert [(each.name, type(each.error)) for each in done.doubts] == [("s.jpg", LooksLikeOwn)]
    (seen,) = client.identify([photos["eileen"]], name)
    (match,) = seen.matched.matches  # type: ignore[union-attr]
    assert (match.person_id, [each.person_id for each in match.excluded]) == (None, ["grace"])
    assert client.verify_person(photos["eileen"], name, "grace").excluded
    assert client.delete_person(name, "grace").counters == 2


@pytest.mark.parametrize("where", ["here", "server"])
def test_feedback_on_the_command_line(where: str, tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    store = f"sqlite:///{tmp_path / 'gallery.db'}"
    place = ["--store", store, "--network", "dlib-resnet29"]
    for name, photo in {"Grace": hopper(), "Eileen": astronaut()}.items():
        (tmp_path / f"{name}.jpg").write_bytes(encode(photo))

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words, *place])
        return done.exit_code, done.stdout

    assert run("enroll", str(tmp_path / "Grace.jpg"), "--name", "Grace")[0] == 0
    grace = json.loads(run("people", "--json")[1])["people"][0]["id"]
    # A camera took Eileen for Grace, and kept what the network saw of her.
    with Recognizer(load(network="dlib-resnet29", store=store)) as recognizer:
        (looked,) = recognizer.see([Photo(encode(astronaut()), crops=True)])
        assert isinstance(looked, PhotoResult)
        assert looked.crops is not None
    with closing(open_journal(store)) as journal:
        journal.record([NewEvent("began", sighting(time.time(), id="e" * 32, person_id=grace), looked.crops[0])])
    server = None
    if where == "server":
        pipeline = LocalPipeline(load(network="dlib-resnet29", store=store))
        server = LocalServer(pipeline)
        place = ["--server", server.url]
    try:
        assert run("feedback", str(tmp_path / "Eileen.jpg"), "--not", grace) == (0, f"1 faces are not {grace}\n")
        status, told = run("feedback", str(tmp_path / "Grace.jpg"), "--not", grace, "--face", "0", "--json")
        answer = json.loads(told)
        assert (status, answer["kept"], answer["refused"][0]["code"]) == (1, 0, "contradiction")
        photo = json.loads(run("identify", str(tmp_path / "Eileen.jpg"), "--threshold", "0.1", "--json")[1])["photos"][
            0
        ]
        assert [face["name"] for face in photo["faces"]] == [NOT_IN_DATASET]
        first = CliRunner().invoke(app, ["feedback", "--sighting", "e" * 32, "--not", grace, *place])
        assert first.exit_code == 0, (first.stdout, first.exception)
        again = json.loads(run("feedback", "--sighting", "e" * 32, "--not", grace, "--json")[1])
        assert (again["kept"], again["refused"]) == (1, [])
        done = CliRunner().invoke(app, ["feedback", "--sighting", "f" * 32, "--not", grace, *place])
        assert getattr(done.exception, "code", None) == "unknown_sighting"
        several = [str(tmp_path / "Eileen.jpg"), "--sighting", "e" * 32, "--sighting", "f" * 32, "--sighting", "a" * 32]
        done = CliRunner().invoke(app, ["feedback", *several, "--not", grace, "--json", *place])
        answer = json.loads(done.stdout)
        assert (done.exit_code, answer["kept"], answer["not_done"]) == (2, 2, 2)
        assert (answer["error"]["code"], answer["interrupted"]) == ("unknown_sighting", False)
        assert "the run ended early, 2 photos or sightings were not done" in done.stderr
        assert "2 faces are not" in CliRunner().invoke(app, ["feedback", *several, "--not", grace, *place]).stdout
        done = CliRunner().invoke(app, ["feedback", "--sighting", "e" * 32, "--not", "nobody", *place])
        assert getattr(done.exception, "code", None) == "unknown_person"
        done = CliRunner().invoke(app, ["feedback", "--not", grace, *place])
        assert getattr(done.exception, "code", None) == "malformed_request"
    finally:
        if server is not None:
            server.stop()
            pipeline.close()
