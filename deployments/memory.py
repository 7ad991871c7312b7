"""Return freed memory to the system when a process is idle.

glibc keeps freed memory for the next batch, because new pages would cost about a tenth of a photo's time. When no more
batches come, that memory is unused: a third of what a server holds after much load.
"""

import asyncio
import ctypes

from facegroup.pipeline.batcher import Fill


class IdleTrimmer:
    """Class that trims memory if batchers have been idle since the last check.

    Args:
        fills: the batchers' counters.
    """

    def __init__(self, *fills: Fill) -> None:
        self._fills = fills
        self._seen = -1
        self._given = -1  # so that memory from the start is returned too
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only in glibc

    async def check(self) -> None:
        """Return memory if there were batches since it was last returned, and none since the last check."""
        batches = sum(fill.batches for fill in self._fills)
        idle = batches == self._seen and not any(fill.waiting for fill in self._fills)
        self._seen = batches
        if idle and batches != self._given and self._trim is not None:
            self._given = batches
            await asyncio.to_thread(self._trim, 0)
