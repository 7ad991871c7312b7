"""Who appears in a video, as files for other programs: what they would take for more than text is none."""

import csv
import io
import re
from typing import Any

import pytest

from facegroup.cameras.video.subtitles import as_csv, as_vtt

TIME = r"\d\d:\d\d:\d\d\.\d\d\d"


def sighting(name: str, first: float, last: float, **given: Any) -> dict[str, Any]:
    known = {"person_id": "p1", "unknown": None, "frames": 7, "similarity": 0.5}
    return {**known, "name": name, "first_seen": first, "last_seen": last, **given}


def cues(*sightings: dict[str, Any]) -> list[tuple[str, str]]:
    """Read the subtitles as the standard says: blocks between empty lines, a line of times, the text."""
    head, *blocks = as_vtt({"sightings": list(sightings)}).split("\n\n")
    assert head.strip() == "WEBVTT"
    read = [block.rstrip("\n").split("\n", 1) for block in blocks]
    assert all(re.fullmatch(f"{TIME} --> {TIME}", times) for times, _ in read)
    return [(times, text) for times, text in read]


def test_each_moment_shows_who_is_there() -> None:
    assert cues(sighting("Ada", 0, 4), sighting("Bob", 2, 6), sighting("Cleo", 3661.25, 3662)) == [
        ("00:00:00.000 --> 00:00:02.000", "Ada"),
        ("00:00:02.000 --> 00:00:04.000", "Ada\nBob"),
        ("00:00:04.000 --> 00:00:06.000", "Bob"),
        ("01:01:01.250 --> 01:01:02.000", "Cleo"),
    ]


def test_nobody_is_no_cue() -> None:
    assert cues() == []


def test_who_is_seen_once_is_shown_for_a_moment() -> None:
    assert cues(sighting("Ada", 1, 1)) == [("00:00:01.000 --> 00:00:01.500", "Ada")]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<v Bob>", "&lt;v Bob&gt;"),
        ("00:00 --> 00:01", "00:00 --&gt; 00:01"),
        ("A & B", "A &amp; B"),
        ("two\n\nlines", "two lines"),
        ("Zoë 王", "Zoë 王"),
    ],
)
def test_a_name_is_text_of_a_cue(name: str, shown: str) -> None:
    assert cues(sighting(name, 0, 1))[0][1] == shown


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_name_is_no_formula(name: str) -> None:
    text = as_csv({"sightings": [sighting(name, 0, 1)]})
    assert next(csv.DictReader(io.StringIO(text, newline="")))["name"] == "'" + name


def test_csv_has_every_field() -> None:
    stranger = sighting("unknown-1", 0.5, 1, person_id=None, unknown="unknown-1", similarity=None)
    ada, other = csv.DictReader(
        io.StringIO(as_csv({"sightings": [sighting('Ada "A", b', 0, 1), stranger]}), newline="")
    )
    assert ada["name"] == 'Ada "A", b'
    assert (ada["person_id"], ada["unknown"], ada["first_seen"], ada["frames"]) == ("p1", "", "0", "7")
    assert (other["person_id"], other["unknown"], other["similarity"]) == ("", "unknown-1", "")
