"""Read a folder of people as embeddings, divided into people to enrol and strangers, for open-set measurements."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from facegroup.errors import MalformedRequest
from facegroup.evaluation.descriptors import embeddings
from facegroup.images import folders
from facegroup.settings import Settings
from facegroup.types import Floats

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The embeddings of a data set.

    Attributes:
        embeddings: (n, d) float32, raw, one row for each photo with a face.
        people: the rows of each person to enrol.
        strangers: one row of each person who is not enrolled.
        missed: number of photos without a face, which are left out (failures to acquire).
    """

    embeddings: Floats
    people: tuple[tuple[int, ...], ...]
    strangers: tuple[int, ...]
    missed: int


def read(
    folder: Path,
    settings: Settings,
    *,
    least: int = 6,
    most: int | None = None,
    people: int | None = None,
    strangers: int | None = None,
    strangers_from: Path | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> People:
    """Embed a data set with one folder per person.

    Args:
        folder: folder of the people. Those with `least` to `most` usable photos are enrolled.
        settings: the settings with the network and the cache.
        least: least photos of a person to enrol.
        most: most photos of a person to enrol; None sets no limit.
        people: number of people, evenly spaced by name; None takes all.
        strangers: number of strangers, evenly spaced by name; None takes all.
        strangers_from: folder whose people with one photo are the strangers; None takes the same folder.
        told: called with the number of photos done.

    Raises:
        MalformedRequest: there are not two people to enrol, or no stranger.
    """
    found, others = folders.people(folder), folders.people(strangers_from or folder)
    mated = {name: files for name, files in found.photos.items() if least <= len(files) <= (most or 1 << 30)}
    nonmated = {name: files[:1] for name, files in others.photos.items() if len(files) == 1}
    chosen, alone = _spaced([*mated.values()], people), _spaced([*nonmated.values()], strangers)
    files = [path for photos in (*chosen, *alone) for path in photos]
    rows = embeddings(files, settings, told)
    seen = rows.any(axis=1)
    places = iter(np.where(seen, np.cumsum(seen) - 1, -1).tolist())
    usable = [[place for _, place in zip(photos, places, strict=False) if place >= 0] for photos in (*chosen, *alone)]
    enrolled = tuple(tuple(group) for group in usable[: len(chosen)] if len(group) >= least)
    unknown = tuple(place for group in usable[len(chosen) :] for place in group)
    if len(enrolled) < 2 or not unknown:
        raise MalformedRequest(
            f"{folder} has {len(enrolled)} people with {least} usable photos and {len(unknown)} strangers; "
            "two are needed, and one stranger"
        )
    return People(rows[seen], enrolled, unknown, int((~seen).sum()))


def told(done: int) -> None:
    """Show on standard error how many photos are done."""
    sys.stderr.write(f"\r{done} photos ")


def _spaced(items: Sequence[Item], count: int | None) -> list[Item]:
    if count is None or count >= len(items):
        return list(items)
    return [items[place * len(items) // count] for place in range(count)]
