"""Embedder process: crops of many detectors in, descriptors and decisions out. One network, on a CPU or a GPU."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployments.hop import Handle, answers, hop, plain
from deployments.idle import Idle
from deployments.lending import Lent, borrow
from deployments.logs import configure
from deployments.metrics import Export
from facegroup import pipeline
from facegroup.batching import Batcher
from facegroup.embedding import open_embedder
from facegroup.errors import FacegroupError
from facegroup.pipeline import Cut, Embedded
from facegroup.settings import Settings
from facegroup.types import Descriptors


class Embedder:
    """Runs the network on whatever crops have come while it was busy, and asks the gallery once per batch.

    Args:
        settings: of the server.
        gallery: the next stage.
    """

    def __init__(self, settings: Settings, gallery: Handle) -> None:
        configure(settings)
        self._gallery = plain(gallery)
        self._embedder = open_embedder(settings)
        self._thread = ThreadPoolExecutor(1, "embed")
        self._embedder.warm()
        wanted = settings.embedder
        self._batcher = Batcher(
            "embedder",
            self._embed,
            self._match,
            limit=wanted.batch,
            queue=wanted.queue,
            cost=len,
            observe=Export("embedder"),
        )
        self._idle = Idle(self._batcher.fill)

    async def check_health(self) -> None:
        """Ray asks this every moment, which is the time to tidy up."""
        await self._idle.check()

    async def alive(self) -> None:
        """Answer when the next stage has."""
        await hop(self._gallery.alive.remote())

    @answers
    async def embed(self, cut: Cut | Lent) -> list[Embedded] | None:
        """Return the answer of each photo of a detector's batch; None: its crops are lent, and cannot be had here."""
        here = borrow(cut) if isinstance(cut, Lent) else cut
        return None if here is None else await self._batcher(here)

    async def about(self) -> dict[str, Any]:
        """Say what runs here."""
        spec, engine = self._embedder.spec, self._embedder.engine
        return {"network": spec.name, "dimension": spec.dimension, "engine": engine.name, "device": engine.device}

    async def _embed(self, cuts: Sequence[Cut]) -> tuple[Cut, Descriptors]:
        joined = pipeline.join(cuts)
        loop = asyncio.get_running_loop()
        return joined, await loop.run_in_executor(self._thread, self._embedder.embed, joined.crops)

    async def _match(self, cuts: Sequence[Cut], done: tuple[Cut, Descriptors]) -> list[list[Embedded]]:
        joined, descriptors = done
        probes, queries, grades = pipeline.asked(joined, descriptors)
        matched: list[Any] = []
        if queries:
            try:
                matched = await hop(self._gallery.match.remote(probes, queries, grades))
            except FacegroupError as error:
                matched = [error] * len(queries)
        return pipeline.split(cuts, pipeline.embedded(joined, descriptors, matched))
