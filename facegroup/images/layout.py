"""Find out from folder and file names which photos are of which person. An ambiguous layout is refused.

Ada/1.jpg         depth 1: each folder is a person
team1/Ada/1.jpg   depth 2: each folder within a folder is a person
Ada.jpg           flat: each file is a person, named after the file
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facegroup.errors import FacegroupError, InvalidName, MalformedRequest
from facegroup.images import folders
from facegroup.images.folders import Skipped, shown
from facegroup.store.names import clean_name


@dataclass(frozen=True, slots=True)
class Wanted:
    """Photos of one person to enrol.

    Attributes:
        name: the person's name, as on disk if it is not a valid name.
        files: the photos.
        source: the folders or files from which they were taken.
        person_id: the id of a person who exists; None finds or creates the person by name.
        error: why they cannot be enrolled; None if they can.
    """

    name: str
    files: tuple[Path, ...]
    source: tuple[Path, ...]
    person_id: str | None = None
    error: FacegroupError | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """The people found, and the skipped files and folders."""

    people: tuple[Wanted, ...]
    skipped: tuple[Skipped, ...]


def by_folder(paths: Iterable[Path], depth: int | None = None) -> Layout:
    """Return one person for each folder at a depth, with all photos below it.

    Args:
        paths: folders that contain the people's folders.
        depth: how many levels deep the people's folders are. None means 1, and refuses a folder with photos in deeper
            folders, since it may be a group of people. A folder above that depth that cannot be read, or that has no
            folders, is returned as a person with an error.

    Raises:
        MalformedRequest: a path is not a folder, cannot be read, or has no person's folder.
    """
    found: list[Wanted] = []
    skipped: list[Skipped] = []
    for path in paths:
        people, failed, more = _people(path, depth or 1)
        skipped += more
        if not people:
            raise MalformedRequest(_nobody(path, more, depth or 1))
        found += failed
        for each in people:
            inner = folders.below(each)
            skipped += inner.skipped
            found.append(_checked(each, inner, strict=depth is None))
    return Layout(_distinct(found), tuple(skipped))


def flat(paths: Iterable[Path]) -> Layout:
    """Return one person for each file, and for each file directly in a folder, named after the file.

    Raises:
        MalformedRequest: a path does not exist, cannot be read, or no photo was found.
    """
    files: dict[str, list[Path]] = {}
    skipped: list[Skipped] = []
    for path in paths:
        inside, more = folders.entries(path) if os.path.isdir(path) else (list(folders.photos([path]).files), [])
        skipped += [
            *more,
            *(Skipped(each, "folder", "--flat skips folders.") for each in inside if os.path.isdir(each)),
        ]
        photos = folders.loose(each for each in inside if not os.path.isdir(each))
        skipped += photos.skipped
        for each in photos.files:
            files.setdefault(_name(each.stem)[0], []).append(each)
    if not files:
        raise MalformedRequest(f"No photo found{folders.summary(skipped)}.")
    people = (Wanted(name, tuple(each), tuple(each), error=_name(each[0].stem)[1]) for name, each in files.items())
    return Layout(tuple(people), tuple(skipped))


def _people(folder: Path, depth: int) -> tuple[list[Path], list[Wanted], list[Skipped]]:
    """Return the folders at a depth below `folder`, the shallower folders without any, and the skipped files."""
    inside, skipped = folders.entries(folder)
    where = "a person's folder" if depth == 1 else f"a person's folder ({depth} levels deep)"
    photos = folders.loose(each for each in inside if not os.path.isdir(each))
    skipped += photos.skipped
    skipped += [Skipped(each, "loose", f"The file is not in {where}.") for each in photos.files]
    below = [each for each in inside if os.path.isdir(each)]
    if depth == 1:
        return below, [], skipped
    found: list[Path] = []
    failed: list[Wanted] = []
    for each in below:
        try:
            people, none, more = _people(each, depth - 1)
        except MalformedRequest as error:
            failed.append(Wanted(_name(each.name)[0], (), (each,), error=error))
            continue
        if not people and not none:
            files = tuple(one.path for one in more if one.why == "loose")
            more = [one for one in more if one.why != "loose"]
            none = [Wanted(_name(each.name)[0], files, (each,), error=_shallow(each, files))]
        found += people
        failed += none
        skipped += more
    return found, failed, skipped


def _shallow(folder: Path, files: Sequence[Path]) -> FacegroupError:
    what = "photos but no folders" if files else "no folders"
    return MalformedRequest(
        f"{shown(folder)} has {what}, but --depth expects one folder per person in it. Enrol its photos separately with "
        "--name or --person ID."
    )


def _checked(folder: Path, inner: folders.Photos, *, strict: bool) -> Wanted:
    name, error = _name(folder.name)
    wanted = Wanted(name, inner.files, (folder,), error=error)
    deeper = sorted({file.relative_to(folder).parts[0] for file in inner.files if file.parent != folder})
    if error is not None:
        return wanted
    if not inner.files:
        said = f"{shown(folder)} has no photos{folders.summary(inner.skipped)}."
        return replace(wanted, error=MalformedRequest(said))
    if strict and deeper:
        listed = ", ".join(shown(each) for each in deeper[:3]) + (", …" if len(deeper) > 3 else "")
        said = (
            f"Photos are in folders below {shown(folder)} ({listed}). Use --depth 2 if each of these is a person, or "
            f"--depth 1 if all photos are of {name}."
        )
        return replace(wanted, error=MalformedRequest(said))
    return wanted


def _distinct(found: Sequence[Wanted]) -> tuple[Wanted, ...]:
    """Refuse two people of the same name: only the caller knows whether they are one person."""
    sources: dict[str, list[str]] = {}
    for each in found:
        sources.setdefault(each.name, []).append(shown(each.source[0]))

    def checked(each: Wanted) -> Wanted:
        same = sources[each.name]
        if len(same) == 1 or each.error is not None:
            return each
        said = f"{len(same)} folders are called {each.name} ({', '.join(same[:3])}). Enrol each separately"
        return replace(each, error=MalformedRequest(f"{said} with --name or --person ID."))

    return tuple(checked(each) for each in found)


def _name(text: str) -> tuple[str, FacegroupError | None]:
    try:
        return clean_name(text, "name of the person"), None
    except InvalidName as error:
        return shown(text), error


def _nobody(folder: Path, skipped: Sequence[Skipped], depth: int) -> str:
    if depth == 1 and any(each.why == "loose" for each in skipped):
        return (
            f"{shown(folder)} has photos but no folders. Use --name NAME if they are all of one person, or --flat if each "
            "file is named after its person."
        )
    what = "folders" if depth == 1 else f"folders {depth} levels deep"
    return f"{shown(folder)} has no {what}{folders.summary(skipped)}. Make one folder per person, named after them."
