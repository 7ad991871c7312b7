"""Embedder process: computes the descriptors of crops from many detectors, on a CPU or a GPU, and has them matched."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployments import private_port
from deployments.calls import Handle, answers, call, replicas, with_pickle
from deployments.live import taken_on
from deployments.logs import configure
from deployments.memory import IdleTrimmer
from deployments.metrics import Counters, Families
from deployments.shared_crops import SharedCrops, open_shared
from deployments.watch import AHEAD
from facegroup.errors import FacegroupError
from facegroup.networks.embedder import open_embedder
from facegroup.pipeline import batches
from facegroup.pipeline.batcher import Batcher
from facegroup.pipeline.batches import CropAnswers, CropBatch
from facegroup.pipeline.messages import PhotoMatches, Query
from facegroup.settings import Settings
from facegroup.types import Descriptors, Floats


class Embedder:
    """Ray actor that runs the network on batches of crops, and calls the gallery once per batch.

    Args:
        settings: settings of the server.
        gallery: handle of the next stage.
    """

    def __init__(self, settings: Settings, gallery: Handle) -> None:
        private_port.close()
        configure(settings)
        self._settings = settings
        self._gallery = with_pickle(gallery)
        self._embedder = open_embedder(settings)
        self._thread = ThreadPoolExecutor(1, "embed")
        self._embedder.warm()
        wanted = settings.embedder
        self._counters = Counters()
        self._batcher = Batcher(
            "embedder",
            self._embed,
            self._match,
            limit=wanted.batch,
            queue=wanted.queue,
            queue_bytes=wanted.queue_bytes,
            cost=len,
            weigh=lambda cut: cut.crops.nbytes,
            ahead=lambda: AHEAD * replicas(self._gallery),
            observe=self._counters.batches("embedder"),
        )
        self._counters.queue("embedder", self._batcher.fill)
        about = self._embedder.about()
        self._counters.info(
            **{name: str(about[name]) for name in ("network", "engine", "device")}, precision=wanted.precision
        )
        self._idle = IdleTrimmer(self._batcher.fill)

    async def reconfigure(self, live: dict[str, Any]) -> None:
        """Take on settings that need no restart."""
        taken_on(self._settings, live)

    async def check_health(self) -> None:
        """Release unused memory. Ray calls this regularly."""
        await self._idle.check()

    async def alive(self) -> None:
        """Return when the next stage answers."""
        await call(self._gallery.alive.remote())

    async def metrics(self) -> Families:
        """Return all metrics of this process."""
        return self._counters.collect()

    @answers
    async def embed(self, cut: CropBatch | SharedCrops) -> list[CropAnswers] | None:
        """Return the answers for each photo of a detector's batch, or None if its shared crops cannot be opened here."""
        here = open_shared(cut) if isinstance(cut, SharedCrops) else cut
        return None if here is None else await self._batcher(here)

    @answers
    async def match(
        self, descriptors: Descriptors, query: Query, grades: Floats, liveness: Floats
    ) -> PhotoMatches | FacegroupError:
        """Return the decision on the faces of one photo that was sent in parts."""
        (answer,) = await self._ask(descriptors, [(query, len(descriptors))], grades, liveness)
        return answer

    async def about(self) -> dict[str, Any]:
        """Return the names of network, engine and device, and what the network is made of."""
        return self._embedder.about()

    async def _embed(self, cuts: Sequence[CropBatch]) -> tuple[CropBatch, Descriptors]:
        joined = batches.join(cuts)
        loop = asyncio.get_running_loop()
        begun = time.perf_counter()
        descriptors = await loop.run_in_executor(self._thread, self._embedder.embed, joined.crops)
        self._counters.observe("embed", time.perf_counter() - begun)
        return joined, descriptors

    async def _match(self, cuts: Sequence[CropBatch], done: tuple[CropBatch, Descriptors]) -> list[list[CropAnswers]]:
        joined, descriptors = done
        probes, queries, *known = batches.asked(joined, descriptors)
        matched = await self._ask(probes, queries, *known) if queries else []
        return batches.split(cuts, batches.embedded(joined, descriptors, matched))

    async def _ask(
        self, probes: Descriptors, queries: Sequence[tuple[Query, int]], grades: Floats, liveness: Floats
    ) -> Sequence[PhotoMatches | FacegroupError]:
        """Match with the gallery. If the call fails, each query gets its own copy of the error, since each is raised."""
        try:
            matched: list[PhotoMatches | FacegroupError] = await call(
                self._gallery.match.remote(probes, queries, grades, liveness, self._embedder.fingerprint)
            )
        except FacegroupError as error:
            return [type(error)(*error.args) for _ in queries]
        return matched
