"""`facegroup video`, and the copy with boxes: a clip that is made here, and every way in which a file can be bad."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from facegroup.cameras.sightings.journal import NewEvent
from facegroup.cameras.video.annotated_copy import annotate
from facegroup.cameras.video.files import length
from facegroup.cameras.video.viewing import AnalysedFrame, VideoAnalysis, camera
from facegroup.cli import video
from facegroup.errors import MalformedRequest, NoVideo, UnknownGallery
from facegroup.recognizer import Recognizer
from facegroup.settings import Cameras, load
from tests import clips
from tests.photos import astronaut, encode
from tests.unit.cameras.journal.made import sighting, unknown

NAME = "=Eileen <Collins>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def walk(folder: Path) -> Path:
    """Four seconds of somebody who crosses the picture."""
    return clips.video(folder / "walk.mkv", clips.walk(48, face=240), fps=12)


@pytest.fixture(scope="module")
def store(folder: Path) -> str:
    """A store with a gallery that she is in."""
    pytest.importorskip("dlib", reason="needs the extra dlib")
    url = f"sqlite:///{folder / 'g.db'}"
    with Recognizer(load(network="dlib-resnet29", store=url)) as recognizer:
        recognizer.new_gallery("group")
        recognizer.store.create_person("group", NAME, person_id="eileen")
        recognizer.enrol("group", [("e.jpg", encode(astronaut(), quality=95))], "eileen")
    return url


def look(file: Path, store: str, *more: str | Path, gallery: str = "group") -> Result:
    app = typer.Typer()
    video.add_commands(app)
    words = [file, "--gallery", gallery, "--network", "dlib-resnet29", "--store", store, *more]
    return CliRunner().invoke(app, [str(each) for each in words])


def frames(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        assert not container.streams.audio
        return list(container.decode(video=0))


def test_who_appears_is_told_in_every_form(walk: Path, store: str, tmp_path: Path) -> None:
    forms: list[str | Path] = [
        "--csv",
        tmp_path / "a.csv",
        "--vtt",
        tmp_path / "a.vtt",
        "--annotate",
        tmp_path / "a.mp4",
    ]
    done = look(walk, store, "--json", *forms)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["video"] == {"name": "walk.mkv", "seconds": 3.833, "width": 640, "height": 360, "analysed": 20}
    (she,) = told["sightings"]
    assert (she["person_id"], she["name"], she["unknown"]) == ("eileen", NAME, None)
    assert she["first_seen"] <= 0.5
    assert she["last_seen"] >= 3.4
    assert she["frames"] >= 17
    assert she["similarity"] > 0.8
    assert f"'{NAME}" in (tmp_path / "a.csv").read_text()
    assert "=Eileen &lt;Collins&gt;" in (tmp_path / "a.vtt").read_text()
    before, after = frames(walk), frames(tmp_path / "a.mp4")
    assert [round(each.time, 2) for each in after] == [round(each.time, 2) for each in before]
    changed = [
        abs(a.to_ndarray(format="gray").astype(int) - b.to_ndarray(format="gray")).max()
        for a, b in zip(before, after, strict=True)
    ]
    assert min(changed) > 60  # a box is on every frame
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.csv", "a.mp4", "a.vtt"]


def test_a_file_that_breaks_off_is_told_as_far_as_it_goes(walk: Path, store: str, tmp_path: Path) -> None:
    short = tmp_path / "short.mkv"
    short.write_bytes(walk.read_bytes()[: walk.stat().st_size // 2])
    done = look(short, store)
    assert done.exit_code == 1
    assert NAME in done.stdout
    assert "it ends early: only 1." in done.stderr
    assert "source_ended" in done.stderr


def test_a_file_that_is_damaged_in_the_middle_is_told_with_status_1(store: str, tmp_path: Path) -> None:
    path = clips.video(tmp_path / "hurt.mkv", clips.walk(48, face=240), fps=12, g="6")
    done = look(clips.hurt(path, "zeros"), store, "--json")
    assert done.exit_code == 1
    assert NAME in done.stdout
    assert "it is damaged" in done.stderr
    assert "damaged_video" in done.stderr


def test_a_visit_behind_a_pause_is_told_when_it_was(store: str, tmp_path: Path) -> None:
    """Nothing for a minute, as of a camera that records when something moves; and a last picture that stays."""
    stamps = [number / 12 for number in range(4)] + [63 + number / 12 for number in range(43)] + [90]
    shown = [*clips.still(4, clips.room()), *clips.walk(43, face=240), clips.room()]
    path = clips.video(tmp_path / "a b#.mp4", shown, fps=12, stamps=stamps)
    done = look(path, store, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["video"]["seconds"] == pytest.approx(90, abs=0.1)
    (last,) = told["sightings"]
    assert last["name"] == NAME
    assert 63 <= last["first_seen"] < 63.6
    assert 66 < last["last_seen"] < 67


def test_one_picture_now_and_then_is_looked_at_whole(store: str, tmp_path: Path) -> None:
    stamps = [15.0 * number for number in range(29)]
    path = clips.video(tmp_path / "lapse.mkv", clips.walk(29), fps=12, stamps=stamps)
    done = look(path, store, "--json")
    assert done.exit_code == 0, done.output
    about = json.loads(done.stdout)["video"]
    assert (about["analysed"], about["seconds"]) == (29, pytest.approx(420, abs=0.1))


def test_an_empty_room_is_nobody(store: str, tmp_path: Path) -> None:
    done = look(clips.video(tmp_path / "room.mp4", clips.still(12, clips.room()), fps=6), store)
    assert (done.exit_code, done.stdout) == (0, "nobody\n")


def test_what_is_no_video_is_refused_soon(store: str, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    done = look(tmp_path / "text.mp4", store, "--annotate", tmp_path / "a.mp4")
    assert isinstance(done.exception, NoVideo)
    assert not (tmp_path / "a.mp4").exists()


def test_a_gallery_must_be_there(walk: Path, store: str) -> None:
    assert isinstance(look(walk, store, gallery="nope").exception, UnknownGallery)


@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("none.mp4", []),
        (".", []),
        ("walk.mkv", ["--csv", "none/a.csv"]),
        ("walk.mkv", ["--vtt", "."]),
        ("walk.mkv", ["--annotate", "walk.mkv"]),
    ],
)
def test_paths_are_checked_before_anything_runs(walk: Path, folder: Path, file: str, more: list[str]) -> None:
    done = look(folder / file, "sqlite:////none/g.db", *more[:1], *(str(folder / each) for each in more[1:]))
    assert isinstance(done.exception, MalformedRequest)


def seen(path: Path, *looks: AnalysedFrame) -> Any:
    with VideoAnalysis(camera(path, "g", 5, 2, 2, None), "net", 0.5, Cameras()) as viewing:
        viewing.frames += looks
        viewing.names[0] = "Ada"
    return viewing


def test_faces_are_not_plain_on_the_disk(tmp_path: Path) -> None:
    with VideoAnalysis(camera(tmp_path / "v.mp4", "g", 5, 2, 2, None), "net", 0.5, Cameras()) as viewing:
        one = sighting()
        viewing._journal.record([NewEvent("began", one, b"a face, as JPEG", unknown(1))])
        assert viewing._journal.crop(one.id) == b"a face, as JPEG"
        kept = [path.read_bytes() for path in Path(viewing._folder.name).iterdir()]
        assert kept
        assert not any(b"a face, as JPEG" in data for data in kept)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_copy_is_upright(tmp_path: Path, degrees: int) -> None:
    made = clips.video(tmp_path / "v.mp4", [clips.room((320, 180))] * 3, fps=10)
    clips.turn(made, degrees)
    size = (320, 180) if degrees % 180 == 0 else (180, 320)
    annotate(made, seen(made, AnalysedFrame(0.1, *size, ((0, (60.0, 60.0, 100.0, 100.0)),))), tmp_path / "a.mp4")
    first, second, third = (each.to_ndarray(format="rgb24").astype(int) for each in frames(tmp_path / "a.mp4"))
    assert first.shape == (size[1], size[0], 3)
    for later in (second, third):
        rows, columns = np.nonzero(abs(later - first).max(2) > 60)
        assert 55 <= columns.min() <= 62
        assert 98 <= rows.max() <= 104


def test_a_copy_that_cannot_be_written_is_not_there(tmp_path: Path) -> None:
    made = clips.video(tmp_path / "v.mp4", [clips.room((320, 180))] * 3, fps=10)
    (tmp_path / "old.txt").write_text("kept")
    with pytest.raises(NoVideo, match="copy"):
        annotate(made, seen(made), tmp_path / "old.txt")
    assert (tmp_path / "old.txt").read_text() == "kept"


def test_length(tmp_path: Path, walk: Path) -> None:
    assert length(walk) == pytest.approx(4, abs=0.1)
    assert length(clips.video(tmp_path / "v.mp4", [clips.room((320, 180))] * 5, fps=10)) == pytest.approx(0.5, abs=0.11)
    (tmp_path / "text.mp4").write_text("no video")
    assert length(tmp_path / "text.mp4") is None
