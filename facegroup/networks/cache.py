"""Converted networks on disk: a name and a way to make it go in, a folder that is whole comes out, made once."""

import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from facegroup.errors import EngineUnavailable
from facegroup.networks.file_lock import locked

IR = "network.xml"
"""The file in an entry that is loaded; its weights lie beside it."""


def made(entry: Path, make: Callable[[Path], None]) -> Path:
    """Return the IR of a cache's entry; make it if it is not there, one process of the machine at a time.

    Args:
        entry: its folder, which appears whole or not at all.
        make: writes the IR, and what belongs to it, into the empty folder that it is given.

    Raises:
        EngineUnavailable: the cache cannot be written. And whatever `make` raises.
    """
    if (entry / IR).is_file():
        return entry / IR
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with locked(entry.with_name(f"{entry.name}.lock")):
            if not (entry / IR).is_file():
                _make(entry, make)
    except OSError as error:
        raise EngineUnavailable(f"the converted network cannot be kept in {entry.parent}: {error}") from error
    return entry / IR


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
            raise EngineUnavailable(f"{entry.name} was not made, though nothing has failed")
        making.chmod(0o755)  # mkdtemp's is for its maker alone; a cache may be shared
        making.rename(entry)
    finally:
        shutil.rmtree(making, ignore_errors=True)
