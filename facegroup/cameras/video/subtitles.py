"""Report on a video (`facegroup.cameras.video.viewing`) as CSV, or as WebVTT subtitles."""

import csv
import html
import io
from itertools import pairwise
from typing import Any

_COLUMNS = ("name", "person_id", "unknown", "first_seen", "last_seen", "frames", "similarity")
_LEAST_SECONDS = 0.5  # for which a name is shown: a person seen in one frame only appears for no time


def as_csv(report: dict[str, Any]) -> str:
    """Return the sightings as CSV; a name that a spreadsheet would run as a formula is prefixed with '."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(_COLUMNS)
    for each in report["sightings"]:
        rows.writerow("" if each[name] is None else _plain(each[name]) for name in _COLUMNS)
    return text.getvalue()


def as_vtt(report: dict[str, Any]) -> str:
    """Return the sightings as subtitles (W3C, WebVTT): each cue shows the names of the people who are there."""
    spans = [
        (each["first_seen"], max(each["last_seen"], each["first_seen"] + _LEAST_SECONDS), _line(each["name"]))
        for each in report["sightings"]
    ]
    parts = ["WEBVTT\n"]
    for start, end in pairwise(sorted({edge for span in spans for edge in span[:2]})):
        here = [name for first, last, name in spans if first <= start and end <= last]
        if here and _clock(start) < _clock(end):
            text = "\n".join(here)
            parts.append(f"{_clock(start)} --> {_clock(end)}\n{text}\n")
    return "\n".join(parts)


def _line(name: str) -> str:
    """Return a name as the text of a cue, without markup, and without line breaks, which would end the cue."""
    return html.escape(" ".join(name.split()), quote=False)


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _clock(seconds: float) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}.{whole % 1000:03}"
