"""Folders of photos on disk: a folder a person, or any files → names and paths. Reads no photo."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from facegroup.errors import MalformedRequest

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .bmp .gif .tif .tiff .mpo .ppm .pgm .pnm .avif".split()  # noqa: SIM905
)


def photos(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and of the folders named every image below them, sorted within each folder.

    Raises:
        MalformedRequest: a path does not exist, or there is no photo at all.
    """
    found = [file for path in paths for file in _below(path)]
    if not found:
        raise MalformedRequest("there is no photo in what was named")
    return found


def people(folder: Path) -> dict[str, list[Path]]:
    """Return name → photos of a folder that holds one folder per person.

    Raises:
        MalformedRequest: it is no folder, or holds no folder with photos.
    """
    if not folder.is_dir():
        raise MalformedRequest(f"{folder} is no folder; it should hold one folder per person, named after them")
    found = {each.name: list(_below(each)) for each in sorted(folder.iterdir()) if _shown(each) and each.is_dir()}
    found = {name: files for name, files in found.items() if files}
    if not found:
        raise MalformedRequest(f"{folder} holds no folder with photos; it should hold one per person, named after them")
    return found


def chunks(files: Sequence[Path], count: int) -> Iterator[list[tuple[Path, bytes]]]:
    """Read files, so many at a time.

    Raises:
        MalformedRequest: one cannot be read.
    """
    for start in range(0, len(files), count):
        yield [(path, _read(path)) for path in files[start : start + count]]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MalformedRequest(f"{path} cannot be read: {error.strerror}") from error


def _below(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if _photo(file))
    elif path.exists():
        yield path
    else:
        raise MalformedRequest(f"{path} does not exist")


def _photo(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and _shown(file) and file.is_file()


def _shown(path: Path) -> bool:
    return not path.name.startswith(".")
