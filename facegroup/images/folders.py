"""Find the photos in folders, grouped by person if each folder is a person, and report what was skipped and why.

A photo is recognised by its suffix. If the suffix is unknown, the first bytes decide, so that `.JPG_large` or a name
without a suffix is found too. Symbolic links to folders are not followed.
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
"""Suffixes of unsupported pictures. They count as photos here, so that reading them reports the reason."""

_SYSTEM = frozenset({"@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
"""Folders that operating systems create, such as thumbnails and trash."""

_HEAD = 512


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that was skipped.

    Attributes:
        path: its path.
        why: a code: ``not_an_image``, ``unsupported_format``, ``hidden``, ``system``, ``link``, ``unreadable``, ``loose``,
            ``folder`` or ``empty``.
        detail: the reason as a sentence.
    """

    path: Path
    why: str
    detail: str


@dataclass(frozen=True, slots=True)
class Photos:
    """The photos found below some paths, sorted within each path, and the skipped files and folders."""

    files: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class People:
    """The photos of each person by name, and the skipped files and folders."""

    photos: dict[str, tuple[Path, ...]]
    skipped: tuple[Skipped, ...]


def photos(paths: Iterable[Path]) -> Photos:
    """Return the given files, and every photo below the given folders.

    Raises:
        MalformedRequest: a path does not exist, or no photo was found.
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
            raise MalformedRequest(f"{shown(path)} does not exist.")
    if not files:
        raise MalformedRequest(f"No photo found{summary(skipped)}.")
    return Photos(tuple(files), tuple(skipped))


def people(folder: Path) -> People:
    """Return the photos in a folder that has one folder per person, by the person's name.

    All photos below a person's folder are taken for that person; `facegroup.images.layout` is stricter.

    Raises:
        MalformedRequest: it is not a folder, or has no folder with photos.
    """
    inside, skipped = entries(folder)
    found = {}
    for each in inside:
        if not os.path.isdir(each):
            skipped.append(Skipped(each, "loose", "The file is not in a person's folder."))
            continue
        inner = below(each)
        skipped += inner.skipped
        if inner.files:
            found[each.name] = inner.files
        else:
            skipped.append(Skipped(each, "empty", "The folder has no photos."))
    if not found:
        raise MalformedRequest(
            f"{shown(folder)} has no folder with photos{summary(skipped)}. Make one folder per person, named after them."
        )
    return People(found, tuple(skipped))


def entries(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """Return the direct entries of a folder, sorted, without hidden files and system folders.

    Raises:
        MalformedRequest: it is not a folder, or cannot be read.
    """
    if not os.path.isdir(folder):
        raise MalformedRequest(
            f"{shown(folder)} is not a folder. Give a folder with one folder per person, named after them."
        )
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
    """Return every photo below a folder, sorted, and the skipped files and folders."""
    files: list[Path] = []
    skipped: list[Skipped] = []

    def unreadable(error: OSError) -> None:
        skipped.append(Skipped(Path(error.filename), "unreadable", f"The folder cannot be read: {error.strerror}"))

    for place, inside, names in os.walk(folder, onerror=unreadable):
        for name in [*inside]:
            path = Path(place, name)
            out = _left_out(path)
            if out is None and os.path.islink(path):
                out = Skipped(path, "link", "Symbolic links to folders are not followed.")
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
    """Return which of some files are photos, and why the others are skipped."""
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
    """Return whether a file or folder that may contain photos could not be read."""
    return any(each.why == "unreadable" for each in skipped)


def summary(skipped: Iterable[Skipped]) -> str:
    """Return the number of skipped files and the first of them, as the end of a message; empty if there are none."""
    listed = list(skipped)
    if not listed:
        return ""
    first = listed[0]
    return f" ({len(listed)} skipped, such as {shown(first.path)}: {first.detail.removesuffix('.')})"


def shown(path: Path | str) -> str:
    """Return a path as printable text. Not every file name is valid text or safe to write to a terminal."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _left_out(path: Path) -> Skipped | None:
    if path.name in _SYSTEM:
        return Skipped(path, "system", "System folders are skipped.")
    return Skipped(path, "hidden", "The name begins with a dot.") if path.name.startswith(".") else None


def _no_photo(file: Path) -> Skipped | None:
    """Return why a file is skipped, or None if it is a photo or reading it reports a more exact error."""
    suffix = file.suffix.lower()
    if suffix in SUFFIXES or suffix in _PICTURES:
        return None
    try:
        if not file.is_file():
            return Skipped(file, "unreadable", "This is not a regular file, or a broken link.")
        with file.open("rb") as opened:
            formats.opener(opened.read(_HEAD))
    except OSError as error:
        return Skipped(file, "unreadable", f"The file cannot be read: {error.strerror}")
    except (NotAnImage, UnsupportedFormat) as error:
        return Skipped(file, error.code, error.detail)
    except FacegroupError:
        return None
    return None
