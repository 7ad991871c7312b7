"""Folders as people keep them → whose photos are whose, and what was left out. What can be read in two ways is refused.

Ada/1.jpg         a folder is a person (depth 1)
team1/Ada/1.jpg   depth 2: a folder in a folder is
Ada.jpg           flat: a file is, named after it
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
    """Photos of one person that are to be enrolled.

    Attributes:
        name: of the person; as on disk where it cannot be a name.
        files: the photos.
        source: the folders or files that they were taken from.
        person_id: of a person who is there already; None: by name.
        error: why they cannot be enrolled; None: they can.
    """

    name: str
    files: tuple[Path, ...]
    source: tuple[Path, ...]
    person_id: str | None = None
    error: FacegroupError | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What was taken for what."""

    people: tuple[Wanted, ...]
    skipped: tuple[Skipped, ...]


def by_folder(paths: Iterable[Path], depth: int | None = None) -> Layout:
    """Return the people of some folders: each folder at a depth is a person, with everything below it.

    Args:
        paths: folders that hold folders.
        depth: how many folders deep the people's folders are; None: 1, and a folder in which photos lie deeper is refused,
            since it may as well be a group of people. A folder less deep that cannot be read, or that holds no folder, is
            one of the people, with an error.

    Raises:
        MalformedRequest: a path is no folder, cannot be read, or holds no folder of a person.
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
            found.append(_judged(each, inner, strict=depth is None))
    return Layout(_distinct(found), tuple(skipped))


def flat(paths: Iterable[Path]) -> Layout:
    """Return the people of some files, and of the files in some folders: each is named after its file.

    Raises:
        MalformedRequest: a path does not exist, cannot be read, or there is no photo.
    """
    files: dict[str, list[Path]] = {}
    skipped: list[Skipped] = []
    for path in paths:
        inside, more = folders.entries(path) if os.path.isdir(path) else (list(folders.photos([path]).files), [])
        skipped += [
            *more,
            *(Skipped(each, "folder", "--flat takes no folders") for each in inside if os.path.isdir(each)),
        ]
        photos = folders.loose(each for each in inside if not os.path.isdir(each))
        skipped += photos.skipped
        for each in photos.files:
            files.setdefault(_name(each.stem)[0], []).append(each)
    if not files:
        raise MalformedRequest(f"there is no photo in what was named{folders.summary(skipped)}")
    people = (Wanted(name, tuple(each), tuple(each), error=_name(each[0].stem)[1]) for name, each in files.items())
    return Layout(tuple(people), tuple(skipped))


def _people(folder: Path, depth: int) -> tuple[list[Path], list[Wanted], list[Skipped]]:
    """Return the folders so deep below one, the folders above them in which there is none, and what else lies above them."""
    inside, skipped = folders.entries(folder)
    where = "a person's folder" if depth == 1 else f"a folder that is {depth} deep"
    photos = folders.loose(each for each in inside if not os.path.isdir(each))
    skipped += photos.skipped
    skipped += [Skipped(each, "loose", f"it lies in no person's folder: not in {where}") for each in photos.files]
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
    what = "photos and no folder" if files else "no folder"
    return MalformedRequest(
        f"{shown(folder)} holds {what}, and --depth takes a folder in it for a person; enrol its photos by themselves, with "
        "--name or --person ID"
    )


def _judged(folder: Path, inner: folders.Photos, *, strict: bool) -> Wanted:
    name, error = _name(folder.name)
    wanted = Wanted(name, inner.files, (folder,), error=error)
    deeper = sorted({file.relative_to(folder).parts[0] for file in inner.files if file.parent != folder})
    if error is not None:
        return wanted
    if not inner.files:
        said = f"{shown(folder)} holds no photo{folders.summary(inner.skipped)}"
        return replace(wanted, error=MalformedRequest(said))
    if strict and deeper:
        listed = ", ".join(shown(each) for each in deeper[:3]) + (", …" if len(deeper) > 3 else "")
        said = (
            f"photos lie in folders below {shown(folder)} ({listed}): --depth 2 takes each of these for a person, --depth 1 "
            f"takes all photos for {name}"
        )
        return replace(wanted, error=MalformedRequest(said))
    return wanted


def _distinct(found: Sequence[Wanted]) -> tuple[Wanted, ...]:
    """Refuse people of one name: they may be one person or two, and nobody but the caller knows."""
    sources: dict[str, list[str]] = {}
    for each in found:
        sources.setdefault(each.name, []).append(shown(each.source[0]))

    def judged(each: Wanted) -> Wanted:
        same = sources[each.name]
        if len(same) == 1 or each.error is not None:
            return each
        said = f"{len(same)} folders are called {each.name} ({', '.join(same[:3])}): enrol each by itself"
        return replace(each, error=MalformedRequest(f"{said}, with --name or --person ID"))

    return tuple(judged(each) for each in found)


def _name(text: str) -> tuple[str, FacegroupError | None]:
    try:
        return clean_name(text, "name of the person"), None
    except InvalidName as error:
        return shown(text), error


def _nobody(folder: Path, skipped: Sequence[Skipped], depth: int) -> str:
    if depth == 1 and any(each.why == "loose" for each in skipped):
        return (
            f"{shown(folder)} holds photos and no folders: --name NAME takes them for one person, --flat takes each for the "
            "person whom its file is named after"
        )
    what = "folder" if depth == 1 else f"folder that is {depth} deep"
    return f"{shown(folder)} holds no {what}{folders.summary(skipped)}; it should hold one per person, named after them"
