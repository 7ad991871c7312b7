"""What `facegroup camera` and `facegroup video` say on a terminal."""

import io
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image as pillow
from typer.testing import CliRunner, Result

from facegroup.cameras.sources.reader import look
from facegroup.cameras.types import Camera
from facegroup.cli import cameras, video
from facegroup.settings import Cameras
from tests import clips, photos

FRAMES = dict.fromkeys(("received", "skipped", "still", "analysed", "late", "damaged", "opened"), 0)
SOURCE = "rtsp://192.168.1.20:554/Streaming/Channels/102"


def run(*words: str) -> Result:
    app = typer.Typer()
    cameras.add_commands(app)
    video.add_commands(app)
    return CliRunner().invoke(app, list(words))


def camera(ident: str, **status: Any) -> dict[str, Any]:
    known = {"state": "live", "reason": None, "width": 640, "height": 360, "source_fps": 25.0, "faces": 0}
    return {"id": ident, "source": SOURCE, "status": known | {"frames": FRAMES, "answered_ms": None} | status}


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_ids_are_whole_however_narrow_it_is(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    ids = ["a" * 64, "front-door-of-the-house-on-the-left", "b"]
    failed = camera(ids[2], state="failed", reason="source_unreachable", width=0, source_fps=0.0)
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(cameras, "call", lambda *_: {"cameras": [camera(ids[0]), camera(ids[1]), failed]})
    lines = run("camera", "ls").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ids
    assert all(SOURCE in line for line in lines[1:])
    assert "failed (source_unreachable)" in lines[3]
    assert "0×" not in lines[3]


def test_what_is_not_known_is_not_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of one frame there is no rate; what has no reason is no failure."""
    monkeypatch.setenv("FACEGROUP_CAMERAS__FOLDER", str(tmp_path))
    clips.video(tmp_path / "walk.mp4", clips.walk(10), fps=10)
    seen = run("camera", "test", f"file://{tmp_path}/walk.mp4")
    assert (seen.exit_code, seen.stdout) == (0, "live: 640×360\n")
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "a.jpg").write_bytes(photos.encode(photos.astronaut()))
    silent = run("camera", "test", f"file://{tmp_path}", "--seconds", "1")
    assert silent.exit_code == 1
    assert silent.stdout == (
        "live: no frame came: 1 pictures and 1 other files in the folder and below it; it waits for new ones\n"
    )
    broken = run("camera", "test", f"file://{tmp_path}/day/a.jpg")
    assert broken.exit_code == 1
    assert "is a picture, not a video" in broken.stdout
    assert broken.stdout.endswith("(not_a_video)\n")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF"])
def test_a_picture_is_no_video(tmp_path: Path, kind: str) -> None:
    data = io.BytesIO()
    pillow.fromarray(photos.resized(photos.astronaut(), 128)).save(data, kind)
    path = tmp_path / "photo"
    path.write_bytes(data.getvalue())
    status, _ = look(Camera("a", f"file://{path}", "g"), Cameras(folder=tmp_path), 20)
    assert status.reason == "not_a_video"
    assert "picture" in str(status.detail)
    assert "Error" not in str(status.detail)
