"""Crops for an embedder on the same machine: they are written once, and only where they are crosses the hop.

Through gRPC an array is copied about seven times, which was half of what an image cost around the networks
(docs/decisions/0017-crops-in-shared-memory.md). Here they lie in a file in memory that has no name (memfd_create(2)); it is
open in the process that lends them, where the other finds it through /proc, so whoever dies leaves nothing behind.
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

log = logging.getLogger("facegroup.lending")


@dataclass(frozen=True, slots=True, eq=False)
class SharedCrops:
    """A cut, and where its crops are.

    Attributes:
        cut: without its crops.
        shape: of the crops.
        machine: where a number means the same process.
        process: that has them.
        file: number of the open file there.
        inode: of the file: numbers are used again.
    """

    cut: CropBatch
    shape: tuple[int, ...]
    machine: str
    process: int
    file: int
    inode: int


class CropSender:
    """Sends cuts to another process, lent as long as it reaches this one's memory.

    Args:
        send: a cut, or what was lent of it; what comes back is None where that cannot be had.

    Attributes:
        lends: whether that was so until now.
    """

    def __init__(self, send: Callable[[CropBatch | SharedCrops], Awaitable[list[CropAnswers] | None]]) -> None:
        self.lends = can_lend()
        self._send = send

    async def __call__(self, cut: CropBatch) -> list[CropAnswers]:
        """Return the other's answer."""
        if self.lends and len(cut):
            with lend(cut) as lent:
                back = await self._send(lent)
            if back is not None:
                return back
            self.lends = False
            log.info("an embedder does not reach the detector's memory, as on another machine: crops are sent to it")
        back = await self._send(cut)
        assert back is not None
        return back


def can_lend() -> bool:
    """Say whether this system can: Linux, where nothing forbids it."""
    try:
        os.close(os.memfd_create("crops", os.MFD_ALLOW_SEALING))
    except (AttributeError, OSError):
        return False
    return bool(_machine())


@contextmanager
def lend(cut: CropBatch) -> Iterator[SharedCrops]:
    """Put the crops where another process finds them until the context ends; it may keep what it has found.

    Args:
        cut: with at least one crop.
    """
    with open(os.memfd_create("crops", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "wb") as file:
        file.write(np.ascontiguousarray(cut.crops).data)
        file.flush()
        # Who has mapped a file that is cut short dies of it.
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
        rest = replace(cut, crops=cut.crops[:0])
        yield SharedCrops(rest, cut.crops.shape, _machine(), os.getpid(), file.fileno(), os.fstat(file.fileno()).st_ino)


def borrow(lent: SharedCrops) -> CropBatch | None:
    """Return the cut with its crops, read-only; None: they cannot be had here, or any more.

    Args:
        lent: what the other process said.
    """
    if lent.machine != _machine():
        return None
    try:
        with open(f"/proc/{lent.process}/fd/{lent.file}", "rb") as file:
            if os.fstat(file.fileno()).st_ino != lent.inode:
                return None
            flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
            crops = mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ)
    except OSError:
        return None
    return replace(lent.cut, crops=np.frombuffer(crops, np.uint8).reshape(lent.shape))


@cache
def _machine() -> str:
    """Return what only processes have in common that see each other's numbers; nothing where that cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""
