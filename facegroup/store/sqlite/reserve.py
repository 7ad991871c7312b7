"""Room on the disk that is kept for erasing, so that people can be erased when the disk is full.

SQLite needs room to erase: it first writes the pages without the erased rows to its log. A file next to the database takes
up that room until then. What does not fit is erased in several steps.
"""

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from facegroup.errors import StoreFull
from facegroup.store.contract import Erased

LEAST_FREE = 256 << 10
"""Bytes that must be free for the disk not to count as full: some enrolments."""

_SMALLEST, _LARGEST = 128 << 10, 4 << 20

_P = ParamSpec("_P")


class Reserve:
    """Class of a file that only takes up room.

    Args:
        database: the file beside which it lies.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(f"{database.name}-reserve")

    def keep(self) -> None:
        """Take up as much room as bringing SQLite's log into the file and an erasure may need, or what there is of it."""
        with suppress(OSError):
            log = self._database.with_name(f"{self._database.name}-wal")
            least = min(_SMALLEST + _size(self._database) + _size(log), _LARGEST)
            size = min(2 * least, _LARGEST)
            while _size(self._path) < least and size >= _SMALLEST // 4:
                with suppress(OSError):
                    allocate(self._path, size)
                    return
                size //= 2

    def release(self) -> None:
        """Give the room to the next write."""
        with suppress(OSError):
            os.truncate(self._path, 0)

    def is_full(self) -> bool:
        """Whether the disk is as good as full, not counting the room that is kept. One that does not say is not."""
        try:
            disk = os.statvfs(self._database.parent)
        except OSError:
            return False
        return disk.f_bavail * disk.f_frsize < LEAST_FREE

    def try_out(self) -> bool:
        """Return whether `LEAST_FREE` bytes can be written now, whatever limits them: the disk, a quota."""
        probe = self._database.with_name(f"{self._database.name}-probe")
        try:
            allocate(probe, LEAST_FREE)
        except OSError:
            return False
        finally:
            probe.unlink(missing_ok=True)
        return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def allocate(path: Path, size: int) -> None:
    """Make a file of so many bytes, all of which are on the disk. Raises `OSError`, and leaves an empty file then."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:  # macOS
            _write_zeros(descriptor, size)
    except OSError as error:
        os.truncate(path, 0)
        if error.errno != errno.EOPNOTSUPP:
            raise
    finally:
        os.close(descriptor)


def _write_zeros(descriptor: int, size: int) -> None:
    while size:
        size -= os.write(descriptor, bytes(min(size, 1 << 16)))
    os.fsync(descriptor)


def erases(
    pieces: Callable[..., Iterable[Erased]] = lambda *_, **__: (),
) -> Callable[[Callable[Concatenate[Any, _P], Erased]], Callable[Concatenate[Any, _P], Erased]]:
    """Call a method that erases again, with the room that was kept for it, if the disk is full.

    Args:
        pieces: called with the method's arguments where that is not enough; it erases part after part.
    """

    def decorate(method: Callable[Concatenate[Any, _P], Erased]) -> Callable[Concatenate[Any, _P], Erased]:
        @wraps(method)
        def erase(store: Any, /, *given: _P.args, **named: _P.kwargs) -> Erased:
            try:
                return method(store, *given, **named)
            except StoreFull:
                with store._file.making_room():
                    try:
                        return method(store, *given, **named)
                    except StoreFull:
                        gone = sum(pieces(store, *given, **named), Erased(0, 0, 0))
                    return gone + method(store, *given, **named)

        return erase

    return decorate
