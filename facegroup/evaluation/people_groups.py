"""Read a CSV that says which group each person belongs to, such as an age or an origin: columns `person` and `group`."""

import csv
import io
import stat
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path

from facegroup.errors import MalformedRequest

MOST_BYTES = 16 << 20
MOST_GROUPS = 100

_NAMED = 3  # people whom a message names
_COLUMNS = ("person", "group")


def read(path: Path, people: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Return the people of each group, by name of the group. A person may be in several groups.

    Args:
        path: the file, UTF-8 with a header; other columns than `person` and `group` are ignored.
        people: names of all people: of their folders, or of a stranger's photo.

    Raises:
        MalformedRequest: the file cannot be read, has another form, or names somebody who is not among the people.
    """
    known = {_plain(name): name for name in people}
    found: dict[str, set[str]] = {}
    unknown: list[str] = []
    for person, group in _rows(path, _text(path)):
        if person not in known:
            unknown.append(person)
        else:
            found.setdefault(group, set()).add(known[person])
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise MalformedRequest(
            f"{path}: there are no photos of {', '.join(map(repr, unknown[:_NAMED]))}{more}. A person is the name of a "
            "folder, or of a file in the folder of strangers."
        )
    if not found:
        raise MalformedRequest(f"{path} names nobody. Write a line for each person: person,group")
    if len(found) > MOST_GROUPS:
        raise MalformedRequest(f"{path} has {len(found)} groups; at most {MOST_GROUPS} can be compared")
    return {group: frozenset(members) for group, members in sorted(found.items())}


def _text(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would wait for ever
            raise MalformedRequest(f"{path} cannot be read: it is not a regular file")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise MalformedRequest(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MOST_BYTES:
        raise MalformedRequest(f"{path} is larger than {MOST_BYTES >> 20} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"{path} is not UTF-8 (byte {error.start}). Save it as CSV in UTF-8.") from error


def _rows(path: Path, text: str) -> list[tuple[str, str]]:
    rows = []
    table = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [_plain(cell).lower() for cell in next(table, [])]
        if any(header.count(name) != 1 for name in _COLUMNS):
            raise MalformedRequest(
                f"{path}: the first line must name the columns person and group, each once, separated by commas"
            )
        places = [header.index(name) for name in _COLUMNS]
        for row in table:
            if not any(map(_plain, row)):
                continue
            cells = [_plain(row[place]) if place < len(row) else "" for place in places]
            if not all(cells):
                raise MalformedRequest(f"{path}, line {table.line_num}: a line needs a person and a group")
            rows.append((cells[0], cells[1]))
    except csv.Error as error:
        raise MalformedRequest(f"{path}, line {table.line_num} is not CSV: {error}") from error
    return rows


def _plain(text: str) -> str:
    """Return a name as it compares: file systems write the same letters in several ways."""
    return unicodedata.normalize("NFC", text).strip()
