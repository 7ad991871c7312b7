"""Folders as people keep them, on this machine's store and through a server: the run goes on, and what is not done is told.

The server takes small requests only, and says 429 to every third, so that whatever goes through is cut and asked again.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegroup.client import Client
from facegroup.errors import StageUnavailable
from facegroup.settings import load
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import astronaut, beside, both, encode, hopper, resized
from tests.serve.test_cli import run

LIMITS = {"body_bytes": 400_000, "image_bytes": 300_000, "images": 5}


class Busy(LocalPipeline):
    """A pipeline that has no room for every third request."""

    asked = 0

    def has_room(self, count: int, size: int = 0) -> bool:
        self.asked += 1
        return self.asked % 3 != 1


@pytest.fixture(params=["here", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Options that say where the gallery is."""
    pytest.importorskip("dlib", reason="needs the extra dlib")
    store = f"sqlite:///{tmp_path / 'gallery.db'}"
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    if request.param == "here":
        monkeypatch.setenv("FACEGROUP_LIMITS__IMAGE_BYTES", str(LIMITS["image_bytes"]))
        yield ["--store", store, "--network", "dlib-resnet29"]
        return
    pipeline = Busy(load(network="dlib-resnet29", store=store, limits=LIMITS))
    server = LocalServer(pipeline)
    yield ["--server", server.url]
    server.stop()
    pipeline.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "photos"
    found.mkdir()
    return found


def write(folder: Path, **photos: Any) -> None:
    for name, data in photos.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def enrolled(*words: Any) -> tuple[int, Any]:
    done = run("enroll", *words, "--json")
    return done.exit_code, json.loads(done.stdout)


def people(place: list[str]) -> dict[str, int]:
    return {row["name"]: row["photos"] for row in json.loads(run("people", "--json", *place).stdout)["people"]}


def test_many_photos_of_any_size(place: list[str], folder: Path) -> None:
    (folder / "Grace").mkdir()
    for number in range(12):
        photo = encode(hopper(), "PNG") if number == 5 else encode(hopper(), quality=70 + number)
        (folder / "Grace" / f"{number:02}.jpg").write_bytes(photo)
    status, answer = enrolled(folder, *place)
    (row,) = answer["people"]
    assert (status, row["added"], answer["counts"]["refused"]) == (1, 11, 1)
    (refused,) = row["refused"]
    assert refused["photo"].endswith("05.jpg")
    assert refused["code"] in ("image_too_large", "body_too_large")
    done = run("identify", folder, "--json", *place)
    rows = json.loads(done.stdout)["photos"]
    assert (done.exit_code, len(rows)) == (1, 12)
    assert [face["name"] for each in rows for face in each.get("faces", ())] == ["Grace"] * 11
    alone = run("identify", folder / "Grace" / "05.jpg", "--json", *place)
    assert (alone.exit_code, json.loads(alone.stdout)["photos"][0]["error"]["code"]) == (1, refused["code"])


def test_nobody_is_left_empty(place: list[str], folder: Path) -> None:
    write(folder, Grace__1_jpg=encode(hopper(), "PNG"), Eileen__1_jpg=b"no photo", Twin__1_jpg=b"")
    status, answer = enrolled(folder, *place)
    assert status == 1
    assert answer["counts"] == {
        "people": 0,
        "enrolled": 0,
        "known": 0,
        "refused": 3,
        "failed": 0,
        "not_tried": 0,
        "skipped": 0,
    }
    assert people(place) == {}


def test_one_error_does_not_end_the_run(place: list[str], folder: Path, tmp_path: Path) -> None:
    grace = encode(hopper())
    write(folder, Grace__1_jpg=grace, Zoe__1_jpg=encode(astronaut()), team__Joe__1_jpg=grace, loose_jpg=grace)
    write(folder, Only__1_jxl=b"\xff\x0a" + bytes(99), Text__notes_txt=b"text", Grace__Thumbs_db=b"text")
    (folder / "Grace" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (folder / "not in the dataset").mkdir()
    (folder / "not in the dataset" / "1.jpg").write_bytes(grace)
    done = run("enroll", folder, *place)
    assert done.exit_code == 1, done.output
    assert "Grace: 1 enrolled" in done.stdout
    assert "Zoe: 1 enrolled" in done.stdout
    for said in (
        *("not enrolled: not in the dataset: the name of the person is reserved", "not enrolled: Text: "),
        *(
            "not enrolled: team: Photos are in folders below",
            "refused: ",
            "(unsupported_format)",
            "gone.jpg cannot be read",
        ),
        *(
            "loose.jpg: The file is not in a person's folder",
            "Thumbs.db: ",
            "2 new photos enrolled, 0 known already, of 2 people; 2 photos refused, 3 people not enrolled",
            "3 files skipped",
        ),
    ):
        assert said in done.stderr
    status, answer = enrolled(folder, *place)
    assert status == 1
    rows = {row["name"]: row for row in answer["people"]}
    assert {name for name, row in rows.items() if row["error"]} == {"Text", "team", "not in the dataset"}
    assert {Path(each["path"]).name for each in answer["skipped"]} == {"loose.jpg", "notes.txt", "Thumbs.db"}
    assert [each["code"] for each in rows["Only"]["refused"]] == ["unsupported_format"]
    assert people(place) == {"Grace": 1, "Zoe": 1}


def test_layouts(place: list[str], folder: Path) -> None:
    write(folder, team__Grace__1_jpg=encode(hopper()), team__Zoe__1_png=encode(astronaut(), "PNG")[:99])
    assert enrolled(folder, "--depth", "2", *place)[0] == 1
    assert people(place) == {"Grace": 1}
    flat = folder.parent / "flat"
    write(flat, Eileen_jpg=encode(astronaut()), notes_txt=b"text")
    status, answer = enrolled(flat, "--flat", *place)
    assert (status, answer["counts"]["skipped"]) == (0, 1)
    assert people(place) == {"Grace": 1, "Eileen": 1}


def test_who_share_a_name_are_enrolled_by_id(place: list[str], folder: Path) -> None:
    from facegroup.store import open_store

    write(folder, Twin__1_jpg=encode(hopper()), Zoe__1_jpg=encode(astronaut()))
    run("enroll", folder / "Zoe" / "1.jpg", "--name", "Zoe", *place)
    where = Client(place[1]) if place[0] == "--server" else open_store(place[1])
    for key in ("a", "b"):
        where.create_person("default", "Twin", None, key)
    where.close()
    status, answer = enrolled(folder, *place)
    twin = answer["people"][0]
    assert (status, twin["added"]) == (1, 0)
    assert "--person ID: a, b" in twin["error"]["detail"]
    status, answer = enrolled(folder / "Twin", "--person", "b", *place)
    assert (status, answer["people"][0]["person_id"], answer["people"][0]["added"]) == (0, "b", 1)
    assert run("enroll", folder / "Twin", "--person", "nobody", *place).exit_code != 0


def test_the_largest_face(place: list[str], folder: Path) -> None:
    crowd = encode(beside([resized(hopper(), 100), astronaut()]), quality=95)
    write(folder, Eileen__1_jpg=crowd, Eileen__2_jpg=encode(both()))
    done = run("enroll", folder, *place)
    assert (done.exit_code, "Eileen: 1 enrolled" in done.stdout) == (1, True), done.output
    assert "1.jpg shows 2 faces: the largest was taken (face 1)" in done.stdout
    assert "(multiple_faces)" in done.stderr
    assert enrolled(folder / "Eileen" / "2.jpg", "--name", "Grace", "--largest", *place)[0] == 0
    assert enrolled(folder / "Eileen" / "2.jpg", "--name", "Eileen", "--face", "1", *place)[0] == 0
    assert people(place) == {"Eileen": 2, "Grace": 1}
    photos = (folder / "Eileen" / "1.jpg", folder / "Eileen" / "2.jpg")
    assert run("verify", *photos, "--face", "largest", "--other-face", "1", *place).exit_code == 0
    assert run("verify", *photos, "--face", "dominant", "--other-face", "largest", *place).exit_code == 1
    assert run("enroll", folder, "--largest", "--face", "1", *place).exit_code != 0
    assert run("enroll", folder, "--flat", "--name", "x", *place).exit_code != 0


def test_the_server_is_lost_in_the_middle(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    write(folder, Ada__1_jpg=encode(hopper()), Bea__1_jpg=encode(astronaut()), Cea__1_jpg=encode(astronaut()))
    pipeline = LocalPipeline(load(network="dlib-resnet29", store=f"sqlite:///{tmp_path / 'g.db'}"))
    server = LocalServer(pipeline)
    see = pipeline.see
    asked = 0

    async def lost(photos: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise StageUnavailable("gone", 100)
        return await see(photos)

    pipeline.see = lost  # type: ignore[method-assign]
    try:
        status, answer = enrolled(folder, "--server", server.url)
        assert status == 2
        assert [row["added"] for row in answer["people"]] == [1, 0]
        assert (answer["not_tried"], answer["error"]["code"]) == (["Cea"], "stage_unavailable")
        assert people(["--server", server.url]) == {"Ada": 1}
    finally:
        server.stop()
        pipeline.close()


@pytest.mark.parametrize(("error", "status"), [(StageUnavailable("gone"), 2), (KeyboardInterrupt(), 130)])
def test_feedback_that_ends_early_tells_what_it_kept(
    error: BaseException, status: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    write(folder, Ada__1_jpg=encode(hopper()), **{f"Eileen__{n:02}_jpg": encode(astronaut()) for n in range(40)})
    pipeline = LocalPipeline(load(network="dlib-resnet29", store=f"sqlite:///{tmp_path / 'g.db'}"))
    server = LocalServer(pipeline)
    place = ["--server", server.url]
    correct = Client.correct
    asked = 0

    def lost(*given: Any, **named: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise error
        return correct(*given, **named)

    try:
        assert enrolled(folder / "Ada" / "1.jpg", "--name", "Ada", *place)[0] == 0
        ada = json.loads(run("people", "--json", *place).stdout)["people"][0]["id"]
        monkeypatch.setattr(Client, "correct", lost)
        done = run("feedback", folder / "Eileen", "--not", ada, "--json", *place)
        answer = json.loads(done.stdout)
        assert (done.exit_code, answer["kept"] + answer["not_done"]) == (status, 40)
        assert 0 < answer["kept"] < 40
        assert (answer["error"] is None, answer["interrupted"]) == (status == 130, status == 130)
    finally:
        server.stop()
        pipeline.close()


def test_what_cannot_be_read_is_not_done(place: list[str], folder: Path) -> None:
    write(folder, Hopper__1_jpg=encode(hopper()), team__Grace__1_jpg=encode(hopper()), Bob__1_jpg=encode(astronaut()))
    (folder / "Hopper" / "gone").symlink_to(folder / "nowhere")
    status, answer = enrolled(folder / "Hopper", "--name", "Grace", *place)
    assert (status, answer["counts"]["enrolled"], answer["skipped"][0]["why"]) == (1, 1, "unreadable")
    assert run("identify", folder / "Hopper", *place).exit_code == 1
    assert run("identify", folder / "Hopper" / "1.jpg", *place).exit_code == 0
    (folder / "Hopper" / "gone").unlink()
    status, answer = enrolled(folder, "--depth", "2", *place)
    assert (status, answer["counts"]["known"], answer["counts"]["failed"]) == (1, 1, 2)
    assert {row["name"] for row in answer["people"] if row["error"]} == {"Bob", "Hopper"}
