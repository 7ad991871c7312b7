"""Detector process: JPEGs of many requests in, everything seen in them out. Decodes, finds faces, cuts them out."""

import asyncio
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployments.hop import Handle, answers, hop, plain
from deployments.idle import Idle
from deployments.lending import Lender
from deployments.logs import configure
from deployments.metrics import Export
from facegroup import pipeline
from facegroup.batching import Batcher
from facegroup.errors import FacegroupError
from facegroup.networks.registry import spec
from facegroup.photos import Found, Photo, Seen
from facegroup.pipeline import Embedded
from facegroup.settings import Settings


class Detector:
    """Finds faces in whatever photos have come while it was busy, and calls the embedder once per batch.

    Args:
        settings: of the server.
        embedder: the next stage.
    """

    def __init__(self, settings: Settings, embedder: Handle) -> None:
        from facegroup.finder import open_finder  # here, as OpenCV would stay in every process that builds the server

        configure(settings)
        self._embedder = plain(embedder)
        self._send = Lender(lambda cut: hop(self._embedder.embed.remote(cut)))
        self._spec = spec(settings.network, settings)
        self._finder = open_finder(settings, self._spec)
        self._thread = ThreadPoolExecutor(1, "find")
        self._finder.warm()
        wanted = settings.detector
        self._batcher = Batcher(
            "detector",
            self._find,
            self._embed,
            limit=wanted.batch,
            queue=wanted.queue,
            observe=Export("detector"),
            background=lambda photo: photo.background,
            share=settings.cameras.share,
        )
        # A crop on its way is in memory several times: as many go as keep the embedders busy. Two portions are one of their
        # batches.
        self._portion = max(1, settings.embedder.batch // 2)
        self._hops = asyncio.Semaphore(2 * settings.embedder.replicas)
        self._idle = Idle(self._batcher.fill)

    async def check_health(self) -> None:
        """Ray asks this every moment, which is the time to tidy up."""
        await self._idle.check()

    async def alive(self) -> None:
        """Answer when the next stage has."""
        await hop(self._embedder.alive.remote())

    @answers
    async def see(self, photos: list[Photo]) -> list[Seen | FacegroupError]:
        """Return what is in each photo of an ingress's batch; one that cannot be used has its error as its answer."""
        return await self._batcher.many(photos)

    async def about(self) -> dict[str, Any]:
        """Say what runs here."""
        return {**self._finder.about(), "crops": "lent" if self._send.lends else "sent"}

    async def _find(self, photos: Sequence[Photo]) -> Sequence[Found | FacegroupError]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._finder.find, photos)

    async def _embed(
        self, photos: Sequence[Photo], found: Sequence[Found | FacegroupError]
    ) -> list[Seen | FacegroupError]:
        portions = pipeline.portions(photos, found, self._portion)
        back = await asyncio.gather(*(self._embed_some(photos[some], found[some]) for some in portions))
        return pipeline.seen(photos, found, list(itertools.chain(*back)))

    async def _embed_some(self, photos: Sequence[Photo], found: Sequence[Found | FacegroupError]) -> list[Embedded]:
        async with self._hops:
            batch = pipeline.cut(photos, found, self._spec.size)
            return await self._send(batch) if batch.counts else []
