"""A process that has nothing to do gives the system back what it has freed.

glibc keeps freed memory for the next batch: taking fresh pages for each would cost about a tenth of a photo's time. When no
more batches come it is nobody's: a third of what a server holds after much load.
"""

import asyncio
import ctypes

from facegroup.batching import Fill


class Idle:
    """Notices that a batcher has done nothing since it last looked.

    Args:
        fill: the batcher's counters.
    """

    def __init__(self, fill: Fill) -> None:
        self._fill = fill
        self._seen = -1
        self._given = -1  # what starting took goes back too
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others have none

    async def check(self) -> None:
        """Give memory back if batches have come since that was done last, and none since the last look."""
        batches = self._fill.batches
        idle = batches == self._seen and not self._fill.waiting
        self._seen = batches
        if idle and batches != self._given and self._trim is not None:
            self._given = batches
            await asyncio.to_thread(self._trim, 0)
