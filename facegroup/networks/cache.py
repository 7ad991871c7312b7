"""Cache of converted networks on disk: each entry is a folder that is made once and appears complete or not at all."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from facegroup.errors import EngineUnavailable

IR = "network.xml"
"""The file of an entry that is loaded, with its weights beside it."""


def made(entry: Path, make: Callable[[Path], None]) -> Path:
    """Return the IR of a cache entry. If it does not exist, one process of the machine makes it.

    Args:
        entry: folder of the entry.
        make: function that writes the IR and its files to an empty folder.

    Raises:
        EngineUnavailable: the cache cannot be written.
        Exception: any error of `make`.
    """
    if (entry / IR).is_file():
        return entry / IR
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with locked(entry.with_name(f"{entry.name}.lock")):
            if not (entry / IR).is_file():
                _make(entry, make)
    except OSError as error:
        raise EngineUnavailable(f"The converted network cannot be written to {entry.parent}: {error}") from error
    return entry / IR


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock of a file and hold it. The system releases it if the process dies.

    Replicas that start together download and convert a network only once.

    Raises:
        OSError: the file cannot be created.
    """
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def release(package: str) -> str:
    """Return a package's version, or "absent"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _make(entry: Path, make: Callable[[Path], None]) -> None:
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=entry.parent))
    try:
        make(making)
        if not (making / IR).is_file():
            raise EngineUnavailable(f"Making {entry.name} ended without an error and without a result.")
        making.chmod(0o755)  # mkdtemp allows only its owner, but a cache may be shared
        making.rename(entry)
    finally:
        shutil.rmtree(making, ignore_errors=True)
