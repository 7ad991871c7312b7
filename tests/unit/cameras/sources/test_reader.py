"""Files: every frame that is due, at the files' own pace or not; and whatever else somebody may call a video."""

import os
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facegroup.cameras.sources.reader import CameraReader, look
from facegroup.cameras.types import Camera
from facegroup.settings import Cameras
from tests import clips
from tests.unit.cameras.watching import everything, until, watching


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    clips.video(folder / "walk.mp4", clips.walk(50), bf="2", tune="film")
    return folder


def there(folder: Path) -> Cameras:
    return Cameras(folder=folder)


def test_every_frame_of_a_file_that_is_due_in_order(folder: Path) -> None:
    with watching(f"file://{folder}/walk.mp4", there(folder), realtime=False) as reader:
        frames = everything(reader)
        status = reader.status()
    assert [frame.position for frame in frames] == pytest.approx([number / 5 for number in range(10)], abs=1e-3)
    assert (status.state, status.reason) == ("ended", "source_ended")
    assert (status.width, status.height) == (640, 360)
    counts = status.counts
    assert (counts.received, counts.analysed, counts.late, counts.opened) == (50, 10, 0, 1)
    assert all(frame.data.startswith(b"\xff\xd8") for frame in frames)


def test_a_file_waits_for_whoever_takes_its_frames(folder: Path) -> None:
    with watching(f"file://{folder}/walk.mp4", there(folder), realtime=False, fps=25, stall_seconds=0.1) as reader:
        assert reader.next(10) is not None
        time.sleep(0.5)  # a slow taker is no stalled camera
        assert reader.status().state == "live"
        assert reader.status().counts.received < 10
        assert len(everything(reader)) == 49


def test_a_file_at_its_own_pace_never_queues(folder: Path) -> None:
    with watching(f"file://{folder}/walk.mp4", there(folder), fps=25) as reader:
        first = reader.next(10)
        time.sleep(0.7)
        second = reader.next(10)
        counts = reader.status().counts
        status, _ = until(reader, lambda status, _: status.state == "ended")
    assert first is not None
    assert second is not None
    assert 0.3 < second.position - first.position < 1.7
    assert counts.late > 5
    assert status.counts.received == 50
    assert second.at - first.at == pytest.approx(second.position - first.position, abs=0.5)


def test_nothing_moves(folder: Path) -> None:
    clips.video(folder / "still.mp4", clips.still(20, clips.room()), fps=2)
    with watching(f"file://{folder}/still.mp4", there(folder), realtime=False, motion=True, fps=2) as reader:
        frames = everything(reader)
        counts = reader.status().counts
    assert [frame.position for frame in frames] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3, 8])
    assert (counts.received, counts.still, counts.analysed) == (20, 12, 8)


def test_regions_and_width(folder: Path) -> None:
    settings = Cameras(folder=folder, width=160)
    half = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
    with watching(f"file://{folder}/walk.mp4", settings, realtime=False, regions=(half,)) as reader:
        frame = reader.next(10)
    assert frame is not None
    assert (frame.width, frame.height, frame.offset, frame.scale) == (320, 180, (160, 0), 0.5)


def test_4k_and_one_frame_a_second(folder: Path) -> None:
    clips.video(folder / "4k.mp4", [clips.room((3840, 2160))] * 3, fps=1, preset="ultrafast")
    with watching(f"file://{folder}/4k.mp4", there(folder), realtime=False) as reader:
        frames = everything(reader)
        status = reader.status()
    assert [round(frame.position) for frame in frames] == [0, 1, 2]
    assert (status.width, frames[0].width, frames[0].height) == (3840, 1280, 720)


@pytest.mark.parametrize("every", [10, 25, 250])
def test_what_is_dropped_before_a_key_frame_leaves_the_others_whole(folder: Path, every: int) -> None:
    levels = (np.full((180, 320, 3), 20 + 2 * number, np.uint8) for number in range(100))
    clips.video(folder / "levels.mp4", levels, g=str(every), bf="0", sc_threshold="0")
    with watching(f"file://{folder}/levels.mp4", there(folder), realtime=False, fps=2) as reader:
        frames = everything(reader)
    assert [round(frame.position * 25) for frame in frames] == [0, 13, 25, 38, 50, 63, 75, 88]
    for frame in frames:
        shown = cv2.imdecode(np.frombuffer(frame.data, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert shown is not None
        assert shown.mean() == pytest.approx(20 + 2 * round(frame.position * 25), abs=1.5)


def test_what_is_refreshed_bit_by_bit_is_lost_once(folder: Path) -> None:
    """Such a camera says that it has key frames, and has none from which a picture can be made at once."""
    refreshed: dict[str, Any] = {"x264-params": "intra-refresh=1:keyint=25:bframes=0", "g": "25"}
    clips.video(folder / "bits.mp4", clips.still(200, clips.room((320, 180))), **refreshed)
    with watching(f"file://{folder}/bits.mp4", there(folder), realtime=False, fps=2) as reader:
        places = [frame.position for frame in everything(reader)]
    assert max(after - before for before, after in pairwise(places)) < 1.5
    assert [after - before for before, after in pairwise(places[4:])] == pytest.approx(
        [0.5] * (len(places) - 5), abs=0.05
    )


def test_a_clock_that_jumps(folder: Path) -> None:
    stamps = [number / 10 + (3600 if number >= 10 else 0) for number in range(20)]
    clips.video(folder / "jump.ts", clips.walk(20, (320, 180)), fps=10, stamps=stamps)
    # Nobody waits for an hour; but the times of a file that is not played are its own.
    for realtime, jump in ((False, 3600), (True, 0)):
        with watching(f"file://{folder}/jump.ts", there(folder), realtime=realtime, fps=10) as reader:
            _, frame = until(reader, lambda _, frame: frame is not None and frame.number >= 18)
        assert frame is not None
        assert frame.position == pytest.approx(frame.number / 10 + jump, abs=0.2)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts", "mov"])
def test_a_file_has_times_of_its_own(folder: Path, kind: str) -> None:
    """Pauses, one frame now and then, and as many frames as always: each is where the file says."""
    stamps = [0, 0.2, 60, 60.2, 75, 100, 125, 150, 300, 300.04]
    clips.video(folder / f"times.{kind}", clips.walk(10, (320, 180)), stamps=stamps)
    with watching(f"file://{folder}/times.{kind}", there(folder), realtime=False) as reader:
        frames = everything(reader)
        assert reader.status().counts.damaged == 0
    assert [frame.position for frame in frames] == pytest.approx(stamps[:-1], abs=0.01)


def test_a_stamp_that_is_wrong_is_not_believed(folder: Path) -> None:
    stamps = [number / 10 for number in range(20)]
    path = clips.video(folder / "wrong.ts", clips.walk(20, (320, 180)), fps=10, stamps=stamps)
    data = bytearray(path.read_bytes())
    starts = [at for at in range(0, len(data), 188) if data[at + 1] & 0x40 and b"\0\0\1\xe0" in data[at : at + 188]]
    at = data.index(b"\0\0\1\xe0", starts[9]) + 9
    data[at + 1] ^= 0x10  # of the tenth frame: 2.9 hours on
    path.write_bytes(data)
    with watching(f"file://{path}", there(folder), realtime=False, fps=10) as reader:
        frames = everything(reader)
    assert len(frames) >= 18
    assert frames[-1].position == pytest.approx(1.9, abs=0.3)


@pytest.mark.parametrize("kind", ["noise", "zeros", "gone"])
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mkv", "libx264", {"g": "12"}),
        ("a.webm", "libvpx", {"g": "12"}),
        ("a.ts", "libx264", {"g": "12"}),
        ("a.avi", "mjpeg", {"pix_fmt": "yuvj420p"}),
        ("a.mp4", "libx264", {"g": "12", "bf": "2", "tune": "film"}),
    ],
)
def test_damage_in_the_middle_is_counted(
    tmp_path: Path, kind: str, name: str, codec: str, options: dict[str, Any]
) -> None:
    path = clips.video(tmp_path / name, clips.walk(60, (320, 180)), codec=codec, **options)
    for seen in (False, True):
        with watching(f"file://{path}", there(tmp_path), realtime=False) as reader:
            frames = everything(reader)
            status = reader.status()
        assert status.state == "ended"
        assert bool(status.counts.damaged) == seen
        assert len(frames) == 12 or seen
        assert len(frames) >= 5
        if not seen and kind == "gone" and name.endswith((".webm", ".mp4")):
            return  # what is left is a file with a pause in it, or one whose index is wrong, which is none
        # No decoder of VP8 sees that a picture is wrong: only what is missing shows.
        clips.hurt(path, kind, 0.3 if codec == "libvpx" else 0.05)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.mov"])
@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
def test_a_picture_that_is_a_track_is_not_the_video(tmp_path: Path, first: bool, name: str, codec: str) -> None:
    art = np.full((600, 600, 3), 200, np.uint8)
    path = clips.with_picture(tmp_path / name, clips.walk(50, (320, 180)), art, first=first, codec=codec)
    with watching(f"file://{path}", there(tmp_path), realtime=False) as reader:
        frames = everything(reader)
    assert {(frame.width, frame.height) for frame in frames} == {(320, 180)}
    assert len(frames) == 10


def test_garbage_in_the_middle_is_counted(folder: Path) -> None:
    clips.video(folder / "whole.ts", clips.walk(100, (320, 180)), g="10")
    data = bytearray((folder / "whole.ts").read_bytes())
    start = len(data) // 3 // 188 * 188
    noise = np.random.default_rng(0)
    for packet in range(start, start + 188 * 60, 188):  # the stream's frames are noise, its packets are not
        data[packet + 30 : packet + 188] = noise.bytes(158)
    (folder / "hurt.ts").write_bytes(data)
    with watching(f"file://{folder}/hurt.ts", there(folder), realtime=False, fps=25) as reader:
        frames = everything(reader)
        status = reader.status()
    assert status.state == "ended"
    assert status.counts.damaged > 0
    assert 30 < len(frames) < 100
    assert frames[-1].position > 3.5


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("nothing.mp4", b"", "not_a_video"),
        ("text.mp4", b"hello, this is no video" * 100, "not_a_video"),
        ("noise.mp4", np.random.default_rng(0).bytes(100_000), "not_a_video"),
        ("half.mp4", None, "not_a_video"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:3,\nwalk.mp4\n#EXT-X-ENDLIST\n", "not_a_video"),
        ("concat.mp4", b"ffconcat version 1.0\nfile 'walk.mp4'\n", "not_a_video"),
        ("missing.mp4", None, "source_unreachable"),
        ("pipe.mp4", None, "invalid_source"),
    ],
)
def test_what_is_no_video(folder: Path, name: str, data: bytes | None, reason: str) -> None:
    if name == "half.mp4":  # the index of an MP4 is at its end
        data = (folder / "walk.mp4").read_bytes()[:10_000]
    if name == "pipe.mp4" and not (folder / name).exists():
        os.mkfifo(folder / name)
    if data is not None:
        (folder / name).write_bytes(data)
    status, frame = look(Camera("a", f"file://{folder}/{name}", "g"), there(folder), 20)
    assert (status.state, status.reason, frame) == ("failed", reason, None)
    assert status.detail


@pytest.mark.parametrize(
    ("source", "settings", "reason"),
    [
        ("gopher://me:hunter2@h/", Cameras(), "invalid_source"),
        ("file:///etc/passwd", Cameras(folder=Path("/tmp")), "source_not_allowed"),
        ("rtsp://me:hunter2@10.0.0.1/", Cameras(), "source_not_allowed"),
        ("http://me:hunter2@camera.invalid/", Cameras(), "source_unreachable"),
        ("rtsp://me:hunter2@127.0.0.1:9/", Cameras(networks=("127.0.0.0/8",)), "source_unreachable"),
        ("http://me:hunter2@127.0.0.1:9/", Cameras(networks=("127.0.0.0/8",)), "source_unreachable"),
        ("v4l2:///dev/video99", Cameras(devices=True), "source_unreachable"),
    ],
)
def test_what_cannot_be_opened(source: str, settings: Cameras, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    status, frame = look(Camera("a", source, "g"), settings, 20)
    assert (status.state, status.reason, frame) == ("failed", reason, None)
    assert "hunter2" not in repr(status) + "".join(capfd.readouterr())


def test_look_gives_a_frame(folder: Path) -> None:
    status, frame = look(Camera("a", f"file://{folder}/walk.mp4", "g"), there(folder), 20)
    assert frame is not None
    assert status.state == "live"


def test_close_does_not_wait_for_a_taker_or_a_reader(folder: Path) -> None:
    reader = CameraReader(Camera("a", f"file://{folder}/walk.mp4", "g", realtime=False), there(folder))
    taken: list[object] = []
    assert reader.next(10) is not None
    while reader.next(0.2) is not None:
        pass
    taker = threading.Thread(target=lambda: taken.append(reader.next(60)))
    taker.start()
    reader.close()
    taker.join(5)
    assert taken == [None]
    assert reader.next(60) is None
