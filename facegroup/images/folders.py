"""Folders of photos on disk → paths of photos, by person where folders are people, and what was left out and why.

A photo is told by its suffix, and where that says nothing by its first bytes, so that `.JPG_large` or a name without a
suffix is one, too. Links to folders inside folders are not followed.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from facegroup.errors import FacegroupError, MalformedRequest, NotAnImage, UnsupportedFormat
from facegroup.images import formats

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .bmp .gif .tif .tiff .mpo .ppm .pgm .pnm .avif .heic .heif".split()  # noqa: SIM905
)

_PICTURES = frozenset(".jxl .jp2 .j2k .jpx .heics .hif .dng .cr2 .cr3 .nef .arw .orf .rw2 .raf .psd .svg".split())  # noqa: SIM905
"""Suffixes of pictures that are not read: their refusal is told by whatever reads photos."""

_SYSTEM = frozenset({"@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
"""Folders that systems make beside one's own: thumbnails, what was thrown away."""

_HEAD = 512


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that was left out.

    Attributes:
        path: of it.
        why: a code: ``not_an_image``, ``unsupported_format``, ``hidden``, ``system``, ``link``, ``unreadable``, ``loose``,
            ``folder`` or ``empty``.
        detail: why, for a person.
    """

    path: Path
    why: str
    detail: str


@dataclass(frozen=True, slots=True)
class Photos:
    """What was found below some paths: photos, sorted within each path, and what is none."""

    files: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class People:
    """Name → photos, and what else was there."""

    photos: dict[str, tuple[Path, ...]]
    skipped: tuple[Skipped, ...]


def photos(paths: Iterable[Path]) -> Photos:
    """Return the files named, and of the folders named every photo below them.

    Raises:
        MalformedRequest: a path does not exist, or there is no photo at all.
    """
    files: list[Path] = []
    skipped: list[Skipped] = []
    for path in paths:
        if os.path.isdir(path):
            found = below(path)
            files += found.files
            skipped += found.skipped
        elif os.path.lexists(path):
            files.append(path)
        else:
            raise MalformedRequest(f"{shown(path)} does not exist")
    if not files:
        raise MalformedRequest(f"there is no photo in what was named{summary(skipped)}")
    return Photos(tuple(files), tuple(skipped))


def people(folder: Path) -> People:
    """Return the photos of a folder that holds one folder per person, by its name.

    Everything below a person's folder is of that person; `facegroup.images.layout` is stricter.

    Raises:
        MalformedRequest: it is no folder, or holds no folder with photos.
    """
    inside, skipped = entries(folder)
    found = {}
    for each in inside:
        if not os.path.isdir(each):
            skipped.append(Skipped(each, "loose", "it lies in no person's folder"))
            continue
        inner = below(each)
        skipped += inner.skipped
        if inner.files:
            found[each.name] = inner.files
        else:
            skipped.append(Skipped(each, "empty", "the folder holds no photo"))
    if not found:
        raise MalformedRequest(
            f"{shown(folder)} holds no folder with photos{summary(skipped)}; it should hold one per person, named after them"
        )
    return People(found, tuple(skipped))


def entries(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """Return what lies in a folder itself, sorted, without what is hidden or the system's.

    Raises:
        MalformedRequest: it is no folder, or cannot be read.
    """
    if not os.path.isdir(folder):
        raise MalformedRequest(f"{shown(folder)} is no folder; it should hold one folder per person, named after them")
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise MalformedRequest(f"{shown(folder)} cannot be read: {error.strerror}") from error
    kept: list[Path] = []
    skipped: list[Skipped] = []
    for each in inside:
        out = _left_out(each)
        if out is None:
            kept.append(each)
        else:
            skipped.append(out)
    return kept, skipped


def below(folder: Path) -> Photos:
    """Return every photo below a folder, sorted, and what else is there."""
    files: list[Path] = []
    skipped: list[Skipped] = []

    def unreadable(error: OSError) -> None:
        skipped.append(Skipped(Path(error.filename), "unreadable", f"it cannot be read: {error.strerror}"))

    for place, inside, names in os.walk(folder, onerror=unreadable):
        for name in [*inside]:
            path = Path(place, name)
            out = _left_out(path)
            if out is None and os.path.islink(path):
                out = Skipped(path, "link", "links to folders are not followed")
            if out is not None:
                skipped.append(out)
                inside.remove(name)
        for name in names:
            path = Path(place, name)
            out = _left_out(path) or _no_photo(path)
            if out is None:
                files.append(path)
            else:
                skipped.append(out)
    return Photos(tuple(sorted(files)), tuple(sorted(skipped, key=lambda each: each.path)))


def loose(files: Iterable[Path]) -> Photos:
    """Return which of some files are photos, and what the others are."""
    kept: list[Path] = []
    skipped: list[Skipped] = []
    for each in files:
        out = _no_photo(each)
        if out is None:
            kept.append(each)
        else:
            skipped.append(out)
    return Photos(tuple(kept), tuple(skipped))


def unread(skipped: Iterable[Skipped]) -> bool:
    """Return whether something that may be a photo, or hold photos, could not be read."""
    return any(each.why == "unreadable" for each in skipped)


def summary(skipped: Iterable[Skipped]) -> str:
    """Return how many were skipped and the first of them, to follow a message; empty where there are none."""
    listed = list(skipped)
    if not listed:
        return ""
    first = listed[0]
    return f" ({len(listed)} skipped, such as {shown(first.path)}: {first.detail})"


def shown(path: Path | str) -> str:
    """Return a path as it can be printed: any file name is, but not all can be written as text or to a terminal."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _left_out(path: Path) -> Skipped | None:
    if path.name in _SYSTEM:
        return Skipped(path, "system", "a folder of the system")
    return Skipped(path, "hidden", "its name begins with a dot") if path.name.startswith(".") else None


def _no_photo(file: Path) -> Skipped | None:
    """Return why a file is no photo; None: it is one, or whoever reads it tells what is wrong with it."""
    suffix = file.suffix.lower()
    if suffix in SUFFIXES or suffix in _PICTURES:
        return None
    try:
        if not file.is_file():
            return Skipped(file, "unreadable", "it is no file, or a link to nothing")
        with file.open("rb") as opened:
            formats.opener(opened.read(_HEAD))
    except OSError as error:
        return Skipped(file, "unreadable", f"it cannot be read: {error.strerror}")
    except (NotAnImage, UnsupportedFormat) as error:
        return Skipped(file, error.code, error.detail)
    except FacegroupError:
        return None
    return None
