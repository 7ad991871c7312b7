"""A folder of people → embeddings, by person and of strangers: what an open-set measurement is made on."""

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
    """Embedded photos.

    Attributes:
        embeddings: (n, d) float32, raw, one row a photo in which a face was found.
        people: for each person to enrol the rows of the photos.
        strangers: rows of photos of people who are not enrolled, one of each.
        missed: photos without a face, which are left out: a failure to acquire.
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
    """Embed a data set that holds one folder per person.

    Args:
        folder: of the people; those with `least` to `most` usable photos are enrolled.
        settings: which network, and where the cache is.
        least: photos of a person to enrol.
        most: None for any number.
        people: how many, evenly spaced by name; None for all.
        strangers: how many, evenly spaced by name; None for all.
        strangers_from: folder of the strangers, of people with one photo; None: the same folder.
        told: is called with the number of photos that are done.

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
    """Say on standard error how many photos are done."""
    sys.stderr.write(f"\r{done} photos ")


def _spaced(items: Sequence[Item], count: int | None) -> list[Item]:
    if count is None or count >= len(items):
        return list(items)
    return [items[place * len(items) // count] for place in range(count)]
