"""The command line as a user has it: on this machine's store, and the same commands through a server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image as pillow
from typer.testing import CliRunner, Result

from serve.commands import main, program
from serve.demo_photos import own, packaged
from tests.photos import astronaut, both, encode, hopper, nobody, resized

app = program()

PEOPLE = {"Hopper": hopper, "曾宏鈞": astronaut}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per person to enrol, and photos to identify beside it."""
    root = tmp_path_factory.mktemp("photos")
    for name, photo in PEOPLE.items():
        folder = root / "people" / name
        folder.mkdir(parents=True)
        (folder / "one.jpg").write_bytes(encode(photo()))
        (folder / "two.png").write_bytes(encode(resized(photo(), 400), "PNG"))
    (root / "people" / "Hopper" / "group.jpg").write_bytes(encode(both()))
    (root / "people" / ".hidden").mkdir()
    probes = {
        "both.jpg": encode(both()),
        "nobody.jpg": encode(nobody()),
        "broken.jpg": encode(hopper())[:2000],
        "hopper.webp": encode(resized(hopper(), 300), "WEBP"),
    }
    for file, data in probes.items():
        (root / file).write_bytes(data)
    return root


@pytest.fixture(scope="module", params=["here", "server"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Options that say where the gallery is."""
    pytest.importorskip("dlib", reason="needs the extra dlib")
    store = f"sqlite:///{tmp_path_factory.mktemp('cli') / 'gallery.db'}"
    if request.param == "here":
        yield ["--store", store, "--network", "dlib-resnet29"]
        return
    from facegroup.settings import load
    from tests.local_pipeline import LocalPipeline
    from tests.local_server import LocalServer

    pipeline = LocalPipeline(load(network="dlib-resnet29", store=store))
    server = LocalServer(pipeline)
    yield ["--server", server.url]
    server.stop()
    pipeline.close()


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def enrolled(place: list[str], photos: Path) -> list[str]:
    done = run("enroll", photos / "people", *place)
    assert done.exit_code == 1, done.output  # one photo was refused
    assert "Hopper: 2 enrolled" in done.stdout
    assert "曾宏鈞: 2 enrolled" in done.stdout
    assert "group.jpg: 2 faces were found" in done.stdout
    assert "(multiple_faces)" in done.stdout
    assert "hidden" not in done.stdout
    return place


def test_identify_prints_what_the_course_work_prints(enrolled: list[str], photos: Path) -> None:
    files = [photos / name for name in ("both.jpg", "nobody.jpg", "hopper.webp")]
    done = run("identify", *files, *enrolled)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"===== {files[0]} =====",
        "Hopper",
        "曾宏鈞",
        f"===== {files[1]} =====",
        "no face found",
        f"===== {files[2]} =====",
        "Hopper",
    ]


def test_a_broken_photo_is_said_and_counted_in_the_status(enrolled: list[str], photos: Path) -> None:
    done = run("identify", photos / "broken.jpg", photos / "both.jpg", *enrolled)
    assert done.exit_code == 1
    assert "(truncated_image)" in done.stdout
    assert done.stdout.splitlines()[-2:] == ["Hopper", "曾宏鈞"]


def test_a_stranger_is_one_above_a_high_threshold(enrolled: list[str], photos: Path) -> None:
    done = run("identify", photos / "hopper.webp", "--threshold", "0.9999", *enrolled)
    assert done.stdout.splitlines()[1:] == ["not in the dataset"]


def test_json_is_one_document_alone(enrolled: list[str], photos: Path) -> None:
    answer = json.loads(run("identify", photos / "both.jpg", photos / "broken.jpg", "--json", *enrolled).stdout)
    faces = answer["photos"][0]["faces"]
    assert [face["name"] for face in faces] == list(PEOPLE)
    assert all(face["similarity"] > face["threshold"] for face in faces)
    assert answer["photos"][1]["error"]["code"] == "truncated_image"
    people = json.loads(run("people", "--json", *enrolled).stdout)["people"]
    assert {row["name"]: row["photos"] for row in people} == dict.fromkeys(PEOPLE, 2)


def test_pictures_are_drawn(enrolled: list[str], photos: Path, tmp_path: Path) -> None:
    run("identify", photos / "both.jpg", "--boxes", tmp_path / "boxes", *enrolled)
    (drawn,) = (tmp_path / "boxes").iterdir()
    with pillow.open(drawn) as picture, pillow.open(photos / "both.jpg") as photo:
        assert picture.size == photo.size
    assert run("people", "--sheet", tmp_path / "sheet.png", *enrolled).exit_code == 0
    with pillow.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height > 2 * 100


def test_verify_two_photos_or_a_photo_and_a_person(enrolled: list[str], photos: Path) -> None:
    one, two = photos / "people/Hopper/one.jpg", photos / "people/曾宏鈞/one.jpg"
    same = run("verify", one, photos / "hopper.webp", *enrolled)
    assert (same.exit_code, same.stdout.splitlines()[0]) == (0, "same person")
    other = run("verify", one, two, *enrolled)
    assert (other.exit_code, other.stdout.splitlines()[0]) == (1, "not the same person")
    people = json.loads(run("people", "--json", *enrolled).stdout)["people"]
    ids = {row["name"]: row["id"] for row in people}
    assert run("verify", two, "--person", ids["曾宏鈞"], *enrolled).exit_code == 0
    assert run("verify", two, "--person", ids["Hopper"], *enrolled).exit_code == 1


def test_people_are_renamed_and_erased(enrolled: list[str], photos: Path) -> None:
    assert run("enroll", photos / "hopper.webp", "--name", "Guest", *enrolled).exit_code == 0
    ids = {row["name"]: row["id"] for row in json.loads(run("people", "--json", *enrolled).stdout)["people"]}
    assert "Visitor" in run("people", "--rename", ids["Guest"], "Visitor", *enrolled).stdout
    erased = run("people", "--erase", ids["Guest"], *enrolled)
    assert "erased" in erased.stderr
    assert "Visitor" not in erased.stdout


def test_a_photo_of_somebody_else_is_warned_of_or_refused(enrolled: list[str], photos: Path) -> None:
    wrong: list[str | Path] = [photos / "hopper.webp", "--name", "Guest"]
    refused = run("enroll", *wrong, "--strict", *enrolled)
    assert refused.exit_code == 1
    assert "Guest: 0 enrolled" in refused.stdout
    assert "refused" in refused.stdout
    assert "looks like Hopper" in refused.stdout
    assert "(looks_like)" in refused.stdout
    warned = run("enroll", *wrong, *enrolled)
    assert warned.exit_code == 0
    assert "Guest: 1 enrolled" in warned.stdout
    assert f"warning {photos / 'hopper.webp'}: the photo looks like Hopper" in warned.stdout
    people = json.loads(run("people", "--json", *enrolled).stdout)["people"]
    ids = {row["name"]: row["id"] for row in people}
    assert run("people", "--erase", ids["Guest"], *enrolled).exit_code == 0
    (row,) = json.loads(run("enroll", *wrong, "--json", *enrolled).stdout)["people"]
    assert [(each["photo"], each["code"]) for each in row["warnings"]] == [(str(photos / "hopper.webp"), "looks_like")]
    assert run("people", "--erase", row["person_id"], *enrolled).exit_code == 0


def test_models_lists_every_network() -> None:
    rows = json.loads(run("models", "--json").stdout)["models"]
    assert {"vggface2-resnet50", "retail-0095", "dlib-resnet29"} <= {row["name"] for row in rows}
    assert run("models").exit_code == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["identify", "absent.jpg"], 2, "absent.jpg does not exist"),
        (["enroll", "absent"], 2, "is not a folder"),
        (["verify", __file__], 2, "two photos"),
        (["identify", __file__, "--network", "nonsense"], 2, "nonsense"),
        (["identify", __file__, "--store", "mysql://x"], 2, "store_invalid"),
        (["people", "--server", "http://127.0.0.1:9"], 2, "no server answers"),
        (["people", "--server", "127.0.0.1:9"], 2, "not an address of a server"),
        (["camera", "ls", "--server", "http://127.0.0.1:9"], 2, "no server answers"),
        (["galleries", "absent"], 2, "unknown_gallery"),
        (["calibrate", "absent"], 2, "unknown_gallery"),
        (["verify", __file__, __file__], 2, "not_an_image"),
        (["feedback", "absent.jpg", "--not", "ada"], 2, "absent.jpg does not exist"),
        (["enroll", __file__], 2, "is not a folder"),
        (["enroll", __file__, "--name", "x", "--face", "left"], 2, "--face takes the number of a face"),
        (["verify", __file__, __file__, "--other-face", "-1"], 2, "--other-face takes the number"),
        (["enroll", "x", "--flat", "--depth", "2"], 2, "contradict each other; use one of them"),
        (["evaluate", "openset", "absent"], 2, "is not a folder"),
        (["export", "absent", "x.zip"], 2, "unknown_gallery"),
        (["video", "absent.mp4"], 2, "is not a file"),
        (["serve", "--network", "vggface2-senet50"], 2, "rcmalli_vggface_tf_notop_senet50.h5"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_known_error_is_one_line_and_a_status(words: list[str], status: int, said: str, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FACEGROUP_")}
    environment = clean | {"FACEGROUP_CACHE_DIR": str(tmp_path), "FACEGROUP_STORE": f"sqlite:///{tmp_path}/g.db"}
    program = Path(sys.executable).with_name("facegroup")
    if "--network" not in words:
        environment["FACEGROUP_NETWORK"] = "dlib-resnet29"
    done = subprocess.run([program, *words], capture_output=True, text=True, env=environment, check=False, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("facegroup: ")
    assert said in last
    assert "Traceback" not in done.stderr


def test_an_error_that_nobody_foresaw_is_no_negative_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr("serve.commands.program", lambda **_: fails)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "not foreseen" in capsys.readouterr().err


def test_the_demo_keeps_photos_back_and_knows_the_truth(tmp_path: Path) -> None:
    for name, count in (("Ada", 5), ("Bob", 1)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{number}.jpg").write_bytes(name.encode() + bytes([number]))
    (tmp_path / "party.jpg").write_bytes(b"party")
    (group,) = own(tmp_path)
    assert {name: len(files) for name, files in group.people.items()} == {"Ada": 4, "Bob": 1}
    assert [(Path(file).name, truth) for file, _, truth in group.probes] == [("3.jpg", "Ada"), ("party.jpg", "")]


def test_the_demos_own_photos_show_one_person_each() -> None:
    groups = packaged()
    assert [list(group.people) for group in groups] == [["Grace Hopper"], ["Eileen Collins"]]
    for group in groups:
        (known,) = group.people
        enrolled = {data for _, data in group.people[known]}
        assert {truth for _, _, truth in group.probes} == {known, None}
        assert not enrolled & {data for _, data, _ in group.probes}, "it would be asked about a photo that it has"
