"""Read the ground truth of group pictures from a JSON file, whose form docs/accuracy.md describes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegroup.errors import MalformedRequest
from facegroup.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """A photo to enrol: its name, and the box (4,) float32 x1, y1, x2, y2 of the face if it has several."""

    file: str
    box: Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class Pictured:
    """The faces of one photo.

    Attributes:
        boxes: (n, 4) float32: x1, y1, x2, y2.
        people: the person of each face, or None for a stranger.
        ignored: (m, 4) float32 boxes that do not count.
    """

    boxes: Floats
    people: tuple[str | None, ...]
    ignored: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The people to enrol with their photos, and the faces of each group picture."""

    about: str
    enrol: Mapping[str, Sequence[Enrolled]]
    photos: Mapping[str, Pictured]


def read(path: Path) -> Group:
    """Return the ground truth in a file.

    Raises:
        MalformedRequest: the file does not exist or has another form; the message says where.
    """
    try:
        given = json.loads(path.read_text("utf-8"))
        enrol = {name: [_enrolled(each) for each in files] for name, files in given["enrol"].items()}
        photos = {name: _pictured(rows) for name, rows in given["photos"].items()}
        about = str(given.get("about", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedRequest(
            f"{path} is not a ground truth of group pictures (docs/accuracy.md): {error!r}"
        ) from error
    if not enrol or not photos:
        raise MalformedRequest(
            f"{path} has {len(enrol)} people to enrol and {len(photos)} photos. At least one of each is needed."
        )
    unknown = sorted({who for each in photos.values() for who in each.people if who is not None} - set(enrol))
    if unknown:
        raise MalformedRequest(
            f'{path} has faces of {", ".join(unknown)}, who are not under "enrol". Use null for a stranger.'
        )
    return Group(about, enrol, photos)


def _enrolled(given: Any) -> Enrolled:
    if isinstance(given, str):
        return Enrolled(given, None)
    return Enrolled(str(given["file"]), _boxes([given["box"]])[0] if "box" in given else None)


def _pictured(rows: list[dict[str, Any]]) -> Pictured:
    boxes = _boxes([row["box"] for row in rows])
    people = [row["person"] for row in rows]
    if not all(each is None or isinstance(each, str) for each in people):
        raise ValueError("a person must be an id under enrol, or null")
    invalid = np.array([bool(row.get("invalid", 0)) for row in rows], bool)
    return Pictured(
        boxes[~invalid], tuple(who for who, left in zip(people, invalid, strict=True) if not left), boxes[invalid]
    )


def _boxes(given: list[Any]) -> Floats:
    boxes = np.array(given, np.float32).reshape(-1, 4)
    if len(boxes) != len(given) or not np.isfinite(boxes).all() or (boxes[:, 2:] <= 0).any():
        raise ValueError("a box must be four numbers, x, y, width and height, the last two above 0")
    boxes[:, 2:] += boxes[:, :2]
    return boxes
