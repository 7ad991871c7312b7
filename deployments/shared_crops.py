"""Share crops with an embedder on the same machine through memory, so that only their location is sent.

gRPC copies an array about seven times, which was half of the cost of an image outside the networks
(docs/decisions/0017-crops-in-shared-memory.md). Here crops are written once to an anonymous file in memory
(memfd_create(2)). The sending process holds it open and the other one opens it through /proc, so nothing is left behind if
either process dies.
"""

import fcntl
import logging
import mmap
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from facegroup.pipeline.batches import CropAnswers, CropBatch

log = logging.getLogger("facegroup.shared_crops")


@dataclass(frozen=True, slots=True, eq=False)
class SharedCrops:
    """A batch without its crops, and the location of the crops in shared memory.

    Attributes:
        cut: the batch without its crops.
        shape: shape of the crops.
        machine: identifies the machine and its process namespace.
        process: id of the process that shares them.
        file: number of the open file in that process.
        inode: inode of the file, because file numbers are reused.
        whole: the batch with its crops, in the process that shares them. It is not sent with their location.
    """

    cut: CropBatch
    shape: tuple[int, ...]
    machine: str
    process: int
    file: int
    inode: int
    whole: CropBatch | None = None

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return SharedCrops, (self.cut, self.shape, self.machine, self.process, self.file, self.inode)


class CropSender:
    """Class that sends batches to another process, in shared memory as long as processes on this machine can open it.

    Args:
        send: sends a batch, or its location in shared memory, and returns None if that cannot be opened. To another machine
            it sends the whole batch of a location (router.py).

    Attributes:
        shares: whether shared memory is used.
    """

    def __init__(self, send: Callable[[CropBatch | SharedCrops], Awaitable[list[CropAnswers] | None]]) -> None:
        self.shares = can_share()
        self._send = send

    async def __call__(self, cut: CropBatch) -> list[CropAnswers]:
        """Send a batch, and return the answer of the other process."""
        if self.shares and len(cut):
            with share(cut) as shared:
                back = await self._send(shared)
            if back is not None:
                return back
            self.shares = False
            log.info("An embedder cannot open shared memory, for example in another container. Crops are sent by gRPC.")
        back = await self._send(cut)
        assert back is not None
        return back


def can_share() -> bool:
    """Return whether this system supports shared crops: Linux, unless it is forbidden."""
    try:
        os.close(os.memfd_create("crops", os.MFD_ALLOW_SEALING))
    except (AttributeError, OSError):
        return False
    return bool(_machine())


@contextmanager
def share(cut: CropBatch) -> Iterator[SharedCrops]:
    """Write the crops to shared memory that other processes can open until the context ends, and keep after that.

    Args:
        cut: a batch with at least one crop.
    """
    with open(os.memfd_create("crops", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "wb") as file:
        file.write(np.ascontiguousarray(cut.crops).data)
        file.flush()
        # Truncating a file kills the processes that have mapped it.
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
        rest, inode = replace(cut, crops=cut.crops[:0]), os.fstat(file.fileno()).st_ino
        yield SharedCrops(rest, cut.crops.shape, _machine(), os.getpid(), file.fileno(), inode, cut)


def open_shared(shared: SharedCrops) -> CropBatch | None:
    """Return the batch with its crops, read-only, or None if they cannot be opened here, or no longer.

    Args:
        shared: the location from the other process.
    """
    if shared.machine != _machine():
        return None
    try:
        with open(f"/proc/{shared.process}/fd/{shared.file}", "rb") as file:
            if os.fstat(file.fileno()).st_ino != shared.inode:
                return None
            flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
            crops = mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ)
    except OSError:
        return None
    return replace(shared.cut, crops=np.frombuffer(crops, np.uint8).reshape(shared.shape))


@cache
def _machine() -> str:
    """Return an id of the boot and process namespace, or an empty string if it cannot be read."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""
