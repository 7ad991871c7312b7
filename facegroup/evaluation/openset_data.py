"""Divide folders of people into members to enrol and strangers, and report which photos are left out and why.

A photo that is in the folders of two people is used for neither, because it is not known whose it is.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facegroup.errors import MalformedRequest
from facegroup.evaluation.descriptors import PhotoEmbeddings, embed
from facegroup.images import folders
from facegroup.images.folders import Skipped, shown
from facegroup.networks.embedder import failed, unit
from facegroup.settings import Settings
from facegroup.types import Descriptors

COPIES = "Copies of a photo of the same person, left out"
CONTRADICTIONS = "The same photo under two people, used for neither"
TOO_FEW = "People with too few photos to enrol and search with, left out"
EMPTY = "Folders without photos"
LOOSE = "Files in no person's folder, left out"
OTHERS = "Files that are no photos, left out"
MEMBERS = "Strangers with a member's name, left out"


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetData:
    """Photos of members and strangers, with their embeddings.

    Attributes:
        files: the photos.
        embedded: their embeddings.
        members: numbers of the photos of each person who is enrolled and searched for, by name.
        strangers: the same for people who are only searched with.
        left_out: unused files and people, by heading.
    """

    files: tuple[Path, ...]
    embedded: PhotoEmbeddings
    members: Mapping[str, tuple[int, ...]]
    strangers: Mapping[str, tuple[int, ...]]
    left_out: Mapping[str, tuple[str, ...]]

    @property
    def failed(self) -> dict[str, str]:
        """The code of each used photo without a descriptor (failures to acquire)."""
        used = sorted(place for group in (self.members, self.strangers) for rows in group.values() for place in rows)
        return {str(self.files[place]): self.embedded.codes[place] for place in used if self.embedded.codes[place]}

    @property
    def photos(self) -> int:
        """The number of used photos."""
        return sum(len(rows) for group in (self.members, self.strangers) for rows in group.values())


@dataclass(frozen=True, slots=True)
class Listing:
    """Files by person, before they are read."""

    people: Mapping[str, Sequence[Path]]
    strangers: Mapping[str, Sequence[Path]] | None
    left_out: Mapping[str, tuple[str, ...]]


def listing(folder: Path, strangers: Path | None) -> Listing:
    """Return the photos of a folder with one folder per person, and of a folder of strangers.

    Each photo directly in the strangers' folder is of another stranger.

    Raises:
        MalformedRequest: a path is not a folder, cannot be read, or has no photos.
    """
    try:
        people = folders.people(folder)
        others, more = (None, ()) if strangers is None else _strangers(strangers)
    except OSError as error:
        raise MalformedRequest(f"{error.filename} cannot be read: {error.strerror}") from error
    skipped = (*people.skipped, *more)
    empty = tuple(each.path.name for each in skipped if each.why == "empty")
    loose = tuple(each.path.name for each in skipped if each.why == "loose")
    rest = tuple(f"{shown(each.path)} ({each.why})" for each in skipped if each.why not in ("empty", "loose"))
    return Listing(people.photos, others, {EMPTY: empty, LOOSE: loose, OTHERS: rest})


def read(listed: Listing, settings: Settings, enrol: int, told: Callable[[int], None] = lambda _: None) -> OpenSetData:
    """Embed the photos, and divide the people into members and strangers.

    Without a folder of strangers, people with too few photos to enrol `enrol` and search with one are the strangers.

    Raises:
        MalformedRequest: there is no member, or no stranger.
    """
    groups = [("members", name, photos) for name, photos in listed.people.items()]
    groups += [("strangers", name, photos) for name, photos in (listed.strangers or {}).items()]
    files = tuple(path for _, _, photos in groups for path in photos)
    embedded = embed(files, settings, told)
    owners: dict[str, set[str]] = {}
    places = iter(range(len(files)))
    held = [(kind, name, [next(places) for _ in photos]) for kind, name, photos in groups]
    for _, name, rows in held:
        for place in rows:
            owners.setdefault(embedded.hashes[place], set()).add(name)
    left: dict[str, list[str]] = {COPIES: [], CONTRADICTIONS: [], TOO_FEW: [], MEMBERS: []}
    kept: dict[str, dict[str, tuple[int, ...]]] = {"members": {}, "strangers": {}}
    for kind, name, rows in held:
        good = _good(rows, files, embedded.hashes, owners, left)
        if kind == "members" and len(good) > enrol:
            kept["members"][name] = good
        elif kind == "members" and (listed.strangers is not None or not good):
            left[TOO_FEW].append(f"{name} ({len(good)})")
        elif name in kept["members"]:
            left[MEMBERS].append(name)
        elif good:
            kept["strangers"][name] = good
    if not kept["members"] or not kept["strangers"]:
        raise MalformedRequest(
            f"There are {len(kept['members'])} people with {enrol + 1} photos or more to enrol and search with, and "
            f"{len(kept['strangers'])} strangers. At least one of each is needed (see --enrol and --strangers)."
        )
    every = {**listed.left_out, **{heading: tuple(items) for heading, items in left.items()}}
    return OpenSetData(
        files, embedded, kept["members"], kept["strangers"], {key: each for key, each in every.items() if each}
    )


def scaled(
    data: OpenSetData, settings: Settings, height: int, told: Callable[[int], None] = lambda _: None
) -> OpenSetData:
    """Return the same people with the embeddings of photos scaled down to faces of a height, in pixels."""
    return replace(data, embedded=embed(data.files, settings, told, height))


def cohort_photos(folder: Path, people: Collection[str]) -> tuple[Path, ...]:
    """Return one photo of each person of a folder who is nobody of `people`, by name.

    Raises:
        MalformedRequest: the path is not a folder, or has no such photo.
    """
    found = tuple(photos[0] for name, photos in _strangers(folder)[0].items() if name not in people)
    if not found:
        raise MalformedRequest(f"{folder} has no photo of a person outside the data set. Give photos of other people.")
    return found


def cohort(photos: Sequence[Path], data: OpenSetData, settings: Settings) -> Descriptors | None:
    """Return descriptors of a cohort, (n, d) float32, without photos that are in the data; None without photos."""
    if not photos:
        return None
    embedded = embed(photos, settings)
    mine = set(data.embedded.hashes)
    usable = ~failed(embedded.rows) & np.array([each not in mine for each in embedded.hashes])
    return unit(embedded.rows[usable])


def _good(
    rows: Sequence[int],
    files: Sequence[Path],
    hashes: Sequence[str],
    owners: Mapping[str, set[str]],
    left: Mapping[str, list[str]],
) -> tuple[int, ...]:
    """Return each photo of a person once, without those of other people too. An unreadable file stays, as a failure."""
    good: dict[str, int] = {}
    for place in rows:
        key = hashes[place]
        if not key:
            good[f"unreadable {place}"] = place
        elif len(owners[key]) > 1:
            left[CONTRADICTIONS].append(f"{files[place]} ({', '.join(sorted(owners[key]))})")
        elif key in good:
            left[COPIES].append(str(files[place]))
        else:
            good[key] = place
    return tuple(good.values())


def _strangers(folder: Path) -> tuple[dict[str, Sequence[Path]], tuple[Skipped, ...]]:
    if not folder.is_dir():
        raise MalformedRequest(
            f"{folder} is not a folder. Give a folder with photos of strangers, or with a folder for each."
        )
    found: dict[str, Sequence[Path]] = {}
    listed = folders.photos([folder])
    for path in listed.files:
        inside = path.relative_to(folder).parts
        found[inside[0]] = [*found.get(inside[0], ()), path]
    return found, listed.skipped
