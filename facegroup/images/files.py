"""Read files in chunks. A file that cannot be read yields its error and does not stop the others."""

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from facegroup.errors import FacegroupError, ImageTooLarge, MalformedRequest
from facegroup.images.folders import shown

CHUNK = 16
"""Photos in a chunk: enough for full batches, few enough that the first results come soon."""

CHUNK_BYTES = 32 << 20
MOST_BYTES = 1 << 30
"""A larger file is never read, because no server accepts it."""


def read(
    files: Sequence[Path], most: int = MOST_BYTES, count: int = CHUNK
) -> Iterator[list[tuple[Path, bytes | FacegroupError]]]:
    """Read files in chunks of at most `count` files and about `CHUNK_BYTES`.

    Args:
        files: any paths.
        most: most bytes of one file.
        count: most files in a chunk.

    Yields:
        pairs of a path and its bytes, or the error that says why it cannot be read.
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
            return MalformedRequest(f"{shown(path)} is not a regular file.")
        if about.st_size > most:
            return ImageTooLarge(f"The file has {about.st_size:,} bytes. The limit is {most:,} (limits.image_bytes).")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        return MalformedRequest(f"{shown(path)} cannot be read: {why}")
