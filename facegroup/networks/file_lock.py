"""Lock a file between the processes of one machine, so that replicas download and convert a network only once."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock of a file and hold it. The system releases it if the process dies.

    Raises:
        OSError: the file cannot be created.
    """
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
