"""CSVs of groups: good ones, and every kind of bad one with its message."""

import os
import unicodedata
from pathlib import Path

import pytest

from facegroup.errors import MalformedRequest
from facegroup.evaluation import people_groups

PEOPLE = {"Ada", "Bob Stone", "José", "c.jpg"}


def read(tmp_path: Path, data: str | bytes) -> dict[str, set[str]]:
    path = tmp_path / "groups.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return {group: set(people) for group, people in people_groups.read(path, PEOPLE).items()}


@pytest.mark.parametrize(
    "text",
    [
        "person,group\nAda,children\nBob Stone,adults\n",
        "\ufeffperson,group\r\nAda,children\r\n\r\nBob Stone,adults\r\n",
        "age,Group , PERSON\n6,children,Ada\n40,adults, Bob Stone \n",
        'person,group\n"Ada","children"\nBob Stone,adults\nBob Stone,adults',
        "person,group\nAda,children\n,\nBob Stone,adults\n",
    ],
)
def test_good_files(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == {"adults": {"Bob Stone"}, "children": {"Ada"}}


def test_a_person_may_be_in_several_groups(tmp_path: Path) -> None:
    assert read(tmp_path, "person,group\nAda,a\nAda,b\n") == {"a": {"Ada"}, "b": {"Ada"}}


def test_a_name_in_another_form_of_unicode_is_the_same(tmp_path: Path) -> None:
    assert read(tmp_path, f"person,group\n{unicodedata.normalize('NFD', 'José')},a\n") == {"a": {"José"}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the first line must name the columns"),
        (b"Ada,children\n", "the first line must name the columns"),
        (b"person;group\nAda;children\n", "separated by commas"),
        (b"person,person,group\nAda,Ada,children\n", "each once"),
        (b"person,group\n", "names nobody"),
        (b"person,group\nAda\n", "line 2: a line needs a person and a group"),
        (b"person,group\n,children\n", "line 2: a line needs"),
        (b"person,group\nZoe,x\nYan,x\nXi,x\nWu,x\nAda,x\n", "no photos of 'Zoe', 'Yan', 'Xi' and 1 more"),
        ("person,group\nJosé,a\n".encode("latin-1"), "not UTF-8"),
        ("person,group\nAda,a\n".encode("utf-16"), "not UTF-8"),
        (b'person,group\n"Ada,children\n', "is not CSV"),
        (b'person,group\n"Ada"x,children\n', "is not CSV"),
        (b"person,group\n" + b"A" * 200_000 + b",children\n", "is not CSV"),
        (b"person,group\nAda\0,children\n", "no photos of|is not CSV"),
        (b"person,group\n" + b"".join(b"Ada,%d\n" % number for number in range(101)), "101 groups"),
        (b"\x89PNG\r\n\x1a\n", "not UTF-8"),
    ],
)
def test_bad_files_are_refused_with_the_reason(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(MalformedRequest, match=message):
        read(tmp_path, data)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none.csv", tmp_path / "bad\0name.csv", tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(MalformedRequest, match="cannot be read"):
            people_groups.read(path, PEOPLE)


def test_a_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_groups, "MOST_BYTES", 40)
    with pytest.raises(MalformedRequest, match="larger"):
        read(tmp_path, "person,group\nAda,children\n" * 3)
