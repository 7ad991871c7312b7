"""Poor photos: refused at enrolment, `poor_quality` at identification, in both stores, by HTTP, client and command."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from facegroup.client import Client
from facegroup.errors import ImageError
from facegroup.pipeline.messages import PhotoMatches, PhotoResult
from facegroup.settings import load
from facegroup.types import POOR_QUALITY, Image
from serve.api import build_api
from serve.commands import program
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import astronaut, beside, both, encode, hopper, resized
from tests.serve.conftest import files
from tests.serve.driver import Api

app = program()


def blurred(photo: Image, sigma: float = 12) -> Image:
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), sigma), np.uint8)


GRACE = encode(hopper(), quality=95)
POOR = {
    "too_blurred": encode(blurred(hopper())),
    "face_too_small": encode(resized(hopper(), 90), "PNG"),
    "face_cut_off": encode(hopper()[:, 230:], "PNG"),
    "too_bright": encode(np.clip(hopper().astype(np.uint16) + 80, 0, 255).astype(np.uint8), "PNG"),
    "too_dark": encode((hopper() * 0.1).astype(np.uint8), "PNG"),
}


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPipeline]:
    """A pipeline on a store of each kind."""
    pytest.importorskip("dlib", reason="needs the extra dlib")
    if request.param == "redis":
        store = request.getfixturevalue("redis_process").emptied()
    else:
        store = f"sqlite:///{tmp_path_factory.mktemp('quality') / 'gallery.db'}"
    pipeline = LocalPipeline(load(network="dlib-resnet29", store=store, gallery=f"quality-{request.param}"))
    yield pipeline
    pipeline.close()


@pytest.fixture(scope="module")
def there(place: LocalPipeline) -> Api:
    return Api(build_api(place.recognizer.settings, place))


@pytest.fixture
def choir(place: LocalPipeline, there: Api) -> Iterator[str]:
    """The path of a gallery with Grace in it, whose policies are off."""
    path = f"/v1/galleries/{place.recognizer.settings.gallery}"
    assert there("PUT", path).status_code == 200
    assert there("PUT", f"{path}/people/grace", json={"name": "Grace"}).status_code == 201
    assert there("POST", f"{path}/people/grace/photos", content=GRACE).status_code == 200
    yield path
    assert there("DELETE", path).status_code == 200


@pytest.mark.parametrize("code", POOR)
def test_a_poor_photo_is_not_enrolled(there: Api, choir: str, code: str) -> None:
    assert there("PATCH", choir, json={"quality": "strict"}).json()["quality"] == "strict"
    path = f"{choir}/people/grace/photos"
    version = there("GET", choir).json()["gallery_version"]
    answer = there("POST", path, content=POOR[code])
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.json()
    assert "policy strict" in answer.json()["detail"]
    assert there("GET", choir).json()["gallery_version"] == version
    assert there("PATCH", choir, json={"quality": "off"}).status_code == 200
    assert len(there("POST", path, content=POOR[code]).json()["enrolled"]) == 1


def test_the_others_are_enrolled(there: Api, choir: str) -> None:
    assert there("PATCH", choir, json={"quality": "standard"}).status_code == 200
    sent = files(("blurred", POOR["too_blurred"]), ("small", encode(resized(hopper(), 450))), ("text", b"no image"))
    answer = there("POST", f"{choir}/people/grace/photos", files=sent).json()
    assert [row["name"] for row in answer["enrolled"]] == ["small"]
    assert [(row["name"], row["error"]["code"]) for row in answer["refused"]] == [
        ("blurred", "too_blurred"),
        ("text", "not_an_image"),
    ]


@pytest.mark.parametrize("way", ["gallery", "request"])
def test_a_poor_face_is_answered_so_and_takes_no_name(there: Api, choir: str, way: str) -> None:
    """A photo with a poor and a good picture of Grace: the good one is named, and the poor one is not even a candidate."""
    photo = encode(beside([hopper(), blurred(hopper())]), "PNG")
    left, right = there("POST", f"{choir}/identify", content=photo).json()["images"][0]["faces"]
    assert left["name"] == "Grace"
    assert right["candidates"]
    assert (left["reasons"], right["reasons"]) == ([], [])
    query = ""
    if way == "gallery":
        assert there("PATCH", choir, json={"probe_quality": "standard"}).status_code == 200
    else:
        query = "?quality=standard"
    good, poor = there("POST", f"{choir}/identify{query}", content=photo).json()["images"][0]["faces"]
    assert (good["name"], good["person"]["id"], good["reasons"]) == ("Grace", "grace", [])
    assert good["quality"]["meets"] in ("standard", "strict")
    assert good["quality"]["score"] >= 0.5
    assert (poor["name"], poor["person"], poor["candidates"]) == (POOR_QUALITY, None, [])
    assert (poor["similarity"], poor["margin"], poor["reasons"]) == (-1, None, ["too_blurred"])
    assert (poor["quality"]["meets"], poor["quality"]["score"]) == ("off", pytest.approx(0, abs=0.499))
    off = there("POST", f"{choir}/identify?quality=off", content=photo).json()["images"][0]["faces"]
    assert [face["name"] for face in off] == ["Grace", "not in the dataset"]


def test_detection_tells_the_parts_and_the_policy_they_meet(there: Api) -> None:
    (face,) = there("POST", "/v1/detect", content=GRACE).json()["images"][0]["faces"]
    quality = face["quality"]
    assert quality["meets"] == "strict"
    assert quality["inside"] == 1
    (face,) = there("POST", "/v1/detect", content=POOR["face_cut_off"]).json()["images"][0]["faces"]
    assert face["quality"]["inside"] < 0.75
    assert face["quality"]["meets"] == "standard"
    assert 0.5 <= face["quality"]["score"] < 1


def test_of_descriptors_nothing_is_known(there: Api, choir: str) -> None:
    (face,) = there("POST", "/v1/embed", content=GRACE).json()["images"][0]["faces"]
    assert there("PATCH", choir, json={"probe_quality": "strict"}).status_code == 200
    body = {"descriptors": [face["descriptor"]]}
    (decided,) = there("POST", f"{choir}/identify", json=body).json()["faces"]
    assert (decided["name"], decided["reasons"]) == ("Grace", [])
    assert there("POST", f"{choir}/identify?quality=off", json=body).status_code == 200
    assert there.refused("POST", f"{choir}/identify?quality=strict", json=body) == (400, "malformed_request")


@pytest.mark.parametrize("value", ["", "best", "STRICT", "1"])
def test_a_policy_is_one_of_three(there: Api, choir: str, value: str) -> None:
    assert there.refused("POST", f"{choir}/identify?quality={value}", content=GRACE) == (400, "malformed_request")


def test_a_face_among_several_is_judged_alone(there: Api, choir: str) -> None:
    """The policy asks of the face that is meant, and of no other in the photo."""
    assert there("PATCH", choir, json={"quality": "strict"}).status_code == 200
    photo = encode(beside([blurred(astronaut(), 6), hopper()]), "PNG")
    path = f"{choir}/people/grace/photos"
    assert there.refused("POST", f"{path}?face=0", content=photo) == (422, "too_blurred")
    assert there("POST", f"{path}?face=1", content=photo).status_code == 200


def test_client_and_commands_tell_it(place: LocalPipeline, choir: str, tmp_path: Path) -> None:
    server = LocalServer(place)
    gallery = place.recognizer.settings.gallery
    blurry, two = tmp_path / "blurred.jpg", tmp_path / "two.png"
    blurry.write_bytes(POOR["too_blurred"])
    two.write_bytes(encode(both(), "PNG"))
    try:
        with Client(server.url) as client:
            assert gallery in [each.name for each in client.galleries()]
            (seen,) = client.identify([POOR["too_blurred"]], gallery, quality="standard")
            assert isinstance(seen, PhotoResult)
            assert isinstance(seen.matched, PhotoMatches)
            assert (seen.matched.matches[0].poor, seen.matched.matches[0].reasons) == (True, ("too_blurred",))
            client.update_gallery(gallery, quality="standard")
            (refused,) = client.enrol(gallery, [("blurred.jpg", POOR["too_blurred"])], "grace").refused
            assert isinstance(refused.error, ImageError)
            assert refused.error.code == "too_blurred"

        def run(*words: str) -> str:
            done = CliRunner().invoke(app, [*words, "--server", server.url])
            assert done.exit_code == 0, done.output
            return done.stdout

        changed = json.loads(run("galleries", gallery, "--quality", "off", "--probe-quality", "standard", "--json"))
        assert (changed["galleries"][0]["quality"], changed["galleries"][0]["probe_quality"]) == ("off", "standard")
        assert f"{POOR_QUALITY} (too_blurred)" in run("identify", str(blurry), "--gallery", gallery)
        off = run("identify", str(blurry), "--gallery", gallery, "--quality", "off", "--boxes", str(tmp_path / "drawn"))
        assert POOR_QUALITY not in off
        told = json.loads(run("identify", str(blurry), "--gallery", gallery, "--json"))
        assert told["photos"][0]["faces"][0]["reasons"] == ["too_blurred"]
        assert gallery in run("galleries")
    finally:
        server.stop()


def test_the_command_on_a_store(tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    store = ["--store", f"sqlite:///{tmp_path / 'gallery.db'}"]
    run = CliRunner().invoke
    (tmp_path / "grace.jpg").write_bytes(GRACE)
    (tmp_path / "blurred.jpg").write_bytes(POOR["too_blurred"])
    where = [*store, "--network", "dlib-resnet29"]
    assert run(app, ["enroll", str(tmp_path / "grace.jpg"), "--name", "Grace", *where]).exit_code == 0
    done = run(app, ["galleries", "default", "--quality", "standard", "--no-keep-crops", "--threshold", "0.9", *store])
    assert done.exit_code == 0
    assert "standard" in done.output
    enrolled = run(app, ["enroll", str(tmp_path / "blurred.jpg"), "--name", "Grace", *where])
    assert enrolled.exit_code == 1
    assert "(too_blurred)" in enrolled.output
    (row,) = json.loads(run(app, ["galleries", "--json", *store]).stdout)["galleries"]
    assert row == {
        "name": "default", "network": "dlib-resnet29", "threshold": 0.9, "people": 1, "keep_crops": False,
        "quality": "standard", "probe_quality": "off", "unique": True,
        "decision": "cosine", "liveness": "off", "detector": "mtcnn",
    }  # fmt: skip
    assert run(app, ["galleries", "--quality", "strict", *store]).exit_code != 0
    assert run(app, ["galleries", "nobody", "--quality", "strict", *store]).exit_code != 0
    assert run(app, ["galleries", "default", "--quality", "best", *store]).exit_code != 0
