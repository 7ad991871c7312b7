"""One person several times in one photo, as in a mirror or a photo strip: why a face is nobody's, and how to name it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from facegroup.client import Client
from facegroup.pipeline.messages import PhotoMatches, PhotoResult
from facegroup.settings import load
from facegroup.types import NOT_IN_DATASET
from serve.api import build_api
from serve.commands import program
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import astronaut, beside, encode, hopper, resized
from tests.serve.driver import Api

app = program()

GRACE = encode(hopper(), quality=95)
MIRROR = encode(beside([astronaut(), hopper(), np.ascontiguousarray(hopper()[:, ::-1])]), "PNG")
STRIP = encode(beside([resized(hopper(), side) for side in (500, 480, 460)]), "PNG")


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPipeline]:
    """A pipeline on a store of each kind."""
    pytest.importorskip("dlib", reason="needs the extra dlib")
    if request.param == "redis":
        store = request.getfixturevalue("redis_process").emptied()
    else:
        store = f"sqlite:///{tmp_path_factory.mktemp('unique') / 'gallery.db'}"
    pipeline = LocalPipeline(load(network="dlib-resnet29", store=store, gallery=f"unique-{request.param}"))
    yield pipeline
    pipeline.close()


@pytest.fixture(scope="module")
def there(place: LocalPipeline) -> Api:
    return Api(build_api(place.recognizer.settings, place))


@pytest.fixture
def choir(place: LocalPipeline, there: Api) -> Iterator[str]:
    """The path of a gallery with Grace in it."""
    path = f"/v1/galleries/{place.recognizer.settings.gallery}"
    assert there("PUT", path).status_code == 200
    assert there("PUT", f"{path}/people/grace", json={"name": "Grace"}).status_code == 201
    assert there("POST", f"{path}/people/grace/photos", content=GRACE).status_code == 200
    yield path
    assert there("DELETE", path).status_code == 200


def faces(there: Api, path: str, photo: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = there("POST", path, content=photo).json()["images"][0]["faces"]
    return rows


def names(there: Api, path: str, photo: bytes) -> list[str]:
    return [face["name"] for face in faces(there, path, photo)]


def test_a_face_whose_person_was_taken_says_by_which_face(there: Api, choir: str) -> None:
    for photo, count in ((MIRROR, 2), (STRIP, 3)):
        rows = faces(there, f"{choir}/identify", photo)
        (named,) = [index for index, row in enumerate(rows) if row["name"] == "Grace"]
        taken = [row for row in rows if row["reasons"]]
        assert len(taken) == count - 1
        for row in taken:
            assert (row["name"], row["person"], row["reasons"], row["taken_by"]) == (
                *(NOT_IN_DATASET, None, ["taken"], named),
            )
            assert row["similarity"] > row["threshold"]
        assert rows[named]["taken_by"] is None


def test_a_stranger_is_not_taken(there: Api, choir: str) -> None:
    stranger = faces(there, f"{choir}/identify", MIRROR)[0]
    assert (stranger["name"], stranger["reasons"], stranger["taken_by"]) == (NOT_IN_DATASET, [], None)


def test_a_person_is_named_as_often_as_seen_if_request_or_gallery_says_so(there: Api, choir: str) -> None:
    once, as_seen = [NOT_IN_DATASET, "Grace", NOT_IN_DATASET], [NOT_IN_DATASET, "Grace", "Grace"]
    assert sorted(names(there, f"{choir}/identify", MIRROR)) == sorted(once)
    assert names(there, f"{choir}/identify?unique=false", MIRROR) == as_seen
    assert there("GET", choir).json()["unique"] is True
    assert there("PATCH", choir, json={"unique": False}).json()["unique"] is False
    assert names(there, f"{choir}/identify", MIRROR) == as_seen
    assert names(there, f"{choir}/identify", STRIP) == ["Grace"] * 3
    assert sorted(names(there, f"{choir}/identify?unique=true", MIRROR)) == sorted(once)
    assert there("PATCH", choir, json={"threshold": 0.5}).json()["unique"] is False


def test_poor_faces_are_counted_too(there: Api, choir: str) -> None:
    """The number of the face that took the name is that of the photo, not of the faces that are good enough."""
    dark = (astronaut() * 0.1).astype(np.uint8)
    photo = encode(beside([dark, hopper(), np.ascontiguousarray(hopper()[:, ::-1])]), "PNG")
    rows = faces(there, f"{choir}/identify?quality=standard", photo)
    assert rows[0]["name"] == "poor_quality"
    (taken,) = [row for row in rows if row["reasons"] == ["taken"]]
    assert rows[taken["taken_by"]]["name"] == "Grace"


def test_client_and_commands(place: LocalPipeline, choir: str, tmp_path: Path) -> None:
    assert choir
    server = LocalServer(place)
    gallery = place.recognizer.settings.gallery
    (tmp_path / "mirror.png").write_bytes(MIRROR)
    photo = str(tmp_path / "mirror.png")
    try:
        with Client(server.url) as client:
            for unique, wanted in ((None, 1), (False, 2)):
                (seen,) = client.identify([MIRROR], gallery, unique=unique)
                assert isinstance(seen, PhotoResult)
                assert isinstance(seen.matched, PhotoMatches)
                matches = seen.matched.matches
                assert len([match for match in matches if match.person_id]) == wanted
                assert not any(match.poor for match in matches)
            assert client.update_gallery(gallery, unique=False).unique is False
            assert client.update_gallery(gallery, unique=True).unique is True

        def run(*words: str) -> str:
            done = CliRunner().invoke(app, [*words, "--server", server.url])
            assert done.exit_code == 0, done.output
            return done.stdout

        assert f"{NOT_IN_DATASET} (taken by face " in run("identify", photo, "--gallery", gallery)
        assert run("identify", photo, "--gallery", gallery, "--no-unique").count("Grace") == 2
        told = json.loads(run("identify", photo, "--gallery", gallery, "--json"))["photos"][0]["faces"]
        assert sorted(row["taken_by"] is None for row in told) == [False, True, True]
        changed = json.loads(run("galleries", gallery, "--no-unique", "--json"))
        assert changed["galleries"][0]["unique"] is False
        assert "not unique" in run("galleries", gallery)
    finally:
        server.stop()
