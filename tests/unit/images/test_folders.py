"""Folders as people keep them: what is a photo, what is left out, and whose photos are whose."""

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from facegroup.errors import FacegroupError, ImageTooLarge, InvalidName, MalformedRequest
from facegroup.images import files as reading
from facegroup.images import folders, layout
from tests.photos import encode, hopper, resized

JPEG = encode(resized(hopper(), 40))
JXL = b"\xff\x0a" + bytes(100)
VIDEO = b"\0\0\0\x18ftypqt  " + bytes(100)
HEIC = b"\0\0\0\x18ftypheic" + bytes(100)


def made(root: Path, *files: str, data: bytes = JPEG) -> None:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def why(skipped: Iterable[folders.Skipped]) -> dict[str, str]:
    return {each.path.name: each.why for each in skipped}


def test_a_photo_is_told_by_suffix_or_by_its_first_bytes(tmp_path: Path) -> None:
    photos = ["a.jpg", "b.JPEG", "c.JPG_large", "d", "e.heic", "f.HEIF", "g.jxl", "h.jpg:orig", "i.1"]
    made(tmp_path, *photos)
    made(tmp_path, "k.txt", "Thumbs.db", "empty", data=b"no photo")
    made(tmp_path, "l.mov", data=VIDEO)
    made(tmp_path, "m", data=JXL)
    made(tmp_path, ".DS_Store", "._a.jpg", ".cache/x.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "other").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    found = folders.photos([tmp_path])
    assert [each.name for each in found.files] == photos
    assert why(found.skipped) == {
        "k.txt": "not_an_image",
        "Thumbs.db": "not_an_image",
        "empty": "not_an_image",
        "l.mov": "unsupported_format",
        "m": "unsupported_format",
        ".DS_Store": "hidden",
        "._a.jpg": "hidden",
        ".cache": "hidden",
        "@eaDir": "system",
        "gone": "unreadable",
        "pipe": "unreadable",
        "other": "link",
    }


def test_what_cannot_be_read_is_an_error_among_the_others(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    made(tmp_path, "large.jpg", data=bytes(5000))
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    files = sorted(tmp_path.iterdir())
    parts = list(reading.read(files, most=4000, count=2))
    assert [len(part) for part in parts] == [2, 2, 2]
    read = {path.name: data if isinstance(data, FacegroupError) else "" for part in parts for path, data in part}
    assert type(read["large.jpg"]) is ImageTooLarge
    assert type(read["pipe.jpg"]) is type(read["gone.jpg"]) is MalformedRequest
    assert read["a.jpg"] == read["b.jpg"] == read["c.jpg"] == ""


def test_reading_holds_few_bytes_at_once(tmp_path: Path) -> None:
    made(tmp_path, *"abcdef", data=bytes(12 << 20))
    assert [len(part) for part in reading.read(sorted(tmp_path.iterdir()))] == [3, 3]


@pytest.mark.parametrize("name", ["a\nb.jpg", "\x1b[31mred.jpg", os.fsdecode(b"caf\xe9.jpg"), "曾宏鈞 é.jpg"])
def test_any_file_name_can_be_printed(name: str) -> None:
    shown = folders.shown(Path(name))
    assert shown.isprintable()
    assert shown.encode()


def test_a_folder_is_a_person(tmp_path: Path) -> None:
    made(tmp_path, "Ada/1.jpg", "Ada/2.jpg", "Grace Hopper/1", "loose.jpg", "notes.txt")
    made(tmp_path, "Only HEIC/a.heic", data=HEIC)
    made(tmp_path, "Only JXL/a", data=JXL)
    (tmp_path / "Empty").mkdir()
    (tmp_path / "notes.txt").write_text("no photo")
    found = layout.by_folder([tmp_path])
    assert [(each.name, len(each.files)) for each in found.people if each.error is None] == [
        ("Ada", 2),
        ("Grace Hopper", 1),
        ("Only HEIC", 1),
    ]
    failed = {each.name: each.error.detail for each in found.people if each.error is not None}
    assert "has no photos (1 skipped, such as" in failed["Only JXL"]
    assert "JPEG XL" in failed["Only JXL"]
    assert "has no photos" in failed["Empty"]
    assert why(found.skipped) == {"loose.jpg": "loose", "notes.txt": "not_an_image", "a": "unsupported_format"}


def test_a_folder_that_may_be_a_group_is_refused_and_named(tmp_path: Path) -> None:
    made(tmp_path, "team1/Barack/1.jpg", "team1/Joe/1.jpg", "Ada/1.jpg", "Eve/1.jpg", "Eve/2019/1.jpg")
    people = {each.name: each for each in layout.by_folder([tmp_path]).people}
    assert people["Ada"].error is None
    for name in ("team1", "Eve"):
        assert isinstance(people[name].error, MalformedRequest)
        assert "--depth 2" in str(people[name].error)
        assert "--depth 1" in str(people[name].error)
    assert "Barack, Joe" in str(people["team1"].error)
    one = {each.name: len(each.files) for each in layout.by_folder([tmp_path], 1).people}
    assert one == {"team1": 2, "Ada": 1, "Eve": 2}
    two = layout.by_folder([tmp_path], 2)
    assert {each.name: len(each.files) for each in two.people if not each.error} == {"Barack": 1, "Joe": 1, "2019": 1}
    assert [each.name for each in two.people if each.error] == ["Ada"]
    assert [each.path.parent.name for each in two.skipped if each.why == "loose"] == ["Eve"]


@pytest.mark.parametrize(
    ("files", "depth", "failed", "loose"),
    [
        (["Bob/1.jpg"], 2, {"Bob": 1}, []),
        (["team2/1.jpg", "team2/2.jpg", "group.jpg"], 2, {"team2": 2}, ["group.jpg"]),
        (["team2/clip.mp4", "Eve/1.cr2"], 2, {"team2": 0, "Eve": 1}, []),
        (["city/team/Ada/1.jpg", "city/Bob/1.jpg", "Joe/1.jpg"], 3, {"Bob": 1, "Joe": 1, "Zoe": 1}, []),
        (["team2/Eve/1.jpg", "team2/group.jpg"], 2, {}, ["group.jpg"]),
    ],
)
def test_nobody_vanishes_who_is_less_deep(
    tmp_path: Path, files: list[str], depth: int, failed: dict[str, int], loose: list[str]
) -> None:
    made(tmp_path, "team1/Zoe/1.jpg", *files)
    made(tmp_path, *(each for each in files if each.endswith(".mp4")), data=VIDEO)
    found = layout.by_folder([tmp_path], depth)
    assert {each.name: len(each.files) for each in found.people if each.error is not None} == failed
    assert all("--name" in str(each.error) for each in found.people if each.error is not None)
    assert [each.path.name for each in found.skipped if each.why == "loose"] == loose


@pytest.mark.parametrize("closed", ["team2", "team2/Ada", "team1/Joe/2019"])
def test_a_folder_that_cannot_be_read(tmp_path: Path, closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "team1/Zoe/1.jpg", "team1/Joe/1.jpg", "team1/Joe/2019/1.jpg", "team2/Ada/1.jpg")

    def refusing(listed: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def refuse(path: Any) -> Any:
            if Path(path) == tmp_path / closed:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return listed(path)

        return refuse

    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    found = layout.by_folder([tmp_path], 2)
    failed = [each.name for each in found.people if each.error is not None]
    assert failed == ([] if "Joe" in closed else [Path(closed).name])
    assert folders.unread(found.skipped) == (closed != "team2")
    assert all("Permission denied" in str(each.error) for each in found.people if each.error is not None)
    assert {"Zoe", "Joe"} <= {each.name for each in found.people if each.error is None}
    with pytest.raises(MalformedRequest, match="cannot be read"):
        layout.by_folder([tmp_path / closed])


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    made(tmp_path, "team1/Joe/1.jpg", "team2/Joe/1.jpg", "team2/Ada/1.jpg", "x/Jose\u0301/1.jpg", "y/Jos\u00e9/1.jpg")
    people = layout.by_folder([tmp_path], 2).people
    assert [each.name for each in people if each.error is None] == ["Ada"]
    assert "team1/Joe" in str(people[0].error)
    assert "--person ID" in str(people[0].error)
    assert all(each.error for each in layout.by_folder([tmp_path / "team1", tmp_path / "team1"]).people)


@pytest.mark.parametrize(
    "name", ["not in the dataset", "a\x07b", "\u202eevil", os.fsdecode(b"caf\xe9"), "x" * 201, " "]
)
def test_a_folder_whose_name_cannot_be_a_name(tmp_path: Path, name: str) -> None:
    made(tmp_path, f"{name}/1.jpg", "Ada/1.jpg")
    people = layout.by_folder([tmp_path]).people
    assert [each.name for each in people if each.error is None] == ["Ada"]
    (bad,) = (each for each in people if each.error is not None)
    assert isinstance(bad.error, InvalidName)
    assert bad.name.isprintable()


def test_a_file_is_a_person_where_it_is_flat(tmp_path: Path) -> None:
    made(tmp_path, "Ada.jpg", "Ada.png", "Grace Hopper.JPG_large", "Team/1.jpg", ".x.jpg")
    (tmp_path / "notes.txt").write_text("no photo")
    for paths in ([tmp_path], sorted(each for each in tmp_path.iterdir() if each.name[0] != ".")):
        if len(paths) > 1:
            paths.remove(tmp_path / "Team")
        found = layout.flat(paths)
        assert {each.name: len(each.files) for each in found.people} == {"Ada": 2, "Grace Hopper": 1}
        assert "notes.txt" in why(found.skipped)
    assert why(layout.flat([tmp_path]).skipped)["Team"] == "folder"


@pytest.mark.parametrize(
    ("files", "depth", "said"),
    [
        (["a.jpg"], None, "--flat"),
        ([], None, "has no folders"),
        (["a/1.jpg"], 2, "has no folders 2 levels deep"),
        (["a.txt"], None, "has no folders"),
    ],
)
def test_a_folder_without_people_says_what_is_wanted(
    tmp_path: Path, files: list[str], depth: int | None, said: str
) -> None:
    made(tmp_path, *files, data=b"text" if "a.txt" in files else JPEG)
    with pytest.raises(MalformedRequest, match=said):
        layout.by_folder([tmp_path], depth)
    with pytest.raises(MalformedRequest, match="is not a folder"):
        layout.by_folder([tmp_path / "absent"], depth)
