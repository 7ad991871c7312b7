"""A folder of pictures that grows: each once, in the order of writing, the half written when they are whole."""

import os
from pathlib import Path

import pytest

from facegroup.cameras.sources import image_folder
from facegroup.settings import Cameras
from tests import photos
from tests.unit.cameras.watching import until, watching

PHOTO = photos.encode(photos.resized(photos.astronaut(), 128))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "PAUSE", 0.05)


def put(folder: Path, name: str, written: float, data: bytes = PHOTO) -> None:
    """A picture, as if written at that time."""
    path = folder / f".{name}"
    path.write_bytes(data)
    os.utime(path, (written, written))
    path.rename(folder / name)


def test_in_the_order_of_writing(tmp_path: Path) -> None:
    for name, written in (("b.jpg", 100.0), ("a.jpg", 300.0), ("c.jpg", 200.0), ("d.jpg", 200.0)):
        put(tmp_path, name, written)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "link.jpg").symlink_to("/etc/passwd")
    (tmp_path / "folder.jpg").mkdir()
    with watching(f"file://{tmp_path}", Cameras(folder=tmp_path), realtime=False) as reader:
        found = [reader.next(10) for _ in range(4)]
        put(tmp_path, "e.jpg", 150.0)  # written before the others, and come after them
        found.append(reader.next(10))
        assert reader.next(0.3) is None
        status = reader.status()
    assert [frame.at for frame in found if frame] == [100.0, 200.0, 200.0, 300.0, 150.0]
    assert (status.state, status.counts.received, status.counts.analysed) == ("live", 5, 5)
    assert (status.width, status.height) == (128, 128)


def test_folders_by_date(tmp_path: Path) -> None:
    """As cameras send: a folder for each day, some of which come later; links, and a drive's own folders, are left alone."""
    day = tmp_path / "2026" / "11" / "28"
    day.mkdir(parents=True)
    put(day, "a.jpg", 100.0)
    (day / "a.mp4").write_bytes(b"a video")
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    put(outside, "x.jpg", 50.0)
    (tmp_path / "link").symlink_to(outside)
    (tmp_path / "@eaDir").mkdir()
    put(tmp_path / "@eaDir", "thumb.jpg", 60.0)
    with watching(f"file://{tmp_path}", Cameras(folder=tmp_path), realtime=False) as reader:
        found = [reader.next(10)]
        later = tmp_path / "cam" / "20261129" / "images"
        later.mkdir(parents=True)
        put(later, "b.jpg", 300.0)
        put(later, "c.jpg", 5000.0)
        found += [reader.next(10), reader.next(10)]
        assert reader.next(0.3) is None
        status = reader.status()
    assert [frame.at for frame in found if frame] == [100.0, 300.0, 5000.0]
    assert [frame.position for frame in found if frame] == [0.0, 200.0, 4900.0]
    assert status.counts.received == 3
    assert "3 pictures and 2 other files" in str(status.detail)


def test_in_real_time_it_says_how_many_there_are(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    put(tmp_path / "day", "a.jpg", 100.0)
    with watching(f"file://{tmp_path}", Cameras(folder=tmp_path)) as reader:
        status, _ = until(reader, lambda status, _: status.detail is not None)
        assert (status.state, status.reason) == ("live", None)
        assert "1 pictures and 0 other files" in str(status.detail)
        assert "waits for new ones" in str(status.detail)
        (tmp_path / "day2").mkdir()
        put(tmp_path / "day2", "b.jpg", 200.0)
        assert reader.next(10) is not None


def test_what_is_half_written_is_tried_again(tmp_path: Path) -> None:
    with watching(f"file://{tmp_path}", Cameras(folder=tmp_path), realtime=False) as reader:
        until(reader, lambda status, _: status.state == "live")
        half = tmp_path / "half.jpg"
        half.write_bytes(PHOTO[: len(PHOTO) // 2])
        put(tmp_path, "whole.jpg", 100.0)
        assert reader.next(10) is not None
        assert reader.next(0.3) is None
        with half.open("ab") as file:
            file.write(PHOTO[len(PHOTO) // 2 :])
        assert reader.next(10) is not None
        assert reader.next(0.3) is None
        assert reader.status().counts.received == 2


def test_what_stays_broken_is_given_up_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "SETTLED", 0.2)
    put(tmp_path, "broken.jpg", 100.0, PHOTO[:500])
    put(tmp_path, "bomb.png", 100.0, photos.bomb())
    with watching(f"file://{tmp_path}", Cameras(folder=tmp_path), realtime=False) as reader:
        status, _ = until(reader, lambda status, _: status.counts.received == 2)
        assert status.counts.damaged == status.counts.skipped == 2
        put(tmp_path, "broken.jpg", 200.0)  # the same name, whole
        assert reader.next(10) is not None


def test_in_real_time_only_what_comes_counts(tmp_path: Path) -> None:
    put(tmp_path, "old.jpg", 100.0)
    with watching(f"file://{tmp_path}", Cameras(folder=tmp_path)) as reader:
        until(reader, lambda status, _: status.state == "live")
        assert reader.next(0.3) is None
        put(tmp_path, "new.jpg", 50.0)
        frame = reader.next(10)
    assert frame is not None
    assert frame.at == 50.0


def test_a_folder_that_goes_and_comes(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with watching(f"file://{folder}", Cameras(folder=tmp_path), realtime=False) as reader:
        until(reader, lambda status, _: status.state == "live")
        folder.rmdir()
        status, _ = until(reader, lambda status, _: status.state == "failed")
        assert status.reason == "source_unreachable"
        folder.mkdir()
        put(folder, "a.jpg", 100.0)
        until(reader, lambda _, frame: frame is not None)
