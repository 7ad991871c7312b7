"""A process that has nothing to do gives the system back what it has freed.

glibc keeps freed memory for the next batch: taking fresh pages for each would cost about a tenth of a photo's time. When no
more batches come it is nobody's: a third of what a server holds after much load.
"""

import asyncio
import ctypes

from facegroup.pipeline.batcher import Fill


class IdleTrimmer:
    """Notices that batchers have done nothing since it last looked.

    Args:
        fills: the batchers' counters.
    """

    def __init__(self, *fills: Fill) -> None:
        self._fills = fills
        self._seen = -1
        self._given = -1  # what starting took goes back too
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others have none

    async def check(self) -> None:
        """Give memory back if batches have come since that was done last, and none since the last look."""
        batches = sum(fill.batches for fill in self._fills)
        idle = batches == self._seen and not any(fill.waiting for fill in self._fills)
        self._seen = batches
        if idle and batches != self._given and self._trim is not None:
            self._given = batches
            await asyncio.to_thread(self._trim, 0)
