"""Creates the private folder of one server, and removes the folders of servers that have ended.

The folder is in the user's cache. If its path is too long for a socket, or others could rename it, it is in the user's
runtime folder instead. It stays after the end, with Ray's logs, until the next start.
"""

import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facegroup.errors import SetupError

LONGEST = 36
"""Bytes of the folder's path: a socket's name holds 107, of which HAProxy's own takes 71, and Ray's 68."""

_NAME = re.compile(r"[0-9a-f]{4}")
_LOCK = "lock"


@contextmanager
def own_folder(cache: Path) -> Iterator[Path]:
    """Create a folder and hold its lock, so that other servers do not remove it.

    Args:
        cache: the user's cache folder.

    Raises:
        SetupError: no folder can be created.
    """
    base = _base(cache)
    with _locked(base / _LOCK, wait=True):
        _tidy(base)
        folder, lock = _folder(base)
    try:
        yield folder
    finally:
        os.close(lock)


def _base(cache: Path) -> Path:
    """Return the folder of all servers of this user: the first of three that is private and has a short path."""
    user = os.getuid()
    places = (
        cache.absolute() / "run",
        Path(os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{user}")) / "facegroup",
        Path("/tmp") / f"facegroup-{user}",  # which nobody else can rename there
    )
    reasons = []
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    for place in places:
        try:
            _claim(place)
        except OSError as error:
            reasons.append(f"{place} {error.strerror or error}")
        else:
            return place
    raise SetupError(
        f"no folder can hold the server's sockets: {'; '.join(reasons)}; set XDG_RUNTIME_DIR to a folder of yours with a "
        "short path"
    )


def _claim(place: Path) -> None:
    """Create a folder that nobody else may enter or replace.

    Raises:
        OSError: it cannot be created, or is not private.
    """
    longest = LONGEST - len("/abcd")
    if len(os.fsencode(place)) > longest:
        raise OSError(f"has a path of more than {longest} bytes")
    place.mkdir(mode=0o700, exist_ok=True)
    parent, found = place.parent.stat(), place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise OSError("belongs to somebody else")
    if parent.st_uid not in (os.getuid(), 0) or (parent.st_mode & 0o022 and not parent.st_mode & stat.S_ISVTX):
        raise OSError("lies where others may rename it")
    place.chmod(0o700)
    os.close(os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))


@contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[int]:
    """Hold the lock of a file. The kernel releases it when the process ends in any way."""
    file = _lock(path, wait=wait)
    try:
        yield file
    finally:
        os.close(file)


def _lock(path: Path, *, wait: bool) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(file)
        raise
    return file


def _tidy(base: Path) -> None:
    """Remove the folders of servers that have ended."""
    for folder in base.iterdir():
        if not _NAME.fullmatch(folder.name) or folder.is_symlink():
            continue
        try:
            with _locked(folder / _LOCK, wait=False):
                pass
        except BlockingIOError:
            continue  # it runs
        except OSError:
            pass
        shutil.rmtree(folder, ignore_errors=True)


def _folder(base: Path) -> tuple[Path, int]:
    """Create a new folder; return it and its locked file."""
    while True:
        folder = base / secrets.token_hex(2)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        except OSError as error:
            raise SetupError(f"{folder} cannot be created: {error.strerror}") from error
        return folder, _lock(folder / _LOCK, wait=False)
