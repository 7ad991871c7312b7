"""Faces that are not live, by HTTP, client and command: refused, answered `not_live`, and never passed unchecked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from facegroup.client import Client
from facegroup.errors import LivenessUnavailable, NotLive
from facegroup.images.decode import decode
from facegroup.pipeline.messages import PhotoMatches, PhotoResult
from facegroup.settings import Limits, Settings, load
from facegroup.types import NOT_LIVE
from serve.api import build_api
from serve.commands import program
from studies.presentation_attacks import printed
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import encode, resized
from tests.serve.conftest import files
from tests.serve.driver import Api

app = program()


@pytest.fixture(scope="module")
def settings(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    store = f"sqlite:///{tmp_path_factory.mktemp('liveness') / 'gallery.db'}"
    given: dict[str, Any] = {"liveness": {"model": "minifasnet"}, "cameras": {"enabled": False}}
    return load(network="retail-0095", model_dir=shared / "models", store=store, gallery="door", **given)


@pytest.fixture(scope="module")
def place(settings: Settings) -> Iterator[LocalPipeline]:
    pipeline = LocalPipeline(settings)
    yield pipeline
    pipeline.close()


@pytest.fixture(scope="module")
def there(place: LocalPipeline) -> Api:
    return Api(build_api(place.recognizer.settings, place))


@pytest.fixture(scope="module")
def blind_place(settings: Settings) -> Iterator[LocalPipeline]:
    """A pipeline on the same store, which does not tell whether a face is live."""
    pipeline = LocalPipeline(settings.model_copy(update={"liveness": type(settings.liveness)()}))
    yield pipeline
    pipeline.close()


@pytest.fixture(scope="module")
def blind(blind_place: LocalPipeline) -> Api:
    return Api(build_api(blind_place.recognizer.settings, blind_place))


@pytest.fixture(scope="module")
def photos(shared: Path) -> dict[str, bytes]:
    """A person, a simulated photo of a print of them, and the person from afar."""
    file = shared / "faces/face_recognition_examples/examples/knn_examples/train/biden/biden2.jpg"
    person = resized(decode(file.read_bytes(), Limits()).image, 600)
    copy = printed(person, np.random.default_rng(0))
    return {"live": encode(person), "print": encode(copy), "small": encode(resized(person, 80), "PNG")}


@pytest.fixture
def door(there: Api, photos: dict[str, bytes]) -> Iterator[str]:
    """The path of a gallery with Joe in it, whose policy is off."""
    path = "/v1/galleries/door"
    assert there("PUT", path).status_code == 200
    assert there("PUT", f"{path}/people/joe", json={"name": "Joe"}).status_code == 201
    assert there("POST", f"{path}/people/joe/photos", content=photos["live"]).status_code == 200
    yield path
    assert there("DELETE", path).status_code == 200


def policy(api: Api, path: str, wanted: str) -> None:
    assert api("PATCH", path, json={"liveness": wanted}).json()["liveness"] == wanted


def named(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    (face,) = answer.json()["images"][0]["faces"]
    return dict(face)


def test_a_print_is_not_enrolled(there: Api, door: str, photos: dict[str, bytes]) -> None:
    path = f"{door}/people/joe/photos"
    policy(there, door, "enrol")
    version = there("GET", door).json()["gallery_version"]
    for photo, told in (("print", "the face is not live"), ("small", "too small to tell")):
        answer = there("POST", path, content=photos[photo])
        assert (answer.status_code, answer.json()["code"]) == (422, "not_live"), answer.text
        assert told in answer.json()["detail"]
    assert there("GET", door).json()["gallery_version"] == version
    both = there("POST", path, files=files(("a.jpg", photos["print"]), ("b.jpg", encode(np.flip(_pixels(photos), 1)))))
    assert [each["name"] for each in both.json()["refused"]] == ["a.jpg"]
    assert [each["name"] for each in both.json()["enrolled"]] == ["b.jpg"]
    # The policy of enrolment does not ask for live faces elsewhere.
    assert named(there("POST", f"{door}/identify", content=photos["print"]))["name"] == "Joe"
    policy(there, door, "probe")
    assert there("POST", path, content=photos["print"]).status_code == 200


def _pixels(photos: dict[str, bytes]) -> Any:
    return decode(photos["live"], Limits()).image


def test_a_print_takes_nobodys_name(there: Api, door: str, photos: dict[str, bytes]) -> None:
    policy(there, door, "both")
    live = named(there("POST", f"{door}/identify", content=photos["live"]))
    assert (live["name"], live["liveness"]["live"], live["reasons"]) == ("Joe", True, [])
    assert live["liveness"]["score"] > 0.5
    attack = named(there("POST", f"{door}/identify", content=photos["print"]))
    assert (attack["name"], attack["person"], attack["candidates"]) == (NOT_LIVE, None, [])
    assert (attack["reasons"], attack["liveness"]["live"]) == (["not_live"], False)
    small = named(there("POST", f"{door}/identify", content=photos["small"]))
    assert (small["name"], small["reasons"]) == (NOT_LIVE, ["face_too_small"])
    assert small["liveness"] == {"score": None, "live": False}


def test_a_request_overrides_the_policy(there: Api, door: str, photos: dict[str, bytes]) -> None:
    free = named(there("POST", f"{door}/identify", content=photos["print"]))
    assert (free["name"], free["liveness"]["live"]) == ("Joe", False)  # told, and not applied
    asked = named(there("POST", f"{door}/identify?liveness=true", content=photos["print"]))
    assert asked["name"] == NOT_LIVE
    policy(there, door, "probe")
    unasked = named(there("POST", f"{door}/identify?liveness=false", content=photos["print"]))
    assert unasked["name"] == "Joe"
    assert "liveness" not in unasked
    assert there("POST", f"{door}/identify?liveness=maybe", content=photos["print"]).status_code == 400


def test_a_print_is_not_the_same_person(there: Api, door: str, photos: dict[str, bytes]) -> None:
    path = f"{door}/verify?person=joe"
    assert there("POST", path, content=photos["print"]).json()["same"]
    asked = there("POST", f"{path}&liveness=true", content=photos["print"]).json()
    assert (asked["same"], asked["reasons"], asked["faces"][0]["liveness"]["live"]) == (False, ["not_live"], False)
    policy(there, door, "probe")
    assert not there("POST", path, content=photos["print"]).json()["same"]
    live = there("POST", path, content=photos["live"]).json()
    assert (live["same"], live["reasons"]) == (True, [])
    pair = files(("a.jpg", photos["live"]), ("b.jpg", photos["print"]))
    assert there("POST", "/v1/verify", files=pair).json()["same"]
    done = there("POST", "/v1/verify?liveness=true", files=pair).json()
    assert (done["same"], done["reasons"]) == (False, ["not_live"])
    assert [each["liveness"]["live"] for each in done["faces"]] == [True, False]


def test_nothing_passes_on_a_server_that_cannot_tell(
    there: Api, blind: Api, door: str, photos: dict[str, bytes]
) -> None:
    asked = (f"{door}/identify", f"{door}/verify?person=joe")
    for path in (*asked, f"{door}/people/joe/photos"):
        answer = blind("POST", path, content=photos["live"])
        assert answer.status_code == 200
        assert "liveness" not in answer.text.replace('"liveness":"off"', "")
    policy(there, door, "both")
    for path in (*asked, f"{door}/people/joe/photos"):
        answer = blind("POST", path, content=photos["live"])
        assert (answer.status_code, answer.json()["code"]) == (409, "liveness_unavailable"), answer.text
        assert "FACEGROUP_LIVENESS__MODEL" in answer.json()["detail"]
    policy(there, door, "off")
    for path in (f"{door}/identify?liveness=true", f"{door}/verify?person=joe&liveness=true"):
        assert blind("POST", path, content=photos["live"]).json()["code"] == "liveness_unavailable"
    pair = files(("a.jpg", photos["live"]), ("b.jpg", photos["live"]))
    assert blind("POST", "/v1/verify?liveness=true", files=pair).json()["code"] == "liveness_unavailable"
    assert blind("GET", "/readyz").json()["liveness"] is None


def test_of_descriptors_nothing_is_known(there: Api, door: str, photos: dict[str, bytes]) -> None:
    seen = there("POST", "/v1/embed", content=photos["live"]).json()["images"][0]["faces"][0]
    assert seen["liveness"]["live"]
    body = {"descriptors": [seen["descriptor"]]}
    assert there("POST", f"{door}/identify", json=body).json()["faces"][0]["name"] == "Joe"
    policy(there, door, "probe")
    answer = there("POST", f"{door}/identify", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "liveness_unavailable")
    assert "Send photos" in answer.json()["detail"]
    assert there("POST", f"{door}/identify?liveness=false", json=body).json()["faces"][0]["name"] == "Joe"


def test_readyz_names_model_and_threshold(there: Api) -> None:
    about = there("GET", "/readyz").json()["liveness"]
    assert about == {
        "model": "minifasnet",
        "engine": "openvino",
        "precision": "fp32",
        "threshold": 0.5,
        "min_face_size": 40,
    }


def test_the_client_and_the_commands_say_it(
    there: Api, place: LocalPipeline, door: str, photos: dict[str, bytes], tmp_path: Path
) -> None:
    policy(there, door, "both")
    paths = {name: tmp_path / f"{name}.png" for name in ("live", "print")}
    for name, path in paths.items():
        path.write_bytes(photos[name])
    server = LocalServer(place)
    try:
        with Client(server.url) as client:
            live, attack = client.identify([photos["live"], photos["print"]], "door")
            assert isinstance(live, PhotoResult)
            assert isinstance(attack, PhotoResult)
            assert isinstance(attack.matched, PhotoMatches)
            assert live.liveness is not None
            assert live.liveness.live.tolist() == [True]
            assert attack.matched.matches[0].not_live
            (unscored,) = client.identify([photos["print"]], "door", liveness=False)
            assert isinstance(unscored, PhotoResult)
            assert unscored.liveness is None
            done = client.verify_person(photos["print"], "door", "joe")
            assert (done.same, done.reasons, done.liveness[0].live.tolist()) == (False, ("not_live",), [False])
            assert client.verify((photos["live"], photos["print"]), liveness=True).reasons == ("not_live",)
            refused = client.enrol("door", [("print.jpg", photos["print"])], "joe").refused
            assert isinstance(refused[0].error, NotLive)

        def run(*words: str) -> str:
            at = [] if words[0] == "galleries" else ["--gallery", "door"]
            return CliRunner().invoke(app, [*words, *at, "--server", server.url]).output

        shown = run("identify", *map(str, paths.values()))
        assert "Joe, liveness 0.9" in shown or "Joe, liveness 1.00" in shown
        assert "not_live, liveness 0." in shown
        rows = json.loads(run("identify", str(paths["print"]), "--no-liveness", "--json"))["photos"]
        assert [(face["name"], "liveness" in face) for face in rows[0]["faces"]] == [("Joe", False)]
        verified = json.loads(run("verify", str(paths["print"]), "--person", "joe", "--json"))
        assert (verified["same"], verified["reasons"]) == (False, ["not_live"])
        assert verified["liveness"][0]["live"] is False
        assert "not the same person (not_live)" in run("verify", str(paths["print"]), "--person", "joe")
        assert "liveness both" in run("galleries", "door")
        assert "(not_live)" in run("enroll", str(paths["print"]), "--name", "Joe")
    finally:
        server.stop()


def test_the_library_says_it(place: LocalPipeline, there: Api, door: str, photos: dict[str, bytes]) -> None:
    policy(there, door, "both")
    recognizer = place.recognizer
    (seen,) = recognizer.identify([photos["print"]], "door")
    assert isinstance(seen, PhotoResult)
    assert isinstance(seen.matched, PhotoMatches)
    assert (seen.matched.matches[0].name, seen.matched.live_above) == (NOT_LIVE, 0.5)
    assert recognizer.identify([], "door") == []
    assert not recognizer.verify_person(photos["print"], "door", "joe").same
    assert recognizer.verify_person(photos["print"], "door", "joe", liveness=False).same


def test_a_library_that_cannot_tell_says_so(blind_place: LocalPipeline, there: Api, door: str) -> None:
    policy(there, door, "both")
    with pytest.raises(LivenessUnavailable):
        blind_place.recognizer.identify([], "door")
