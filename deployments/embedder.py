"""Embedder process: crops of many detectors in, descriptors and decisions out. One network, on a CPU or a GPU."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployments.calls import Handle, answers, call, with_pickle
from deployments.logs import configure
from deployments.memory import IdleTrimmer
from deployments.metrics import Export
from deployments.shared_crops import SharedCrops, borrow
from facegroup.errors import FacegroupError
from facegroup.networks.embedder import open_embedder
from facegroup.pipeline import batches
from facegroup.pipeline.batcher import Batcher
from facegroup.pipeline.batches import CropAnswers, CropBatch
from facegroup.pipeline.messages import PhotoMatches, Query
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
        self._gallery = with_pickle(gallery)
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
        self._idle = IdleTrimmer(self._batcher.fill)

    async def check_health(self) -> None:
        """Ray asks this every moment, which is the time to tidy up."""
        await self._idle.check()

    async def alive(self) -> None:
        """Answer when the next stage has."""
        await call(self._gallery.alive.remote())

    @answers
    async def embed(self, cut: CropBatch | SharedCrops) -> list[CropAnswers] | None:
        """Return the answer of each photo of a detector's batch; None: its crops are lent, and cannot be had here."""
        here = borrow(cut) if isinstance(cut, SharedCrops) else cut
        return None if here is None else await self._batcher(here)

    @answers
    async def match(self, descriptors: Descriptors, query: Query, grades: Floats) -> PhotoMatches | FacegroupError:
        """Return the decision on the faces of one photo that came in parts."""
        (answer,) = await self._ask(descriptors, [(query, len(descriptors))], grades)
        return answer

    async def about(self) -> dict[str, Any]:
        """Say what runs here."""
        spec, engine = self._embedder.spec, self._embedder.engine
        return {"network": spec.name, "dimension": spec.dimension, "engine": engine.name, "device": engine.device}

    async def _embed(self, cuts: Sequence[CropBatch]) -> tuple[CropBatch, Descriptors]:
        joined = batches.join(cuts)
        loop = asyncio.get_running_loop()
        return joined, await loop.run_in_executor(self._thread, self._embedder.embed, joined.crops)

    async def _match(self, cuts: Sequence[CropBatch], done: tuple[CropBatch, Descriptors]) -> list[list[CropAnswers]]:
        joined, descriptors = done
        probes, queries, grades = batches.asked(joined, descriptors)
        matched = await self._ask(probes, queries, grades) if queries else []
        return batches.split(cuts, batches.embedded(joined, descriptors, matched))

    async def _ask(
        self, probes: Descriptors, queries: Sequence[tuple[Query, int]], grades: Floats
    ) -> Sequence[PhotoMatches | FacegroupError]:
        """Ask the gallery. An error that all queries share is one of its own for each: it is raised once for each, later."""
        try:
            matched: list[PhotoMatches | FacegroupError] = await call(
                self._gallery.match.remote(probes, queries, grades)
            )
        except FacegroupError as error:
            return [type(error)(*error.args) for _ in queries]
        return matched
