"""Gallery actor: descriptors in, decisions out; and the one process that reads and writes the store for HTTP."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ray.serve import metrics

from deployments.logs import configure
from facegroup.errors import FacegroupError
from facegroup.expiry import sweep_and_tell
from facegroup.matching import Galleries
from facegroup.networks.registry import spec
from facegroup.photos import Matched, Query
from facegroup.settings import Settings
from facegroup.store import open_store
from facegroup.store.base import Store
from facegroup.types import Descriptors, Gallery

METHODS = frozenset(name for name in vars(Store) if not name.startswith("_")) - {"close"}
"""What `ask` may call."""


class GalleryActor:
    """Keeps class centroids in the store and performs the thresholded cosine match.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: Settings) -> None:
        configure(settings)
        self._store = open_store(settings.store)
        self._galleries = Galleries(self._store, network := spec(settings.network))
        self._matcher = ThreadPoolExecutor(1, "match")
        self._writers = ThreadPoolExecutor(4, "store")
        self._damaged = metrics.Gauge("facegroup_gallery_damaged", description="damaged values that are skipped")
        threshold = network.threshold if settings.threshold is None else settings.threshold
        try:
            self._store.create_gallery(Gallery(settings.gallery, network.name, network.dimension, threshold))
        except FacegroupError as error:
            # Another network's gallery, or a store that is away: every answer says so; restarting would not mend it.
            self._trouble: FacegroupError | None = error
        else:
            self._trouble = None
        threading.Thread(target=self._sweep, args=(settings.matcher.sweep_seconds,), name="sweep", daemon=True).start()

    async def match(
        self, descriptors: Descriptors, asked: Sequence[tuple[Query, int]]
    ) -> list[Matched | FacegroupError]:
        """Decide on the faces of some photos; see `Galleries.match`."""
        answers: list[Matched | FacegroupError]
        answers = await self._in(self._matcher, self._galleries.match, descriptors, asked)
        return answers

    async def ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the store; see `facegroup.store.base.Store`."""
        if method not in METHODS:
            raise ValueError(f"the store has no method {method}: this is a bug")
        return await self._in(self._writers, lambda: getattr(self._store, method)(*arguments, **named))

    async def about(self) -> dict[str, Any]:
        """Say how the store is."""
        try:
            await self.ask("ping")
        except FacegroupError as error:
            return {"store": "unavailable", "detail": error.detail}
        return {"store": "ok"} if self._trouble is None else {"store": "ok", "detail": self._trouble.detail}

    def _sweep(self, seconds: float) -> None:
        while True:
            sweep_and_tell(self._store)
            self._damaged.set(self._store.damaged())
            time.sleep(seconds)

    @staticmethod
    async def _in(pool: ThreadPoolExecutor, call: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, call, *arguments)
