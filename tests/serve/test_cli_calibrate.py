"""`facegroup calibrate`, on this machine's store and through a server: one gallery, one threshold, the same words."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from facegroup.settings import load
from facegroup.store import open_store
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import both, encode, hopper
from tests.serve.test_cli import run
from tests.unit.gallery.people_at_random import enrol, middles, photos


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    address = f"sqlite:///{tmp_path_factory.mktemp('calibrate') / 'gallery.db'}"
    with closing(open_store(address)) as place:
        enrol(place, photos(middles(40, 0), 8, 1))
    return address


@pytest.fixture(scope="module")
def places(store: str) -> Iterator[list[list[str]]]:
    """Options that say where the gallery is: the store itself, and a server on it."""
    pytest.importorskip("dlib", reason="needs the extra dlib")
    pipeline = LocalPipeline(load(network="dlib-resnet29", store=store))
    server = LocalServer(pipeline)
    yield [["--store", store], ["--server", server.url]]
    server.stop()
    pipeline.close()


def test_both_ways_find_the_same_threshold(places: list[list[str]]) -> None:
    answers = [json.loads(run("calibrate", "group", "--fpir", "0.05", "--json", *place).stdout) for place in places]
    assert all(answer["applied"] for answer in answers)
    first, second = (answer["calibration"] for answer in answers)
    assert {**first, "at": 0} == {**second, "at": 0}
    assert answers[1]["threshold_before"] == first["threshold"]
    assert answers[0]["closest"] == [
        {**each, "like": {**each["like"], "similarity": pytest.approx(each["like"]["similarity"], abs=1e-5)}}
        for each in answers[1]["closest"]
    ]


def test_what_is_said(places: list[list[str]]) -> None:
    for place in places:
        done = run("calibrate", "group", "--fpir", "0.05", "--dry-run", *place)
        assert done.exit_code == 0, done.output
        assert "would be set" in done.stdout
        assert "5.00% of strangers get a name (95 % CI " in done.stdout
        assert "measured on 320 photos of members" in done.stdout
        assert "100.0% of members' photos get the right name" in done.stdout


def test_strangers_are_a_folder(places: list[list[str]], tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"s{number}").mkdir()
        (tmp_path / f"s{number}" / "photo.jpg").write_bytes(encode(both()))
    (tmp_path / "broken.jpg").write_bytes(encode(hopper())[:2000])
    for place in places:
        done = run("calibrate", "group", "--fpir", "0.5", "--strangers", tmp_path, "--dry-run", "--json", *place)
        assert done.exit_code == 0, done.output
        answer = json.loads(done.stdout)
        assert (answer["searches"], answer["calibration"]["strangers"]) == (8, 8)
        assert [(Path(row["photo"]).name, row["code"]) for row in answer["refused"]] == [
            ("broken.jpg", "truncated_image")
        ]


def test_too_few_are_refused(places: list[list[str]]) -> None:
    for place in places:
        done = run("calibrate", "group", "--fpir", "0.001", *place)
        assert done.exit_code == 1
        assert "3000 photos" in str(done.exception)


def test_an_old_calibration_is_told(places: list[list[str]], store: str) -> None:
    run("calibrate", "group", "--fpir", "0.05", *places[0])
    with closing(open_store(store)) as place:
        place.update_gallery("group", threshold=0.5)
    for where in places:
        shown = run("people", "--gallery", "group", "--network", "dlib-resnet29", *where)
        assert "threshold_changed" in shown.stderr, shown.output


def test_which_face_of_each_photo_is_verified(places: list[list[str]], tmp_path: Path) -> None:
    one, group = tmp_path / "one.jpg", tmp_path / "group.jpg"
    one.write_bytes(encode(hopper()))
    group.write_bytes(encode(both()))
    for place in places:
        options = [*place, "--network", "dlib-resnet29"]
        same = run("verify", one, group, "--other-face", "0", "--json", *options)
        assert (same.exit_code, json.loads(same.stdout)["same"]) == (0, True), same.output
        assert len(json.loads(same.stdout)["boxes"]) == 2
        assert run("verify", group, one, "--face", "1", *options).exit_code == 1
        assert run("verify", one, "--person", "p1", "--other-face", "1", *options).exit_code == 1
