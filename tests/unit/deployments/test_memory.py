"""What an idle process does with freed memory: it goes back to the system, once, and not while there is work."""

import asyncio
import ctypes
import os
from pathlib import Path

import pytest

from deployments.memory import IdleTrimmer
from facegroup.pipeline.batcher import Fill

pytestmark = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")

FREED = 40 << 20


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def littered() -> list[bytes]:
    """Free much memory below some that is kept, where glibc leaves it alone."""
    blocks = [bytes(60_000) for _ in range(FREED // 60_000)]
    return blocks[-1:]


def test_freed_memory_goes_back_when_nothing_is_done() -> None:
    fill = Fill(batches=3)
    idle = IdleTrimmer(fill)

    def falls(checks: int) -> int:
        kept = littered()
        before = resident()
        for _ in range(checks):
            asyncio.run(idle.check())
        assert kept
        return before - resident()

    assert falls(1) < FREED / 2  # it may still be at work
    assert falls(1) > FREED / 2
    assert falls(3) < FREED / 2  # nothing has been done since
    fill.batches, fill.waiting = 4, 1
    assert falls(3) < FREED / 2  # more is waiting
    fill.waiting = 0
    assert falls(1) > FREED / 2
