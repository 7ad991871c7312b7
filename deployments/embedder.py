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
from facegroup.photos import Matched, Query
from facegroup.pipeline import Cut, Embedded
from facegroup.settings import Settings
from facegroup.types import Descriptors, Floats


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
            queue_bytes=wanted.queue_bytes,
            cost=len,
            weigh=lambda cut: cut.crops.nbytes,
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

    @answers
    async def match(self, descriptors: Descriptors, query: Query, grades: Floats) -> Matched | FacegroupError:
        """Return the decision on the faces of one photo that came in parts."""
        (answer,) = await self._ask(descriptors, [(query, len(descriptors))], grades)
        return answer

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
        matched = await self._ask(probes, queries, grades) if queries else []
        return pipeline.split(cuts, pipeline.embedded(joined, descriptors, matched))

    async def _ask(
        self, probes: Descriptors, queries: Sequence[tuple[Query, int]], grades: Floats
    ) -> Sequence[Matched | FacegroupError]:
        """Ask the gallery. An error that all queries share is one of its own for each: it is raised once for each, later."""
        try:
            matched: list[Matched | FacegroupError] = await hop(self._gallery.match.remote(probes, queries, grades))
        except FacegroupError as error:
            return [type(error)(*error.args) for _ in queries]
        return matched
