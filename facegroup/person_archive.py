"""A person's own copy: everything that is held on one person as one ZIP file, written as it is read.

It goes through the places of `facegroup.erasure`, as an erasure does.
"""

import io
import os
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from facegroup.erasure import Places
from facegroup.errors import MalformedRequest
from facegroup.store.person_copy import Item

README = """This file holds everything that this face recognition server keeps about one person.

person.json              the record: id, name, metadata, dates, and ids of photos that are damaged and could not be read
photos.jsonl             a line for each enrolled photo: its id (sha256 of the photo), its date, and the descriptor,
                         the numbers by which the face is recognised. Photos themselves are not kept.
photos/                  the aligned face of each photo, if the gallery keeps faces
counter-examples.jsonl   faces that were marked as not this person, in the same form
counter-examples/        those faces
copies/                  the same of copies of the gallery that an import, a migration or a rollback keeps
cohort.jsonl             photos of this person that are also in the cohort, the faces that others are compared with
audit.jsonl              who did what with this person's data, and when
sightings.jsonl          visits that cameras noted
sightings/               the face of each visit, if the camera keeps faces
events.jsonl             messages about these visits
dead-letters.jsonl       messages about them that a receiver would not take
videos.jsonl             visits that were found in videos

A file that is not there has nothing to hold. A file .jsonl has one JSON object in each line. Times are seconds since
1970-01-01 00:00 UTC. The mean of the descriptors in photos.jsonl, scaled to length 1, is kept as well.
"""

_AT_ONCE = 64 << 10
_FIRST = (1980, 1, 1, 0, 0, 0)


async def archive(places: Places, gallery: str, person_id: str) -> AsyncIterator[bytes]:
    """Give a ZIP file, piece by piece. What is in memory does not grow with the data, but for 500 bytes a face.

    Raises:
        UnknownGallery: there is none.
        UnknownPerson: there is none, or they were erased meanwhile: the file is not whole then, and must not be kept.
        ServiceError: a place cannot be reached.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as whole:
        writer = _Writer(whole)
        try:
            writer.write(Item("README.txt", README.encode()))
            for place in places.all():
                async for item in place.copy(gallery, person_id):
                    writer.write(item)
                    if sink.size >= _AT_ONCE:
                        yield sink.taken()
        finally:
            writer.end()  # or the file could not be closed
        yield sink.taken()
    yield sink.taken()


@contextmanager
def saved(file: Path) -> Iterator[IO[bytes]]:
    """Give a file to write, for its owner only. It has its name when it is whole, and is gone if an error leaves it.

    Raises:
        MalformedRequest: it is there already, or cannot be written.
    """
    part = file.with_name(file.name + ".part")
    try:
        if file.exists():
            raise FileExistsError(17, "it is there already", str(file))
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as into:
            yield into
        part.replace(file)
    except OSError as error:
        raise MalformedRequest(f"{file} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


class _Writer:
    """Writes items into a ZIP file: those of one path that follow each other into one file."""

    def __init__(self, whole: zipfile.ZipFile) -> None:
        self._whole = whole
        self._path = ""
        self._file: IO[bytes] | None = None

    def write(self, item: Item) -> None:
        """Write an item."""
        if item.path != self._path or self._file is None:
            self.end()
            about = zipfile.ZipInfo(item.path, _FIRST)
            about.compress_type = zipfile.ZIP_STORED if item.path.endswith(".jpg") else zipfile.ZIP_DEFLATED
            about.external_attr = 0o600 << 16
            self._path, self._file = item.path, self._whole.open(about, "w", force_zip64=item.path.endswith(".jsonl"))
        self._file.write(item.data)

    def end(self) -> None:
        """End the file that is open."""
        if self._file is not None:
            self._file.close()
            self._file = None


class _Sink(io.RawIOBase):
    """What a ZIP file is written to, from which is taken what is there."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        self.size += len(part)
        return len(part)

    def taken(self) -> bytes:
        """Return what was written since, and forget it."""
        parts, self._parts, self.size = self._parts, [], 0
        return b"".join(parts)
