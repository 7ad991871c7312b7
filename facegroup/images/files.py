"""Files named on a command line → their bytes, a few at a time; a file that cannot be read is an error among the others."""

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from facegroup.errors import FacegroupError, ImageTooLarge, MalformedRequest
from facegroup.images.folders import shown

CHUNK = 16
"""Photos worked on at once: enough for full batches, and the first answers come soon."""

CHUNK_BYTES = 32 << 20
MOST_BYTES = 1 << 30
"""A larger file is not even read: no server takes it."""


def read(
    files: Sequence[Path], most: int = MOST_BYTES, count: int = CHUNK
) -> Iterator[list[tuple[Path, bytes | FacegroupError]]]:
    """Read files, so many and so many bytes at a time; one that cannot be read is its error.

    Args:
        files: any paths.
        most: bytes of a file.
        count: files at a time.
    """
    part: list[tuple[Path, bytes | FacegroupError]] = []
    held = 0
    for path in files:
        part.append((path, _read(path, most)))
        held += len(part[-1][1]) if isinstance(part[-1][1], bytes) else 0
        if len(part) == count or held >= CHUNK_BYTES:
            yield part
            part, held = [], 0
    if part:
        yield part


def _read(path: Path, most: int) -> bytes | FacegroupError:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # reading a pipe would wait for ever
            return MalformedRequest(f"{shown(path)} is no file")
        if about.st_size > most:
            return ImageTooLarge(f"the file has {about.st_size:,} bytes; {most:,} are the most (limits.image_bytes)")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        return MalformedRequest(f"{shown(path)} cannot be read: {why}")
