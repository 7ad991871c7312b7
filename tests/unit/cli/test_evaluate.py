"""`facegroup evaluate` end to end on a few real photos, good and bad; and every wrong input that it says no to."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from facegroup.cli import evaluate
from facegroup.errors import FacegroupError, MalformedRequest, UnknownNetwork
from facegroup.evaluation import detection, lfw_report, openset_data
from facegroup.settings import load
from tests.photos import encode, nobody

TRUTH = {"good.jpg": [{"box": [1, 2, 30, 40], "invalid": 0}]}
GROUP = {"enrol": {"Ada": ["ada.jpg"]}, "photos": {"a.jpg": [{"box": [1, 2, 3, 4], "person": "Ada"}]}}


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(evaluate.app, [str(word) for word in words])


def report(*words: str | Path) -> dict[str, Any]:
    """The report, which must be all that is on standard output."""
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output or done.exception
    read = json.loads(done.stdout)
    assert isinstance(read, dict)
    return read


def bounded(figure: dict[str, Any]) -> None:
    low, high = figure["interval"]
    assert low <= figure["value"] <= high


@pytest.fixture(scope="module")
def people(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three members with four photos, five strangers with one, and everything that can be wrong with a folder."""
    folder = tmp_path_factory.mktemp("people")
    wanted = {4: 3, 1: 5}
    for person in sorted((shared / "faces" / "lfw_deepfunneled").iterdir()):
        photos = sorted(person.glob("*.jpg"))
        if wanted.get(len(photos)):
            wanted[len(photos)] -= 1
            shutil.copytree(person, folder / person.name)
    members = [each for each in sorted(folder.iterdir()) if len(list(each.iterdir())) == 4]
    strangers = [each for each in sorted(folder.iterdir()) if len(list(each.iterdir())) == 1]
    (members[0] / "faceless.jpg").write_bytes(encode(nobody()))
    (members[1] / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    shutil.copy(next(members[2].iterdir()), members[2] / "copy.jpg")
    shutil.copy(next(strangers[0].iterdir()), strangers[1] / "of_another.jpg")
    (folder / "Nobody").mkdir()
    (folder / "loose.txt").write_text("a note")
    for each in folder.rglob("*"):
        each.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.getbasetemp() / "evaluate-cache"
    monkeypatch.setenv("FACEGROUP_CACHE_DIR", str(cache))
    monkeypatch.setenv("FACEGROUP_NETWORK", "retail-0095")
    if "shared" in request.fixturenames:
        monkeypatch.setenv("FACEGROUP_MODEL_DIR", str(request.getfixturevalue("shared") / "models"))


def test_open_set(shared: Path, people: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.html"
    read = report("openset", people, "--splits", "3", "--report", sheet)
    # One of two strangers with the same photo has nothing else, and the other keeps the photo that is only that one's.
    assert read["counts"] == {
        "members": 3, "strangers": 4, "photos": 3 * 4 + 2 + 4, "nonmated_searches": 4,
        "failures_to_acquire": 2, "failures_to_enrol": 0,
    }  # fmt: skip
    assert {Path(each["file"]).name: each["code"] for each in read["failures_to_acquire"]} == {
        "faceless.jpg": "no_face",
        "broken.jpg": "not_an_image",
    }
    left = {heading: len(items) for heading, items in read["left_out"].items()}
    assert left == {
        openset_data.COPIES: 1,
        openset_data.CONTRADICTIONS: 2,
        openset_data.TOO_FEW: 1,
        openset_data.EMPTY: 1,
        openset_data.LOOSE: 1,
    }
    assert set(read["tpir_at_fpir"]) == {"0.001", "0.01", "0.1"}
    for figure in (*read["tpir_at_fpir"].values(), read["rank_1"]):
        bounded(figure)
    # 5 + 5 + 4 photos, 3 of each enrolled: 5 searches, in which a photo without a face may be and is missed then.
    assert 3 / 5 <= read["rank_1"]["value"] < 1
    assert set(read["decisions"]["cosine"]["tpir_at_fpir"]) == {"0.001", "0.01", "0.1"}
    assert "there are 3" in read["decisions"]["cohort"]["refused"]
    alone(sheet)
    assert "faceless.jpg" in sheet.read_text()


def test_small_faces_are_searched_for_beside_the_others(shared: Path, people: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.html"
    words = ("--splits", "2", "--face-height", "30", "--face-height", "50", "--report", sheet)
    read = report("openset", people, *words)
    assert [run["face_height"] for run in read["runs"]] == [None, 30, 50]
    for each in read["runs"]:
        bounded(each["fnir_at_fpir"]["0.003"])
        assert each["counts"] == read["counts"]
    assert "fp32, 30 px" in sheet.read_text()
    alone(sheet)


def test_fnir_is_what_tpir_misses(shared: Path, people: Path) -> None:
    read = report("openset", people, "--splits", "2")
    (fnir,) = read["fnir_at_fpir"].values()
    assert fnir["value"] == pytest.approx(
        1 - read["tpir_at_fpir"]["0.001"]["value"]
    )  # of four strangers none may be named
    assert fnir["threshold"] == read["tpir_at_fpir"]["0.001"]["threshold"]


def test_strangers_of_another_folder(shared: Path, people: Path, tmp_path: Path) -> None:
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    for number, each in enumerate(sorted(people.rglob("*_0001.jpg"))):
        (strangers / f"{number}.jpg").write_bytes(each.read_bytes())
    group = shared / "faces" / "compreface" / "sample_images"
    (strangers / "Somebody").mkdir()
    for name in ("007_B.jpg", "008_B.jpg"):
        shutil.copy(group / name, strangers / "Somebody")
    read = report("openset", people, "--strangers", strangers, "--splits", "2", "--network", "retail-0095")
    assert (read["counts"]["strangers"], read["counts"]["nonmated_searches"]) == (1, 2)
    assert len(read["left_out"][openset_data.CONTRADICTIONS]) >= 6, "a member's photo was taken for a stranger's"
    assert len(read["left_out"][openset_data.TOO_FEW]) >= 4
    assert read["tpir_at_fpir"]["0.01"]["interval"] == [None, None], "one stranger says nothing of others"
    assert read["strangers"] == str(strangers)


def test_lfw(shared: Path, people: Path, tmp_path: Path) -> None:
    names = [each.name for each in sorted(people.iterdir()) if len(list(each.glob("*_000*.jpg"))) == 4]
    a, b, c = names
    lines = [f"{a}\t1\t2", f"{b}\t1\t9", f"{a}\t1\t{b}\t1", f"{b}\t2\t{c}\t1"]
    lines += [f"{c}\t1\t2", f"{b}\t1\t3", f"{c}\t3\t{b}\t2", f"{a}\t3\tAbsent_Person\t1"]
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("\n".join(["2\t2", *lines]))
    sheet = tmp_path / "new" / "sheet.html"
    words = ["--network", "retail-0095", "--precision", "fp32", "--precision", "fp16", "--face-height", "40"]
    full, small = report("lfw", people, pairs, *words, "--report", sheet)["runs"]
    assert (full["face_height"], small["face_height"]) == (None, 40)
    read = report("lfw", people, pairs, *words[:-2], "--report", sheet)
    # The pair with an absent photo of one person is answered "different" and wrong, that of two people and right.
    assert read["accuracy"]["folds"] == [0.75, 1.0]
    assert read["accuracy"]["value"] == 0.875
    assert read["accuracy"]["standard_error"] == 0.125
    bounded(read["accuracy"])
    assert {key: figure["value"] for key, figure in read["tar_at_far"].items()} == {"0.01": 0.75, "0.001": 0.75}
    assert read["counts"] == {"pairs": 8, "photos": 11, "failures_to_acquire": 2}
    assert {each["code"] for each in read["failures_to_acquire"]} == {"absent"}
    (only,) = read["not_run"]
    assert "fp16" in only
    assert len(read["runs"]) == 1
    alone(sheet)
    shown = run("lfw", people, pairs)
    assert "87.50 ± 12.50 %" in shown.stdout
    assert "Absent_Person_0001.jpg (absent)" in shown.stdout


def test_detection(shared: Path, tmp_path: Path) -> None:
    source = shared / "faces" / "wider_face"
    every = json.loads((source / "gt_public.json").read_text())
    some = {name: rows for name, rows in every.items() if 2 <= len(rows) <= 4}
    chosen = dict(list(some.items())[:3])
    chosen["absent.jpg"] = [{"box": [0, 0, 40, 40]}]
    truth, sheet = tmp_path / "truth.json", tmp_path / "sheet.html"
    truth.write_text(json.dumps(chosen))
    read = report("detection", source / "WIDER_val" / "images", truth, "--report", sheet)
    counts = read["counts"]
    assert counts["photos"] == 4
    assert counts["faces"] + counts["ignored"] == sum(map(len, chosen.values()))
    assert read["failures_to_acquire"] == [{"file": "absent.jpg", "code": "absent"}]
    assert read["recall"]["value"] == pytest.approx(counts["right"] / counts["faces"], abs=1e-6)
    assert 0.3 < read["average_precision"]["value"] < 1, "the absent face must count as missed"
    bounded(read["average_precision"])
    ((share, at),) = read["recall_at_precision"].items()
    assert share == "0.946"
    bounded(at)
    assert at["confidence"] >= 0.02
    done = detection.measure(source / "WIDER_val" / "images", detection.read_truth(truth), load(), at=0.1)
    assert at["value"] <= done.recall_at.value < 1
    assert done.outcomes.confidence.min() < 0.8 <= done.answered.confidence.min()
    assert sum(each["faces"] for each in read["by_size"].values()) == counts["faces"]
    alone(sheet)


def alone(sheet: Path) -> None:
    """The page asks nobody for anything, and its references to itself lead somewhere."""
    text = sheet.read_text()
    assert "<svg" in text
    assert not re.search(r"(?i)https?:|//\w|\bsrc\s*=|@import|<link|<script", text)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert {*re.findall(r'href="([^"]*)"', text), *re.findall(r"url\(([^)]*)\)", text)} <= {f"#{each}" for each in ids}


def test_names_are_text_and_no_markup(shared: Path, people: Path, tmp_path: Path) -> None:
    folder, sheet = tmp_path / "[bold]&<b>people", tmp_path / "sheet.html"
    shutil.copytree(people, folder)
    done = run("openset", folder, "--splits", "1", "--report", sheet)
    assert done.exit_code == 0, done.output or done.exception
    assert "[bold]&<b>people" in done.stdout.replace("\n", "")
    assert "<b>people" not in sheet.read_text()
    assert "&amp;&lt;b&gt;people" in sheet.read_text()


WRONG = {
    "lfw pairs absent": ("lfw {dir} {dir}/none.txt", "not a file of pairs"),
    "lfw pairs empty": ("lfw {dir} {dir}/empty", "not a file of pairs"),
    "lfw pairs no text": ("lfw {dir} {dir}/bytes", "not a file of pairs"),
    "lfw pairs one fold": ("lfw {dir} {dir}/one_fold", "at least two folds"),
    "lfw pairs no pair": ("lfw {dir} {dir}/no_pair", "not a file of pairs"),
    "lfw folder absent": ("lfw {dir}/none {dir}/pairs", "not a folder"),
    "openset folder absent": ("openset {dir}/none", "not a folder"),
    "openset nobody": ("openset {dir}", "no folder with photos"),
    "openset strangers absent": ("openset {dir}/people --strangers {dir}/none", "not a folder"),
    "openset strangers none": ("openset {dir}/people --strangers {dir}/hollow", "No photo"),
    "openset face too small": ("openset {dir}/people --face-height 11", "12 to 1000"),
    "lfw face too small": ("lfw {dir} {dir}/pairs --face-height 0", "12 to 1000"),
    "openset groups absent": ("openset {dir}/people --groups {dir}/none.csv", "cannot be read"),
    "openset groups of nobody": ("openset {dir}/people --groups {dir}/groups.csv", "no photos of 'Nobody'"),
    "openset cohort absent": ("openset {dir}/people --cohort {dir}/none", "not a folder"),
    "detection truth absent": ("detection {dir} {dir}/none.json", "not a ground truth"),
    "detection truth no JSON": ("detection {dir} {dir}/empty", "not a ground truth"),
    "detection truth no text": ("detection {dir} {dir}/bytes", "not a ground truth"),
    "detection truth a list": ("detection {dir} {dir}/list.json", "not a ground truth"),
    "detection truth box of three": ("detection {dir} {dir}/three.json", "not a ground truth"),
    "detection truth no face": ("detection {dir} {dir}/faceless.json", "no valid box"),
    "detection folder absent": ("detection {dir}/none {dir}/truth.json", "not a folder"),
    "group truth absent": ("group {dir}/none.json --photos {dir}", "not a ground truth"),
    "group truth a list": ("group {dir}/list.json --photos {dir}", "not a ground truth"),
    "group truth empty": ("group {dir}/nobody.json --photos {dir}", "At least one of each is needed"),
    "group truth unknown person": ("group {dir}/unknown.json --photos {dir}", "Grace"),
    "group truth box of no area": ("group {dir}/flat.json --photos {dir}", "not a ground truth"),
    "group photos absent": ("group {dir}/group.json --photos {dir}/none", "not a folder"),
    "sheet a folder": ("detection {dir} {dir}/truth.json --report {dir}", "is a folder"),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "empty").write_text("")
    (folder / "bytes").write_bytes(b"\xff\xfe\x00\x80")
    (folder / "one_fold").write_text("1\t1\nAda\t1\t2\nAda\t1\tBob\t3\n")
    (folder / "no_pair").write_text("2\t0\n")
    (folder / "groups.csv").write_text("person,group\nAda,children\nNobody,adults\n")
    (folder / "pairs").write_text("2\t1\n" + "Ada\t1\t2\nAda\t1\tBob\t3\n" * 2)
    for name in ("hollow", "people"):
        (folder / name).mkdir()
    (folder / "people" / "Ada").mkdir()
    (folder / "people" / "Ada" / "1.jpg").write_bytes(b"No photo")
    files: dict[str, object] = {
        "list": [1, 2],
        "three": {"a.jpg": [{"box": [1, 2, 3]}]},
        "faceless": {"a.jpg": [{"box": [1, 2, 3, 4], "invalid": 1}, {"box": [1, 2, 0, 4]}]},
        "truth": TRUTH,
        "group": GROUP,
        "nobody": {"enrol": {}, "photos": {}},
        "unknown": {**GROUP, "photos": {"a.jpg": [{"box": [1, 2, 3, 4], "person": "Grace"}]}},
        "flat": {**GROUP, "photos": {"a.jpg": [{"box": [1, 2, 0, 4], "person": "Ada"}]}},
    }
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    # `people` of "openset nobody" is looked for below `hollow` only: a folder that holds one with photos is a person's.
    return folder


@pytest.mark.parametrize("case", WRONG)
def test_what_is_refused(odd: Path, case: str) -> None:
    words, told = WRONG[case]
    folder = odd / "hollow" if case == "openset nobody" else odd
    done = run(*words.format(dir=folder).split())
    assert isinstance(done.exception, MalformedRequest), done.output or done.exception
    assert told in str(done.exception)
    assert not done.stdout


def test_an_unknown_network_is_refused_before_anything_is_done(odd: Path) -> None:
    done = run("lfw", odd, odd / "pairs", "--network", "retail-0096")
    assert isinstance(done.exception, UnknownNetwork)


def test_what_no_network_can_do_is_an_error_and_no_empty_report(people: Path, shared: Path) -> None:
    done = run("openset", people, "--network", "retail-0095", "--precision", "fp16")
    assert isinstance(done.exception, FacegroupError)
    assert done.exception.code == "engine_unavailable"


def test_nobody_to_search_with(shared: Path, odd: Path) -> None:
    done = run("openset", odd / "people", "--enrol", "1")
    assert isinstance(done.exception, MalformedRequest)
    assert "0 people with 2 photos or more" in str(done.exception)


def test_photos_that_all_fail_are_counted(shared: Path, odd: Path) -> None:
    read = report("lfw", odd, odd / "pairs")
    assert read["counts"] == {"pairs": 4, "photos": 3, "failures_to_acquire": 3}
    assert read["accuracy"]["value"] == 0.5
    assert read["tar_at_far"]["0.01"]["value"] == 0


def test_an_interruption_is_one_line(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lfw_report, "embed", interrupted)
    done = run("lfw", odd, odd / "pairs")
    assert done.exit_code == 130
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "continues from there" in line
